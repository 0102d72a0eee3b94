"""Written to spoken form: speed per core, and beside NeMo's `nemo_text_processing` in English and German.

    UNDERSTUDY_DATA=DIR PYTHONPATH=. python benchmarks/spoken.py [--peer VENV/bin/python]

One process on one core. "plain" are utterances without digits, MASSIVE's train partition where the data folder has it, else the
built-in world's; "numbers" are lines with digits of the built-in world's written text, with the cases of text_norm where present.
"growth" is the speed in a line of 32,000 characters over the speed in one of 8,000, the worst of several dull lines: about 1
where time grows with the length, 1/4 where it grows with its square.

`--peer` names the interpreter of an environment in which `pip install pynini nemo_text_processing` was done. It reads the same
text_norm cases in a process of its own. Each is read once; building grammars is not counted, nor is compiling our rules, for
which a thousand other sentences are read before.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import time
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

from common import claim, finish

from understudy.corpus.tinyworld import sentences, utterances
from understudy.corpus.utterances import LabelSource, read_labelled
from understudy.text.spoken import LANGUAGES, Formatter

DULL = ("1", "1.", "1/", "1-", ".", "a.", "a@", "½")
# Reads {"lang", "lines"} and answers {"seconds", "lines"}; what it logs goes elsewhere.
PEER = """
import json, os, sys, time
out, job = os.fdopen(os.dup(1), "w"), json.load(sys.stdin)
os.dup2(2, 1)
from nemo_text_processing.text_normalization.normalize import Normalizer
normalizer = Normalizer(input_case="cased", lang=job["lang"])
normalizer.normalize("1")
started = time.process_time()
lines = [normalizer.normalize(line) for line in job["lines"]]
json.dump({"seconds": time.process_time() - started, "lines": lines}, out)
"""


def plain(lang: str, root: Path | None, limit: int) -> list[str]:
    """Utterances without digits."""
    found: Iterable[str] = ()
    if root is not None and any((root / "massive").glob(f"{lang}-*.jsonl")):
        source = LabelSource(path=str(root / "massive"), format="massive", languages=(lang,))
        found = (one.text for partition, one in read_labelled(source) if partition == "train")
    else:
        found = (one.text for one in utterances(lang, seed=0))
    return list(islice((text for text in found if not any(c.isdigit() for c in text)), limit))


def cases(lang: str, root: Path | None) -> list[tuple[str, str]]:
    """Written and spoken of the text_norm collection, those made for this direction."""
    path = None if root is None else root / "text_norm" / "written_spoken.tsv"
    if path is None or not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [(r["written"], r["spoken"]) for r in rows if r["lang"] == lang and r["direction"] == "written-to-spoken"]


def numbers(lang: str, root: Path | None, limit: int) -> list[str]:
    """Lines with digits."""
    built_in = (text for text in sentences(lang, seed=0) if any(c.isdigit() for c in text))
    return [*islice(built_in, limit), *(written for written, _ in cases(lang, root))]


def speed(formatter: Formatter, lines: Sequence[str], turns: int = 3) -> float:
    """Lines per second of processor time, the best of several turns."""
    best = float("inf")
    for _ in range(turns):
        started = time.process_time()
        for line in lines:
            formatter(line)
        best = min(best, time.process_time() - started)
    return len(lines) / best


def growth(formatter: Formatter) -> tuple[float, str]:
    """The least speed kept by a line four times as long, and what it is made of."""
    kept = []
    for piece in DULL:
        short, long = (piece * (n // len(piece)) for n in (8_000, 32_000))
        kept.append((4 * speed(formatter, [long], 4) / speed(formatter, [short], 8), piece))
    return min(kept)


def accuracy(got: Sequence[str], wanted: Sequence[str]) -> float:
    """Percent right after NFKC and casefolding, without white space, punctuation and symbols."""
    return 100 * sum(_letters(g) == _letters(w) for g, w in zip(got, wanted, strict=True)) / len(wanted)


def _letters(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if unicodedata.category(c)[0] not in "PZSC")


def beside(peer: str, lang: str, root: Path | None, limit: int) -> list[dict[str, object]]:
    """Both on the same cases, each once."""
    rows = cases(lang, root) or [(line, "") for line in numbers(lang, root, limit)]
    rows = rows[:: -(-len(rows) // limit)]
    written, wanted = [w for w, _ in rows], [s for _, s in rows]
    formatter = Formatter(lang)
    for line in islice(sentences(lang, seed=1), 1000):  # rules are compiled when first met
        formatter(line)
    started = time.process_time()
    ours = [formatter(line) for line in written]
    seconds = time.process_time() - started
    job = json.dumps({"lang": lang, "lines": written})
    done = json.loads(subprocess.run([peer, "-c", PEER], input=job, stdout=subprocess.PIPE, text=True, check=True).stdout)
    print(f"{lang}: {len(rows)} lines, ours {len(rows) / seconds:,.0f}/s, NeMo {len(rows) / done['seconds']:,.2f}/s", flush=True)
    claims = [
        claim(f"{lang}: ours", len(rows) / seconds, "lines/s"),
        claim(f"{lang}: NeMo", len(rows) / done["seconds"], "lines/s"),
        claim(f"{lang}: ratio", done["seconds"] / seconds, "x", 100.0),
    ]
    if any(wanted):
        claims += [
            claim(f"{lang}: ours, right", accuracy(ours, wanted), "%"),
            claim(f"{lang}: NeMo, right", accuracy(done["lines"], wanted), "%"),
        ]
    return claims


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", help="interpreter that has nemo_text_processing; without it ours alone is measured")
    parser.add_argument("--peer-lines", type=int, default=300, help="cases that the peer reads in each language")
    parser.add_argument("--lines", type=int, default=5000, help="lines of each kind and language")
    a = parser.parse_args()
    folder = os.environ.get("UNDERSTUDY_DATA")
    root = Path(folder) if folder else None
    claims = [one for lang in ("en", "de") for one in beside(a.peer, lang, root, a.peer_lines)] if a.peer else []
    for lang in LANGUAGES:
        formatter = Formatter(lang)
        quick, busy = (speed(formatter, lines) for lines in (plain(lang, root, a.lines), numbers(lang, root, a.lines)))
        kept, piece = growth(formatter)
        print(f"{lang}: {quick:9,.0f} plain, {busy:7,.0f} with numbers, growth {kept:.2f} ({piece!r})", flush=True)
        claims += [
            claim(f"{lang}: plain", quick, "utterances/s", 50_000),
            claim(f"{lang}: numbers", busy, "lines/s", 5_000),
            claim(f"{lang}: growth", kept, "x", 0.5),
        ]
    if not a.peer:
        print("no --peer: NeMo was not measured")
    finish("spoken", claims)


if __name__ == "__main__":
    main()
