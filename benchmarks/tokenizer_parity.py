"""Do three readers of one vocabulary agree on a body of text, and does the text come back?

Every line of a folder of parquet files is encoded word by word (`Tokenizer`), as a whole by the tokenizers library
(`tokenizer.json`), and item by item by SentencePiece (`sentencepiece.model`). Then it is decoded and compared with the normal
form that docs/tokenizer.md describes, computed here with unicodedata alone. A line with an unknown character cannot come back;
it is checked once more with the same pieces and byte fallback, where it must.

    python benchmarks/tokenizer_parity.py TOKENIZER DATA/public
"""

from __future__ import annotations

import json
import re
import sys
import time
import unicodedata
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import sentencepiece
import tokenizers
from common import claim, finish

from understudy.tokenizer import Tokenizer, spm
from understudy.tokenizer.backend import BYTES, SPECIALS, build

SHOWN = 10
VOICING = {"\u3099": "\u309b", "\uff9e": "\u309b", "\u309a": "\u309c", "\uff9f": "\u309c"}
SHAPELESS = re.compile("[\u034f\u180b-\u180d\ufe00-\ufe0f\U000e0100-\U000e01ef]")  # marks; the others are known by category


class Readers:
    """One vocabulary in its three forms."""

    def __init__(self, pieces: list[tuple[str, float]], *, byte_fallback: bool) -> None:
        serialized = build(pieces, byte_fallback=byte_fallback).to_str()
        self.ours = Tokenizer(serialized.encode())
        self.whole = tokenizers.Tokenizer.from_str(serialized)
        self.whole.encode_special_tokens = True
        self.processor = sentencepiece.SentencePieceProcessor(model_proto=spm.model(pieces, byte_fallback=byte_fallback))
        self.cache: dict[str, list[int]] = {}

    def sentencepiece(self, items: list[str]) -> list[int]:
        """Ids of what `Tokenizer.cut` gave, each distinct item encoded once."""
        new = [item for item in items if item not in self.cache]
        self.cache.update(zip(new, self.processor.encode(new, num_threads=1), strict=True))
        ids = [i for item in items for i in self.cache[item]]
        if len(self.cache) > 1_000_000:
            self.cache.clear()
        return ids


def plain(text: str) -> str:
    """NFKC without white space and characters that have no shape of their own; voicing marks stay apart from their kana."""
    text = "".join(VOICING.get(c, c) for c in text)
    kept = (c for c in text if unicodedata.category(c) not in ("Cc", "Cf") or c in "\u200c\u200d")
    return "".join(SHAPELESS.sub("", unicodedata.normalize("NFKC", "".join(kept))).split()).replace("▁", "")


def differences(readers: Readers, texts: list[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """(comparison that fails, line) for each failure, and the lines with an unknown character, which are not decoded."""
    failed, unknown = [], []
    wholes = readers.whole.encode_batch_fast(texts, add_special_tokens=False)
    for text, ids, whole in zip(texts, readers.ours.encode_texts(texts), wholes, strict=True):
        if whole.ids != ids:
            failed.append(("tokenizers", text))
        if readers.sentencepiece(readers.ours.cut(text)) != ids:
            failed.append(("sentencepiece", text))
        if readers.ours.unk in ids:
            unknown.append(text)
        elif plain(readers.ours.decode(ids)) != plain(text):
            failed.append(("round trip", text))
    return failed, unknown


def main(tokenizer: Path, folder: Path) -> None:
    """Print what differs and the counts."""
    model = json.loads((tokenizer / "tokenizer.json").read_text(encoding="utf-8"))["model"]
    control = {*SPECIALS, *(BYTES if model["byte_fallback"] else ())}
    pieces = [(piece, score) for piece, score in model["vocab"] if piece not in control]
    shipped, with_bytes = Readers(pieces, byte_fallback=model["byte_fallback"]), Readers(pieces, byte_fallback=True)
    counts: Counter[str] = Counter()
    for path in sorted(folder.glob("*.parquet")):
        started, before = time.monotonic(), counts["lines"]
        for batch in pq.ParquetFile(path).iter_batches(batch_size=4096, columns=["text"]):
            texts = batch.column("text").to_pylist()
            failed, unknown = differences(shipped, texts)
            failed += differences(with_bytes, unknown)[0]
            counts.update(lines=len(texts), unknown=len(unknown))
            for what, text in failed:
                counts[what] += 1
                if counts[what] <= SHOWN:
                    print(f"  {what}: {text[:200]!a}", flush=True)
        print(f"{path.name}: {counts['lines'] - before} lines, {time.monotonic() - started:.0f} s", flush=True)
    lines = counts["lines"]
    print(f"{lines} lines, {counts['unknown']} of them with an unknown character")
    compared = ("tokenizers", "sentencepiece", "round trip")
    finish("tokenizer parity", [claim(f"lines that agree: {what}", lines - counts[what], "lines", lines) for what in compared])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
