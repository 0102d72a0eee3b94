"""Making a corpus: ours beside Hugging Face `datasets`, speed and memory as the text grows.

    python benchmarks/corpus.py --peer PYTHON [--sizes 0.1 1 4] [--data FOLDER] [--map] [--shards]

PYTHON is an interpreter with `datasets` and this package. The text is the public text of UNDERSTUDY_DATA (else the built-in
world), written out until it has the size asked for in GB, a number at a random place in every repetition of a row. Both do the
same job on all cores with the same functions: clean the rows, hold some out by their hash, sample the languages, bring 70 % into
spoken form, count words, write parquet; ours as the corpus stage, theirs with `map(num_proc=)` and `filter`. That both end with the
same rows is checked. Memory is the sum over the processes of what each has for itself (Linux: anonymous memory), the highest of
samples ten times a second.
With --map also a single `map` that cleans, counts and speaks is timed, which holds nothing out and samples nothing; with --shards a
shards stage, and text to shards per core.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from understudy.limits import available_cpus

HERE = Path(__file__).resolve().parent
CORES = available_cpus()


def rows() -> list[tuple[str, str]]:
    """Text and language of the rows to be repeated, in an order by chance so that every part of the file is alike."""
    import pyarrow.parquet as pq

    from understudy.corpus.tinyworld import LOCALES, sentences

    root = Path(os.environ.get("UNDERSTUDY_DATA", "")) / "public"
    found: list[tuple[str, str]] = []
    for lang in sorted(LOCALES):
        if os.environ.get("UNDERSTUDY_DATA") and (root / f"{lang}.parquet").exists():
            texts = pq.read_table(root / f"{lang}.parquet", columns=["text"]).column(0).to_pylist()
            found += [(" ".join(text.split()), lang) for text in texts if text]
        else:
            found += [(text, lang) for text in islice(sentences(lang, seed=0), 5_000)]
    random.Random(0).shuffle(found)
    return found


def write_text(path: Path, size: int) -> None:
    """JSON lines of `size` bytes of text; no row comes twice."""
    base, chance, written, turn = rows(), random.Random(1), 0, 0
    with path.open("w", encoding="utf-8") as file:
        while written < size:
            for text, lang in base:
                if turn:
                    words = text.split(" ")
                    words.insert(chance.randrange(len(words) + 1), str(chance.randrange(10_000)))
                    text = " ".join(words)
                file.write(json.dumps({"text": text, "lang": lang}, ensure_ascii=False) + "\n")
                written += len(text.encode())
                if written >= size:
                    return
            turn += 1


def work_ours(text: Path, out: Path) -> None:
    """The corpus stage."""
    from understudy import artifact
    from understudy.config import parse
    from understudy.corpus.build import CorpusConfig, run

    config = parse(CorpusConfig, {"kind": "corpus", "sources": [{"path": str(text)}]}, where="benchmark")
    with artifact.writing(out / "corpus", kind="corpus", config=config.model_dump(mode="json")) as draft:
        run(config, {}, draft, seed=0)


def work_theirs(text: Path, out: Path) -> None:
    """The same rows with `datasets`."""
    import datasets
    import pyarrow.compute as pc

    from understudy.corpus.sampling import copies, is_spoken, normal, normal_key, sampled_counts
    from understudy.text.spoken import spoken
    from understudy.text.words import word_count

    def read(batch: dict[str, list[str]]) -> dict[str, list[object]]:
        texts = [" ".join(text.split()) for text in batch["text"]]
        forms = [normal(text) for text in texts]
        return {"text": texts, "key": [normal_key(form) for form in forms], "whole": [bool(form) for form in forms]}

    def choose(batch: dict[str, list[str]], numbers: list[int]) -> dict[str, list[object]]:
        names = [f"{number + 1}\n{text}" for number, text in zip(numbers, batch["text"], strict=True)]
        held = [key < bounds[lang] for key, lang in zip(batch["key"], batch["lang"], strict=True)]
        times = [
            1 if is_held else copies(rates[lang], seed=0, key=name)
            for is_held, lang, name in zip(held, batch["lang"], names, strict=True)
        ]
        said = [
            spoken(text, lang) if n and is_spoken(0.7, seed=0, key=name) else text
            for text, lang, n, name in zip(batch["text"], batch["lang"], times, names, strict=True)
        ]
        return {"text": said, "held": held, "count": times, "words": [word_count(text) for text in said]}

    rows = datasets.load_dataset("json", data_files=str(text), split="train", cache_dir=str(out / "cache"))
    rows = rows.map(read, batched=True, num_proc=CORES)
    if not pc.all(rows.data["whole"]).as_py():
        rows = rows.filter(lambda whole: whole, batched=True, input_columns=["whole"], num_proc=CORES).flatten_indices()
    langs, keys = rows.data["lang"], rows.data["key"]  # memory-mapped
    of_lang = {str(lang): keys.filter(pc.equal(langs, lang)).to_numpy() for lang in langs.unique()}
    bounds = {lang: min(0.01, 2000 / len(found)) for lang, found in of_lang.items()}
    kept = {lang: int((found >= bounds[lang]).sum()) for lang, found in sorted(of_lang.items())}
    rates = sampled_counts(kept, alpha=0.5)
    rows = rows.map(choose, batched=True, with_indices=True, num_proc=CORES)
    train = rows.filter(lambda held, n: [not h and m > 0 for h, m in zip(held, n, strict=True)], batched=True,
                        input_columns=["held", "count"], num_proc=CORES)  # fmt: skip
    valid = rows.filter(lambda held: held, batched=True, input_columns=["held"], num_proc=CORES)
    train.select_columns(["text", "lang", "count"]).to_parquet(str(out / "train.parquet"))
    valid.select_columns(["text", "lang", "count"]).to_parquet(str(out / "valid.parquet"))


def work_map(text: Path, out: Path) -> None:
    """Cleaning, counting and speaking alone, in one `map` of `datasets`."""
    import datasets

    from understudy.corpus.sampling import is_spoken
    from understudy.text.spoken import spoken
    from understudy.text.words import word_count

    def step(batch: dict[str, list[str]], numbers: list[int]) -> dict[str, list[object]]:
        texts = [" ".join(t.split()) for t in batch["text"]]
        chosen = [is_spoken(0.7, seed=0, key=str(n)) for n in numbers]
        said = [spoken(t, lang) if c else t for t, lang, c in zip(texts, batch["lang"], chosen, strict=True)]
        return {"text": said, "lang": batch["lang"], "words": [word_count(t) for t in said]}

    data = datasets.load_dataset("json", data_files=str(text), split="train", cache_dir=str(out / "cache"))
    data = data.map(step, batched=True, with_indices=True, num_proc=CORES)
    data.to_parquet(str(out / "map.parquet"))


def same_rows(ours: Path, theirs: Path) -> bool:
    """Whether the training text of both is the same, in its order."""
    import pyarrow.parquet as pq

    def digest(path: Path) -> str:
        found = hashlib.sha256()
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(columns=["text", "lang", "count"]):
                for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                    found.update(repr(row).encode())
        return found.hexdigest()

    return digest(ours) == digest(theirs)


def work_shards(corpus: Path, tokenizer: Path, out: Path) -> None:
    """The shards stage, packed to 700 words."""
    from understudy import artifact
    from understudy.corpus.shards import ShardsConfig, run

    table = {"tokenizer": str(tokenizer), "mix": [{"corpus": str(corpus), "pack_words": 700}], "max_length": 1024}
    config = ShardsConfig.model_validate(table)
    inputs = {str(path): artifact.open(path) for path in (corpus, tokenizer)}
    with artifact.writing(out / "shards", kind="shards", config={}, parents=inputs) as draft:
        run(config, inputs, draft, seed=0)


def make_tokenizer(corpus: Path, out: Path) -> Path:
    from understudy import artifact
    from understudy.tokenizer.train import TokenizerConfig, run

    table = {"corpus": str(corpus), "vocab_size": 16_000, "kanji": False, "sample_characters": 5_000_000}
    with artifact.writing(out / "tokenizer", kind="tokenizer", config={}) as draft:
        run(TokenizerConfig.model_validate(table), {str(corpus): artifact.open(corpus)}, draft, seed=0)
    return out / "tokenizer"


def family(pid: int) -> Iterator[int]:
    """A process and all below it."""
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            yield from family(int(child))


def own_memory(pid: int) -> int:
    """Anonymous memory of a process and all below it, in bytes."""
    total = 0
    for one in family(pid):
        for line in Path(f"/proc/{one}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                total += int(line.split()[1]) * 1024
    return total


class Cost(NamedTuple):
    """What some work took: seconds on the clock and of all processors, and the highest memory in MB."""

    seconds: float
    processor: float
    peak: float

    def row(self, size: float, who: str) -> str:
        return f"{size:5g} {who:>9} {self.seconds:9.1f} {size * 1e3 / self.seconds:7.2f} {self.processor:9.1f} {self.peak:8.0f}"


def measure(python: str, *arguments: str) -> Cost:
    """The cost of this script's `arguments` in a process of its own."""
    started, before = time.perf_counter(), os.times()
    quiet = {**os.environ, "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
    process = subprocess.Popen([python, __file__, "--work", *arguments], cwd=HERE.parent, stdout=subprocess.DEVNULL, env=quiet)
    highest, over = 0, threading.Event()

    def watch() -> None:
        nonlocal highest
        while not over.wait(0.1):
            try:
                highest = max(highest, own_memory(process.pid))
            except (FileNotFoundError, ProcessLookupError):
                continue  # a process ended while it was looked at

    watcher = threading.Thread(target=watch)
    watcher.start()
    code = process.wait()
    over.set()
    watcher.join()
    if code:
        raise SystemExit(f"{' '.join(arguments)} ended with {code}")
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return Cost(time.perf_counter() - started, spent, highest / 1e6)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=float, nargs="+", default=[0.1, 1, 4], help="GB of text")
    parser.add_argument("--peer", help="interpreter that has `datasets` and this package")
    parser.add_argument("--data", help="folder to work in; four times the largest size must fit")
    parser.add_argument("--map", action="store_true")
    parser.add_argument("--shards", action="store_true")
    parser.add_argument("--work", nargs="+", help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.work:
        works = {"ours": work_ours, "theirs": work_theirs, "map": work_map, "shards": work_shards}
        works[a.work[0]](*map(Path, a.work[1:]))
        return
    from common import claim, finish

    if a.data:
        Path(a.data).mkdir(parents=True, exist_ok=True)
    claims: list[dict[str, object]] = []
    costs: dict[float, Cost] = {}
    print(f"{'GB':>5} {'':>9} {'seconds':>9} {'MB/s':>7} {'cpu s':>9} {'peak MB':>8}", flush=True)
    for size in a.sizes:
        with tempfile.TemporaryDirectory(dir=a.data) as name:
            folder = Path(name)
            text, corpus = folder / "text.jsonl", folder / "corpus"
            write_text(text, int(size * 1e9))
            ours = costs[size] = measure(sys.executable, "ours", str(text), str(folder))
            print(ours.row(size, "ours"), flush=True)
            if a.peer:
                theirs = measure(a.peer, "theirs", str(text), str(folder))
                print(theirs.row(size, "datasets"), flush=True)
                claims.append(claim(f"ours / datasets at {size:g} GB", theirs.seconds / ours.seconds, "x", 1.0))
                same = same_rows(corpus / "train.parquet", folder / "train.parquet")
                claims.append(claim(f"same rows at {size:g} GB", float(same), "share", 1.0))
            if a.peer and a.map:
                print(measure(a.peer, "map", str(text), str(folder)).row(size, "one map"), flush=True)
            if a.shards:
                tokenizer = make_tokenizer(corpus, folder)
                shards = measure(sys.executable, "shards", str(corpus), str(tokenizer), str(folder))
                print(shards.row(size, "shards"), flush=True)
                both = size * 1e3 / (ours.seconds + shards.seconds) / CORES
                claims.append(claim(f"text to shards at {size:g} GB", both, "MB/s per core", 5.0))
    peaks, speeds = [cost.peak for cost in costs.values()], [size / cost.seconds for size, cost in costs.items()]
    if len(costs) > 1:
        claims.append(claim("least to most memory over sizes", min(peaks) / max(peaks), "share", 0.7))
        claims.append(claim("slowest to fastest over sizes", min(speeds) / max(speeds), "share", 0.8))
    finish("corpus", claims)


if __name__ == "__main__":
    main()
