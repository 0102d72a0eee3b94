"""How much of this machine this process may use: processors and memory.

A container or a systemd unit sees the whole host: its processors, its free memory. What it may take of them stands in its
control groups, and in those above them, whose limits hold too.
"""

from __future__ import annotations

import math
import os
from pathlib import Path, PurePosixPath

__all__ = ["available_cpus", "available_memory", "group_folders"]

PROC = Path("/proc")
CGROUP = Path("/sys/fs/cgroup")
MEMORY = (  # limit, usage and the cached files within it, as cgroup 2 and cgroup 1 call them
    ("memory.max", "memory.current", ("inactive_file", "active_file")),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", ("total_inactive_file", "total_active_file")),
)


def available_cpus(*, proc: Path = PROC, cgroup: Path = CGROUP) -> int:
    """Processors this process may run on: the least of its affinity and its groups' quotas rounded up, at least 1.

    A container limited to half a processor on a 64-core host sees 64 of them, and a thread each would make it crawl.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = [quota for folder in group_folders("cpu", proc=proc, cgroup=cgroup) if (quota := _quota(folder)) is not None]
    return max(1, min([allowed, *map(math.ceil, quotas)]))


def available_memory(*, proc: Path = PROC, cgroup: Path = CGROUP) -> int | None:
    """Bytes this process may still take: the least of what the machine has free and what each of its groups leaves.

    Pages that only cache files count as free in all of them. None where the system tells nothing.
    """
    left = [_left(folder) for folder in group_folders("memory", proc=proc, cgroup=cgroup)]
    return min((size for size in [_machine(proc), *left] if size is not None), default=None)


def group_folders(controller: str, *, proc: Path = PROC, cgroup: Path = CGROUP) -> list[Path]:
    """Folders that may hold the limits of a controller ("cpu", "memory"): this process's groups and all above them.

    They need not exist. The roots are always among them: a container's own group is mounted there, under whatever name
    /proc/self/cgroup gives it. A controller is in cgroup 2 or in a hierarchy of its own in cgroup 1.
    """
    roots = {"": cgroup, controller: cgroup / controller}
    found = list(roots.values())
    for line in _read(proc / "self" / "cgroup").splitlines():  # "0::/user.slice/x.service", "4:cpu,cpuacct:/x" in cgroup 1
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        for folder in (roots[name] for name in controllers.split(",") if name in roots):
            for part in PurePosixPath(path).parts[1:]:
                folder /= part
                found.append(folder)
    return found


def _quota(folder: Path) -> float | None:
    """Processors' worth of time per period, None where there is no limit."""
    said = _read(folder / "cpu.max") or f"{_read(folder / 'cpu.cfs_quota_us')} {_read(folder / 'cpu.cfs_period_us')}"
    try:
        limit, period = map(int, said.split())
    except ValueError:  # "max 100000", or nothing
        return None
    return limit / period if limit > 0 and period > 0 else None  # -1 is no limit in cgroup 1


def _machine(proc: Path) -> int | None:
    free = _counters(proc / "meminfo").get("MemAvailable:")
    if free is not None:
        return free * 1024
    names = getattr(os, "sysconf_names", {})  # not Linux: half of what the machine has
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2 if "SC_PHYS_PAGES" in names else None


def _left(folder: Path) -> int | None:
    """Bytes a group may still take, None where it has no limit or does not say."""
    for limit, usage, cached in MEMORY:
        try:
            allowed, used = int(_read(folder / limit)), int(_read(folder / usage))
        except ValueError:  # "max", or nothing
            continue
        if allowed < 0:
            return None
        counters = _counters(folder / "memory.stat")
        return max(0, allowed - used + sum(counters.get(name, 0) for name in cached))
    return None


def _counters(path: Path) -> dict[str, int]:
    """The numbers of a file with a name and a number on each line, and maybe a unit."""
    rows = [line.split() for line in _read(path).splitlines()]
    return {row[0]: int(row[1]) for row in rows if len(row) > 1 and row[1].isdecimal()}


def _read(path: Path) -> str:
    """A file's text, empty where it is missing or cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
