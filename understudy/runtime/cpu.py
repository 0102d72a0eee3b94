"""How many processors this process may really use."""

from __future__ import annotations

import math
import os
from pathlib import Path, PurePosixPath

__all__ = ["available_cpus"]

CGROUP = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")


def available_cpus(*, cgroup: Path = CGROUP, own: Path = OWN) -> int:
    """Processors this process may run on: the least of its affinity and its cgroups' quotas (v2 and v1), at least 1.

    A container limited to half a processor on a 64-core host sees 64 of them, and a thread each would make it crawl. Inside a
    container its own group is the root of `cgroup`; elsewhere (a systemd unit with CPUQuota) `own` names the group, and the
    quotas of those above it hold too.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = [quota for folder in _groups(cgroup, own) if (quota := _quota(folder)) is not None]
    return max(1, min([allowed, *map(math.ceil, quotas)]))


def _groups(cgroup: Path, own: Path) -> list[Path]:
    """Folders that may say a quota: of this process's groups and all above them."""
    found = [cgroup, cgroup / "cpu"]
    try:
        lines = own.read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:  # "0::/user.slice/x.service" in version 2, "4:cpu,cpuacct:/x" in version 1
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers and "cpu" not in controllers.split(","):
            continue
        folder = cgroup / "cpu" if controllers else cgroup
        for name in PurePosixPath(path).parts[1:]:
            folder = folder / name
            found.append(folder)
    return found


def _quota(folder: Path) -> float | None:
    """Processors' worth of time per period, None where there is no limit."""
    try:
        limit, period = (folder / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            limit = (folder / "cpu.cfs_quota_us").read_text().strip()
            period = (folder / "cpu.cfs_period_us").read_text().strip()
        except OSError:
            return None
    try:
        return int(limit) / int(period) if int(limit) > 0 else None
    except (ValueError, ZeroDivisionError):
        return None
