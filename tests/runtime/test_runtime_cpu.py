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
    assert available_cpus(cgroup=tmp_path, own=tmp_path / "none") == cpus


@pytest.mark.parametrize(("quota", "cpus"), [("100000", 1), ("-1", ALL)])
def test_quota_of_cgroup_1(tmp_path: Path, quota: str, cpus: int):
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(quota)
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000")
    assert available_cpus(cgroup=tmp_path, own=tmp_path / "none") == cpus


def test_without_cgroups_all_processors_count(tmp_path: Path):
    assert available_cpus(cgroup=tmp_path, own=tmp_path / "none") == ALL


@pytest.mark.parametrize(
    ("line", "quota"), [("0::/a.slice/b.service", "100000 100000"), ("4:cpu,cpuacct:/a.slice/b.service", None)]
)
@pytest.mark.parametrize("level", ["a.slice", "a.slice/b.service"])
def test_quotas_of_the_own_group_and_those_above_it_hold(tmp_path: Path, line: str, quota: str | None, level: str):
    (tmp_path / "own").write_text(f"7:memory:/elsewhere\n{line}\n")
    folder = tmp_path / level if quota else tmp_path / "cpu" / level
    folder.mkdir(parents=True)
    if quota:
        (folder / "cpu.max").write_text(quota)
    else:
        (folder / "cpu.cfs_quota_us").write_text("100000")
        (folder / "cpu.cfs_period_us").write_text("100000")
    assert available_cpus(cgroup=tmp_path, own=tmp_path / "own") == 1
