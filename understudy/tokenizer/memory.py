"""Whether a vocabulary can be trained in the memory there is, judged before the work begins."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from understudy.errors import RecipeError

__all__ = ["available_memory", "require_for_sample", "require_for_training", "sample_bytes", "training_bytes"]

CGROUP = Path("/sys/fs/cgroup")
MEMINFO = Path("/proc/meminfo")
MIB = 1 << 20

# Measured and rounded up; docs/tokenizer.md has the figures.
LEAST = 192 * MIB  # reading the corpus, and what does not grow
PER_SAMPLED = 36  # bytes per character of the sample: counting it and training on it, for text of several languages
PER_OCCURRENCE = 24  # bytes per character of text inside SentencePiece, which lays out each word as often as it occurs
PER_DISTINCT = 45  # bytes per UTF-8 byte of distinct words: the words, candidate pieces and where these occur


def sample_bytes(characters: int) -> int:
    """Bytes that a vocabulary from a sample of so many characters takes, as far as can be told before it is read."""
    return LEAST + characters * PER_SAMPLED


def training_bytes(counts: Mapping[str, int]) -> int:
    """Bytes SentencePiece's unigram training takes at most for distinct words and their counts.

    The size of the vocabulary plays no part: training begins with the same candidate pieces for every size. SentencePiece
    puts "▁" before each word and takes words that occur once twice.
    """
    laid_out = sum((len(word) + 1) * max(2, count) for word, count in counts.items())
    distinct = sum(len(word.encode()) + len("▁".encode()) for word in counts)
    return LEAST + laid_out * PER_OCCURRENCE + distinct * PER_DISTINCT


def require_for_sample(characters: int) -> None:
    """Refuse, before anything is read, a sample that would not fit. Raises RecipeError with the estimate."""
    _require(sample_bytes(characters), f"a vocabulary from {characters:,} characters")


def require_for_training(counts: Mapping[str, int]) -> None:
    """Refuse to train on words that would not fit. Raises RecipeError with the estimate."""
    _require(training_bytes(counts), f"training on {len(counts):,} distinct words")


def _require(needed: int, what: str) -> None:
    available = available_memory()
    if available is not None and needed > available:
        raise RecipeError(
            "the vocabulary's sample does not fit into memory",
            where="sample_characters",
            got=f"{what} takes about {_mib(needed)}, {_mib(available)} are available",
            hint="Lower sample_characters, or train where there is more memory",
        )


def _mib(size: int) -> str:
    return f"{-(-size // MIB):,} MiB"


def available_memory(*, cgroup: Path = CGROUP, meminfo: Path = MEMINFO) -> int | None:
    """Bytes this process may still take: the least of what the machine has free and what its cgroup (v2 or v1) leaves.

    Pages that only cache files count as free in both. None where the system tells neither.
    """
    known = [size for size in (_machine(meminfo), _cgroup(cgroup)) if size is not None]
    return min(known) if known else None


def _machine(meminfo: Path) -> int | None:
    try:
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:  # not Linux: half of what the machine has
        names = getattr(os, "sysconf_names", {})
        if "SC_PHYS_PAGES" in names:
            return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    return None


def _cgroup(root: Path) -> int | None:
    for limit, usage, cache in (
        (root / "memory.max", root / "memory.current", "inactive_file"),
        (root / "memory" / "memory.limit_in_bytes", root / "memory" / "memory.usage_in_bytes", "total_inactive_file"),
    ):
        try:
            allowed, used = limit.read_text().strip(), int(usage.read_text())
        except (OSError, ValueError):
            continue
        return max(0, int(allowed) - used + _counter(limit.parent / "memory.stat", cache)) if allowed.isdigit() else None
    return None


def _counter(stat: Path, name: str) -> int:
    """A counter of a cgroup's `memory.stat`, 0 where it is not told."""
    try:
        counters = dict(line.split() for line in stat.read_text().splitlines())
    except (OSError, ValueError):
        return 0
    return int(counters.get(name, 0))
