"""How many processors this process may really use."""

from __future__ import annotations

import math
import os
from pathlib import Path

__all__ = ["available_cpus"]

CGROUP = Path("/sys/fs/cgroup")


def available_cpus(*, cgroup: Path = CGROUP) -> int:
    """Processors this process may run on: the least of its affinity and its cgroup's quota (v2 and v1), at least 1.

    A container limited to half a processor on a 64-core host sees 64 of them, and a thread each would make it crawl.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota(cgroup)
    return max(1, min(allowed, math.ceil(quota)) if quota is not None else allowed)


def _quota(cgroup: Path) -> float | None:
    """Processors' worth of time per period, None where there is no limit."""
    try:
        limit, period = (cgroup / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            limit = (cgroup / "cpu" / "cpu.cfs_quota_us").read_text().strip()
            period = (cgroup / "cpu" / "cpu.cfs_period_us").read_text().strip()
        except OSError:
            return None
    try:
        return int(limit) / int(period) if int(limit) > 0 else None
    except (ValueError, ZeroDivisionError):
        return None
