"""How many CPU cores a process may use: those that it is bound to, and no more than its control groups pay for."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

DECIDES_NUMBERS = False

# Of version 2, "quota period" in microseconds or "max period"; of version 1 in two files, quota -1 for none.
V2, V1_QUOTA, V1_PERIOD = "cpu.max", "cpu.cfs_quota_us", "cpu.cfs_period_us"


def cores(root: Path = Path("/")) -> int:
    """CPU cores that this process may use, at least 1.

    A quota that is no whole number is rounded down: with the time of 1.5 cores, two busy threads are both stopped for a
    quarter of each period, and whoever waits for one of them waits that long, too.

    Args:
        root: where `/proc` and the control groups are mounted.
    """
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else multiprocessing.cpu_count()
    quotas = [quota for folder in _groups(root) if (quota := _quota(folder)) is not None]
    return max(1, min([bound, *map(int, quotas)]))


def _groups(root: Path) -> Iterator[Path]:
    """The folders of this process's control groups that limit its processor time, and of all groups around them."""
    paths: dict[str, PurePosixPath] = {}  # of the group, by what it controls; empty: version 2
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, group = line.split(":", 2)
        paths |= dict.fromkeys(controllers.split(","), PurePosixPath(group))
    for mounted, point, version_2 in _mounts(root):
        if (path := paths.get("" if version_2 else "cpu")) is None:
            continue
        # In a container the path may be the host's, of which only the part below its own group is to be seen here.
        inside = path.relative_to(mounted) if path.is_relative_to(mounted) else PurePosixPath()
        yield from (point / one for one in (inside, *inside.parents))


def _mounts(root: Path) -> Iterator[tuple[PurePosixPath, Path, bool]]:
    """Of each mounted tree of groups that may limit processor time: its top group, where it is, whether version 2."""
    for line in _lines(root / "proc/self/mountinfo"):
        before, _, after = line.partition(" - ")
        fields, (kind, _, options) = before.split(), after.split(maxsplit=2)
        if kind == "cgroup2" or (kind == "cgroup" and "cpu" in options.split(",")):
            yield PurePosixPath(fields[3]), root / fields[4].lstrip("/"), kind == "cgroup2"


def _quota(group: Path) -> float | None:
    """Cores' worth of processor time that a group may use; None without a limit."""
    try:
        if (group / V2).exists():
            quota, period = (group / V2).read_text().split()
        else:
            quota, period = ((group / name).read_text().strip() for name in (V1_QUOTA, V1_PERIOD))
        return None if quota == "max" or int(quota) < 0 else int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
