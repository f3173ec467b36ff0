"""What this machine has for a run: the memory that workers share, the room on a disk. Only looks; imports no Dask."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

__all__ = ["DISMISSED_AT", "FreeRoom", "free_memory_bytes", "free_room", "memory_bytes", "worker_share_bytes"]

_SHARE_OF_MEMORY = 0.9

DISMISSED_AT = 0.95
"""Part of its memory limit at which a worker is killed."""

_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUPS = Path("/proc/self/cgroup")


@dataclass(frozen=True, slots=True)
class FreeRoom:
    """What is free on the file system of `folder`, the nearest one that exists; `files` is None where it sets no limit.

    A quota is not seen: no system call tells of all kinds of them.
    """

    folder: Path
    bytes: int
    files: int | None


def memory_bytes() -> int:
    """The memory that the processes of this user may share: the machine's, or less where a control group says so."""
    limits = [psutil.virtual_memory().total, *_cgroup_limits()]
    hard = resource.getrlimit(resource.RLIMIT_RSS)[1]
    if hard > 0:  # RLIM_INFINITY is negative
        limits.append(hard)
    return min(limits)


def free_memory_bytes() -> int:
    """The memory that could be had at this moment, whoever else is at work here."""
    return min(psutil.virtual_memory().available, memory_bytes())


def worker_share_bytes(workers: int) -> int:
    """What each of so many workers may use, where nobody has set a limit."""
    return int(memory_bytes() * _SHARE_OF_MEMORY / workers)


def free_room(path: Path) -> FreeRoom:
    """What is free where `path` lies or would lie; raises `OSError`."""
    path = path.absolute()
    folder = next(place for place in (path, *path.parents) if place.exists())
    told = os.statvfs(folder)
    return FreeRoom(folder, told.f_bavail * told.f_frsize, told.f_favail if told.f_files else None)


def _cgroup_limits(cgroups: Path = _CGROUPS, own: Path = _OWN_CGROUPS) -> Iterator[int]:
    """The memory limits of the control groups that this process is in, those above them included; of versions 1 and 2.

    In a container the group's own path may not be visible; what is, is looked at.
    """
    try:
        lines = own.read_text().splitlines()
    except OSError:  # not Linux
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            tree, file = cgroups, "memory.max"
        elif "memory" in controllers.split(","):
            tree, file = cgroups / "memory", "memory.limit_in_bytes"
        else:
            continue
        group = tree / path.lstrip("/")
        for place in (group, *group.parents):
            if not place.is_relative_to(tree):
                break
            try:
                yield int((place / file).read_text())
            except (OSError, ValueError):  # absent, or `max`
                continue
