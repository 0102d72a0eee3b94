"""Whether a vocabulary can be trained in the memory there is, judged before the work begins."""

from __future__ import annotations

import os
from pathlib import Path

from understudy.errors import RecipeError

__all__ = ["available_memory", "counting_bytes", "require_for_counting", "require_for_training", "training_bytes"]

CGROUP = Path("/sys/fs/cgroup")
MEMINFO = Path("/proc/meminfo")
MIB = 1 << 20

# Measured with benchmarks/vocabulary.py and rounded up; docs/tokenizer.md has the figures.
PER_COUNTED_WORD = 250  # bytes: the word and its count, as read and as normalised
PER_CHARACTER = 220  # bytes: suffix array, candidate pieces and their trie inside SentencePiece
PER_WORD = 150  # bytes: the word in SentencePiece, and its spelling


def counting_bytes(words: int) -> int:
    """Bytes that so many distinct words take while a sample is counted."""
    return words * PER_COUNTED_WORD


def training_bytes(words: int, characters: int) -> int:
    """Bytes SentencePiece's unigram training takes at most for so many distinct words of together so many characters.

    The size of the vocabulary plays no part: training begins with the same candidate pieces for every size.
    """
    return words * PER_WORD + characters * PER_CHARACTER


def require_for_counting(words: int) -> None:
    """Refuse to count up to `words` distinct words where they may not fit. Raises RecipeError with the estimate."""
    _require(counting_bytes(words), f"counting up to {words:,} distinct words")


def require_for_training(words: int, characters: int) -> None:
    """Refuse to train on so many distinct words where it may not fit. Raises RecipeError with the estimate."""
    _require(training_bytes(words, characters), f"training on {words:,} distinct words of {characters:,} characters")


def _require(needed: int, what: str) -> None:
    available = available_memory()
    if available is not None and needed > available:
        raise RecipeError(
            "the vocabulary's sample does not fit into memory",
            where="sample_characters",
            got=f"{what} takes up to {_mib(needed)}, {_mib(available)} are available",
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
