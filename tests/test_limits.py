"""Processors and memory under the limits of control groups, from small files like those of /proc and /sys/fs/cgroup."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from understudy.limits import available_cpus, available_memory, group_folders

ALL = len(os.sched_getaffinity(0))
FREE = 8000 * 1024  # bytes, of the machine below
UNLIMITED = 9223372036854771712  # as cgroup 1 says it


class Machine:
    """A folder with `proc` and `cgroup`, and what the functions say of it."""

    def __init__(self, root: Path) -> None:
        self.proc, self.cgroup = root / "proc", root / "cgroup"
        write(self.proc / "meminfo", "MemTotal:  9000 kB\nMemFree: 10 kB\nMemAvailable:    8000 kB\nHugePages_Total:   0\n")

    def own(self, *lines: str) -> None:
        """The groups this process is in."""
        write(self.proc / "self" / "cgroup", "".join(f"{line}\n" for line in lines))

    def memory(self, folder: str, limit: object, used: object, stat: str = "") -> None:
        """A group of cgroup 2."""
        write(self.cgroup / folder / "memory.max", f"{limit}\n")
        write(self.cgroup / folder / "memory.current", f"{used}\n")
        write(self.cgroup / folder / "memory.stat", stat)

    def memory_1(self, folder: str, limit: object, used: object, stat: str = "") -> None:
        """A group of cgroup 1."""
        write(self.cgroup / "memory" / folder / "memory.limit_in_bytes", f"{limit}\n")
        write(self.cgroup / "memory" / folder / "memory.usage_in_bytes", f"{used}\n")
        write(self.cgroup / "memory" / folder / "memory.stat", stat)

    def quota_1(self, folder: str, quota: str, period: str = "100000") -> None:
        write(self.cgroup / "cpu" / folder / "cpu.cfs_quota_us", f"{quota}\n")
        write(self.cgroup / "cpu" / folder / "cpu.cfs_period_us", f"{period}\n")

    @property
    def cpus(self) -> int:
        return available_cpus(proc=self.proc, cgroup=self.cgroup)

    @property
    def left(self) -> int | None:
        return available_memory(proc=self.proc, cgroup=self.cgroup)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_the_groups_of_a_controller_and_all_above_them(machine: Machine) -> None:
    machine.own("5:memory:/docker/x", "4:cpu,cpuacct:/a.slice/b.service", "3:cpuset:/c", "1:name=systemd:/d", "0::/u.slice/v")
    found = [
        path.relative_to(machine.cgroup).as_posix() for path in group_folders("cpu", proc=machine.proc, cgroup=machine.cgroup)
    ]
    assert found == [".", "cpu", "cpu/a.slice", "cpu/a.slice/b.service", "u.slice", "u.slice/v"]


def test_lines_that_make_no_sense_name_no_group(machine: Machine) -> None:
    machine.own("", "nonsense", "4:cpu", "0::")
    assert group_folders("cpu", proc=machine.proc, cgroup=machine.cgroup) == [machine.cgroup, machine.cgroup / "cpu"]


@pytest.mark.parametrize(
    ("content", "cpus"),
    [
        ("50000 100000", 1),
        ("100000 100000", 1),
        ("9900000 100000", ALL),
        ("max 100000", ALL),
        ("max", ALL),
        ("50000 0", ALL),
        ("nonsense", ALL),
        ("", ALL),
    ],
)
def test_quota_of_cgroup_2(machine: Machine, content: str, cpus: int) -> None:
    write(machine.cgroup / "cpu.max", content)
    assert machine.cpus == cpus


def test_two_and_a_half_processors_are_three(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    write(machine.cgroup / "cpu.max", "250000 100000")
    assert machine.cpus == 3


@pytest.mark.parametrize(("quota", "cpus"), [("50000", 1), ("100000", 1), ("-1", ALL), ("0", ALL), ("many", ALL)])
def test_quota_of_cgroup_1(machine: Machine, quota: str, cpus: int) -> None:
    machine.quota_1("", quota)
    assert machine.cpus == cpus


@pytest.mark.parametrize("line", ["0::/a.slice/b.service", "4:cpu,cpuacct:/a.slice/b.service"])
@pytest.mark.parametrize("level", ["a.slice", "a.slice/b.service"])
def test_quotas_of_the_own_group_and_those_above_it_hold(machine: Machine, line: str, level: str) -> None:
    machine.own("7:memory:/elsewhere", line)
    if line.startswith("0::"):
        write(machine.cgroup / "a.slice/b.service" / "cpu.max", "max 100000")
        write(machine.cgroup / level / "cpu.max", "100000 100000")
    else:
        machine.quota_1("a.slice/b.service", "-1")
        machine.quota_1(level, "100000")
    assert machine.cpus == 1


def test_a_quota_of_others_does_not_hold(machine: Machine) -> None:
    machine.own("0::/a.slice/b.service")
    write(machine.cgroup / "a.slice/other.service" / "cpu.max", "100000 100000")
    assert machine.cpus == ALL


def test_without_groups_the_machine_counts(machine: Machine) -> None:
    assert machine.cpus == ALL
    assert machine.left == FREE


def test_limits_that_are_none(machine: Machine) -> None:
    machine.memory("", "max", 77)
    machine.memory_1("", UNLIMITED, 77)
    assert machine.left == FREE
    machine.memory_1("", -1, 77)
    assert machine.left == FREE


def test_a_limit_above_what_the_machine_has_free(machine: Machine) -> None:
    machine.memory("", FREE + 1_000_001, 1_000_000)
    assert machine.left == FREE


def test_a_limit_counts_without_the_files_it_caches(machine: Machine) -> None:
    machine.memory("", 1_000_000, 700_000)
    assert machine.left == 300_000
    machine.memory("", 1_000_000, 700_000, "anon 5\ninactive_file 200000\nactive_file 30000\nfile 240000\n")
    assert machine.left == 530_000


def test_the_older_kind_of_group_counts_too(machine: Machine) -> None:
    machine.memory_1("", 1_000_000, 700_000, "inactive_file 1\ntotal_inactive_file 200000\ntotal_active_file 30000\n")
    assert machine.left == 530_000
    machine.memory_1("", 1_000_000, 1_700_000)
    assert machine.left == 0


@pytest.mark.parametrize(("own", "above", "left"), [(900, 5_000, 400), ("max", 5_000, 2_000), (9_000, 5_000, 2_000)])
@pytest.mark.parametrize("kind", [1, 2])
def test_the_tightest_of_the_own_group_and_those_above_it(
    machine: Machine, kind: int, own: int | str, above: int, left: int
) -> None:
    """What others in the same slice use is used there too: 3,000 bytes of 5,000, of which 500 are this process's."""
    machine.own("4:cpu:/elsewhere", f"{'7:memory' if kind == 1 else '0:'}:/a.slice/b.service")
    put = machine.memory_1 if kind == 1 else machine.memory
    put("a.slice/b.service", UNLIMITED if kind == 1 and own == "max" else own, 500)
    put("a.slice", above, 3_000)
    put("a.slice/other.service", 10, 10)
    assert machine.left == left


