"""Resident memory of a server while very many requests of mixed lengths go through it.

    python benchmarks/soak.py [--requests 1000000 --clients 32 --model student-17m --vocab 16000] [--runtime DIR]

The first tenth warms it up: caches fill, allocators find their size. From then on memory is read after every tenth of the requests;
it may grow by 5 %.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from pathlib import Path

import torch
from common import claim, finish, texts
from serve import ask, exported, random_nlu, running

ROUNDS = 10


def resident(pid: int) -> float:
    """MiB that a process has in memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024


def mixed(utterances: list[str]) -> list[str]:
    """The utterances, some of them put together up to many words, and words that nobody has ever said."""
    generator = random.Random(0)
    long = [" ".join(generator.choices(utterances, k=generator.choice((2, 4, 16)))) for _ in utterances]
    strange = ["".join(generator.choices("abcdefghijklmnopqrstuvwxyz ", k=generator.randint(3, 200))) or "a" for _ in utterances]
    found = [text[:2000] for text in (*utterances, *long, *strange) if text.strip()]
    generator.shuffle(found)
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--model", default="student-17m")
    parser.add_argument("--vocab", type=int, default=16_000)
    parser.add_argument("--runtime", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    _, utterances = texts(limit=1000)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / "texts.json"
        file.write_text(json.dumps(mixed(utterances)))
        runtime = args.runtime or exported(
            random_nlu(folder, utterances, model=args.model, vocab=args.vocab), folder / "runtime", "int8"
        )
        sizes: list[float] = []
        done, lost = 0, 0
        with running(
            [sys.executable, "-m", "understudy", "serve", "--model", str(runtime), "--port", "0", "limits.wait_ms=60000"]
        ) as (process, port):
            while len(sizes) < ROUNDS:
                result = ask(port, file, 3600, clients=args.clients, requests=args.requests // ROUNDS)
                done += result["statuses"].get("200", 0)
                lost += result["sent"] - result["statuses"].get("200", 0)
                sizes.append(resident(process.pid))
                print(f"{done:9,} requests  {sizes[-1]:8.1f} MiB", flush=True)
    growth = 100 * (max(sizes[1:]) / sizes[0] - 1)
    finish(
        "soak",
        [
            claim("requests answered", done, "requests"),
            claim("lost or refused", -lost, "requests, negative", 0),
            claim("memory after the first tenth", sizes[0], "MiB"),
            claim("growth from then on, below 5 %", 5 - growth, "% to spare", 0),
        ],
    )


if __name__ == "__main__":
    main()
