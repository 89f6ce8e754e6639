"""How many cores a process may use, by control groups as they are written on machines of several kinds."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from ablate.system.quotas import cores

V2_MOUNT = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
V1_MOUNT = "31 30 0:29 {top} /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct\n"


@pytest.fixture(autouse=True)
def _eight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)


def machine(root: Path, groups: str, mounts: str, files: Mapping[str, str]) -> Path:
    """A root folder with what the system would show there."""
    contents = {"proc/self/cgroup": groups, "proc/self/mountinfo": mounts, **files}
    for name, text in contents.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize(
    ("limit", "count"),
    [
        ("max 100000", 8),
        ("200000 100000", 2),
        ("50000 25000", 2),
        ("250000 100000", 2),
        ("20000 100000", 1),
        ("1600000 100000", 8),
        ("nonsense", 8),
        ("100000 0", 8),
        ("", 8),
    ],
)
def test_a_quota_of_version_2(limit: str, count: int, tmp_path: Path) -> None:
    assert cores(machine(tmp_path, "0::/\n", V2_MOUNT, {"sys/fs/cgroup/cpu.max": f"{limit}\n"})) == count


@pytest.mark.parametrize(
    ("inner", "outer", "count"), [("max", "300000", 3), ("200000", "300000", 2), ("max", "max", 8)]
)
def test_the_groups_around_count_too(inner: str, outer: str, count: int, tmp_path: Path) -> None:
    files = {
        "sys/fs/cgroup/jobs/mine/cpu.max": f"{inner} 100000\n",
        "sys/fs/cgroup/jobs/cpu.max": f"{outer} 100000\n",
        "sys/fs/cgroup/others/cpu.max": "100000 100000\n",
    }
    assert cores(machine(tmp_path, "0::/jobs/mine\n", V2_MOUNT, files)) == count


@pytest.mark.parametrize(("quota", "count"), [("-1", 8), ("300000", 3), ("150000", 1)])
@pytest.mark.parametrize(
    ("top", "group", "place"),
    [
        ("/", "/docker/abc", "docker/abc/"),
        ("/docker/abc", "/docker/abc", ""),  # a container sees its own group alone, under the host's name
        ("/", "/not/to/be/seen", ""),
    ],
)
def test_a_quota_of_version_1(quota: str, count: int, top: str, group: str, place: str, tmp_path: Path) -> None:
    folder = f"sys/fs/cgroup/cpu,cpuacct/{place}"
    files = {f"{folder}cpu.cfs_quota_us": f"{quota}\n", f"{folder}cpu.cfs_period_us": "100000\n"}
    groups = f"4:cpu,cpuacct:{group}\n3:memory:/other\n0::/\n"
    assert cores(machine(tmp_path, groups, V1_MOUNT.format(top=top), files)) == count


def test_where_there_are_no_groups_the_cores_that_it_is_bound_to_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cores(tmp_path) == 8
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3}, raising=False)
    assert cores(tmp_path) == 1