def test_a_container_whose_group_has_the_name_it_has_outside(machine: Machine) -> None:
    machine.own("7:memory:/docker/0123")
    machine.memory_1("", 1_000_000, 400_000)
    assert machine.left == 600_000


@pytest.mark.parametrize(("limit", "used"), [(1_000_000, "many"), ("nonsense", 5), (1_000_000, ""), ("", 5)])
def test_a_broken_file_is_no_limit(machine: Machine, limit: object, used: object) -> None:
    machine.memory("", limit, used)
    assert machine.left == FREE


def test_files_that_cannot_be_read_are_no_limit(machine: Machine) -> None:
    machine.memory("", 1_000_000, 5)
    (machine.cgroup / "memory.current").unlink()
    (machine.cgroup / "memory.current").mkdir()  # reading a folder fails for root too
    (machine.cgroup / "cpu.max").mkdir()
    (machine.proc / "self" / "cgroup").mkdir(parents=True)
    assert machine.left == FREE
    assert machine.cpus == ALL


def test_counters_that_are_not_told_are_nothing(machine: Machine) -> None:
    machine.memory("", 1_000_000, 400_000, "inactive_file\nactive_file many\n\nfile 7\n")
    assert machine.left == 600_000
    (machine.cgroup / "memory.stat").write_bytes(b"\xff\xfe 3\n")
    assert machine.left == 600_000


@pytest.mark.parametrize("content", ["", "MemFree: 10 kB\n", "MemAvailable: many kB\n"])
def test_a_system_that_does_not_tell_what_is_free(machine: Machine, content: str) -> None:
    half = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    (machine.proc / "meminfo").write_text(content)
    assert machine.left == half
    machine.memory("", 1_000_000, 400_000)
    assert machine.left == 600_000


def test_a_system_that_tells_nothing(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    (machine.proc / "meminfo").unlink()
    monkeypatch.setattr(os, "sysconf_names", {})
    assert machine.left is None


def test_this_machine_says_something() -> None:
    assert 1 <= available_cpus() <= ALL
    assert (available_memory() or 0) > 0
