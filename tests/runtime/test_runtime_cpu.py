"""Processors under a container's quota."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from understudy.runtime.cpu import available_cpus

ALL = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("content", "cpus"),
    [("50000 100000", 1), ("100000 100000", 1), ("max 100000", ALL), ("nonsense", ALL), ("9900000 100000", ALL)],
)
def test_quota_of_cgroup_2(tmp_path: Path, content: str, cpus: int):
    (tmp_path / "cpu.max").write_text(content)
    assert available_cpus(cgroup=tmp_path) == cpus


@pytest.mark.parametrize(("quota", "cpus"), [("100000", 1), ("-1", ALL)])
def test_quota_of_cgroup_1(tmp_path: Path, quota: str, cpus: int):
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(quota)
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000")
    assert available_cpus(cgroup=tmp_path) == cpus


def test_without_cgroups_all_processors_count(tmp_path: Path):
    assert available_cpus(cgroup=tmp_path) == ALL
