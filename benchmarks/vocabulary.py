"""Time and memory of training a vocabulary, beside the memory estimated before.

Each size of sample is read and trained in a process of its own, whose highest memory is taken less what its imports took.

    python benchmarks/vocabulary.py CORPUS 1000000:8000 10000000:32000 100000000:150000    # characters:ids
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from pathlib import Path

from common import claim, finish

from understudy.tokenizer.memory import MIB, sample_bytes, training_bytes
from understudy.tokenizer.pieces import ALWAYS, KANJI_AND_KANA, train_pieces
from understudy.tokenizer.sample import sample_words


def peak() -> int:
    """Highest memory of this process so far, in bytes (Linux counts in KiB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def measure(train: Path, characters: int, vocab_size: int) -> None:
    """Print one line: characters read, pieces, seconds, bytes taken, bytes estimated before reading and before training."""
    before, started = peak(), time.monotonic()
    sample = sample_words([train], characters_wanted=characters, seed=0)
    read = time.monotonic() - started
    pieces = train_pieces(sample, vocab_size=vocab_size, guaranteed=ALWAYS | KANJI_AND_KANA)
    seconds = time.monotonic() - started
    estimates = sample_bytes(sample.characters), training_bytes(sample.words)
    print(sample.characters, len(sample.words), len(pieces), round(read), round(seconds), peak() - before, *estimates)


def main(corpus: Path, samples: list[str]) -> None:
    """Measure each of `samples`, written CHARACTERS:IDS."""
    claims = []
    for sample in samples:
        command = [sys.executable, __file__, "--one", str(corpus / "train.parquet"), *sample.split(":")]
        line = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        characters, words, pieces, read, seconds, taken, first, second = map(int, line.split())
        print(
            f"{characters:,} characters, {words:,} words -> {pieces:,} pieces: {read} s to read, {seconds} s in all, "
            f"{taken // MIB:,} MiB taken, {first // MIB:,} and {second // MIB:,} MiB estimated",
            flush=True,
        )
        claims += [
            claim(f"{sample}: seconds", seconds, "s"),
            claim(f"{sample}: memory", taken / MIB, "MiB"),
            claim(f"{sample}: estimate before reading / memory", first / taken, "ratio", 1.0),
        ]
    finish("vocabulary", claims)


if __name__ == "__main__":
    if sys.argv[1] == "--one":
        measure(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
    else:
        main(Path(sys.argv[1]), sys.argv[2:])
