"""Token sequences for the benchmarks of training: in memory, drawn by chance or made of text."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from common import texts

from understudy import artifact
from understudy.corpus.tinyworld import LOCALES, sentences
from understudy.tokenizer import Tokenizer
from understudy.tokenizer.backend import SPECIALS
from understudy.tokenizer.train import TokenizerConfig
from understudy.tokenizer.train import run as train_tokenizer

BOS, EOS = 0, 2
UTTERANCE = 13.2  # tokens of a MASSIVE utterance in the mean, <s> and </s> included, with a vocabulary of 16,000
TEXT = 512
LARGEST_LEARNED = 16_000  # learning more takes longer than a benchmark may


class Sequences:
    """Token ids in memory, with the interface of a token set."""

    def __init__(self, tokens: npt.NDArray[np.int32], lengths: npt.NDArray[np.int64]) -> None:
        self.tokens, self.lengths = tokens, lengths
        self.offsets = np.concatenate([[0], np.cumsum(lengths)])
        self.langs = np.zeros(len(lengths), np.uint8)

    @classmethod
    def of(cls, rows: Iterable[list[int]]) -> Sequences:
        """Each row between <s> and </s>."""
        arrays = [np.array([BOS, *row, EOS], np.int32) for row in rows]
        return cls(np.concatenate(arrays), np.array([len(one) for one in arrays], np.int64))

    def __len__(self) -> int:
        return len(self.lengths)


def utterance_lengths(count: int) -> npt.NDArray[np.int64]:
    """Lengths spread as those of utterances are: 5 and more, `UTTERANCE` in the mean, a few over 30."""
    drawn = np.random.default_rng(0).gamma(4.0, (UTTERANCE - 5) / 4.0, count)
    return 5 + np.minimum(np.round(drawn), 59).astype(np.int64)


def random_ids(lengths: npt.NDArray[np.int64], vocab: int, *, seed: int = 0) -> npt.NDArray[np.int32]:
    """Ids by chance for sequences of these lengths laid end to end, each between <s> and </s>."""
    ids = np.random.default_rng(seed).integers(len(SPECIALS), vocab, int(lengths.sum()), np.int32)
    ends = np.cumsum(lengths)
    ids[ends - lengths], ids[ends - 1] = BOS, EOS
    return ids


def learned(rows: list[str], vocab: int) -> Tokenizer:
    """A vocabulary learned from `rows`, of at most `LARGEST_LEARNED` ids."""
    size = min(vocab, LARGEST_LEARNED)
    with tempfile.TemporaryDirectory() as folder:
        table = pa.table({"text": rows, "lang": ["xx"] * len(rows), "count": pa.array([1] * len(rows), pa.int32())})
        with artifact.writing(Path(folder) / "corpus", kind="corpus", config={}) as draft:
            pq.write_table(table, draft.path / "train.parquet")
            pq.write_table(table.slice(0, 100), draft.path / "valid.parquet")
        corpus = artifact.open(Path(folder) / "corpus")
        config = TokenizerConfig.model_validate({"corpus": "corpus", "vocab_size": size, "kanji": False})
        with artifact.writing(Path(folder) / "tokenizer", kind="tokenizer", config={}) as draft:
            train_tokenizer(config, {"corpus": corpus}, draft, seed=0)
        return Tokenizer.load(Path(folder) / "tokenizer")


def utterances(vocab: int, *, limit: int) -> tuple[str, int, Sequences]:
    """Where they come from, the ids of the vocabulary learned from them, and one sequence for each."""
    source, rows = texts(limit=limit)
    tokenizer = learned(rows, vocab)
    return source, tokenizer.size, Sequences.of(tokenizer.encode_texts(rows))


def public_text(vocab: int, *, limit: int) -> tuple[str, int, Sequences]:
    """The same for general text: rows of one language after another, `</s>` between them, cut into sequences of `TEXT` tokens."""
    source, rows_by_lang = _public(limit)
    rows = [row for rows in rows_by_lang for row in rows]
    tokenizer = learned(rows, vocab)
    sequences: list[list[int]] = []
    for of_lang in rows_by_lang:
        joined = [i for row in tokenizer.encode_texts(of_lang) for i in (*row, EOS)]
        sequences += [joined[at : at + TEXT - 2] for at in range(0, len(joined) - TEXT + 3, TEXT - 2)]
    return source, tokenizer.size, Sequences.of(sequences)


def _public(limit: int) -> tuple[str, list[list[str]]]:
    """Up to `limit` rows, by language: the public text of UNDERSTUDY_DATA if it is there, else built in."""
    data_root = os.environ.get("UNDERSTUDY_DATA")
    files = sorted((Path(data_root) / "public").glob("*.parquet")) if data_root else []
    if not files:
        each = limit // len(LOCALES)
        return "built-in text", [
            [text for text, _ in zip(sentences(lang, seed=0), range(each), strict=False)] for lang in LOCALES
        ]
    tables = [pq.ParquetFile(file) for file in files]
    each = limit // len(files)
    first = [next(table.iter_batches(batch_size=each, columns=["text"])).column(0).to_pylist() for table in tables]
    return "public text", [[" ".join(text.split()) for text in rows if text] for rows in first]
