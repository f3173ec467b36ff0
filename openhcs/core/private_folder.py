"""A folder of a runner's own under the system's temporary one: its sockets and Dask's files.

A runner that is killed leaves its folder. The next one removes it, by a lock that every living runner holds on a file
in its folder: only folders of this user that have such a file which nobody holds are removed.

Checked by tests/core/test_private_folder.py.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["private_folder", "remove_abandoned_folders"]

_PREFIX = "openhcs-"
_LOCK = "alive"
_LONGEST_SOCKET_PATH = 100
_LONGEST_SOCKET_NAME = len("/pymp-12345678/listener-12345678")


@contextmanager
def private_folder() -> Iterator[Path]:
    """A new folder that only this user can enter, with a path short enough for sockets; removed after the block."""
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    if len(str(folder)) > _LONGEST_SOCKET_PATH - _LONGEST_SOCKET_NAME:
        folder.rmdir()
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir="/tmp"))
    # The file has its name once it is locked: nobody can find it in between and take the folder for abandoned.
    descriptor = os.open(folder / f"{_LOCK}.new", os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        (folder / f"{_LOCK}.new").rename(folder / _LOCK)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def remove_abandoned_folders() -> None:
    """Remove the private folders of this user's runners that were killed; what cannot be removed stays."""
    for parent in {Path(tempfile.gettempdir()), Path("/tmp")}:
        for folder in parent.glob(f"{_PREFIX}*"):
            with suppress(OSError):
                _remove_if_abandoned(folder)


def _remove_if_abandoned(folder: Path) -> None:
    found = folder.lstat()
    # Others can put folders, and links to folders of ours, into the temporary one; ours none but we can enter.
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) != stat.S_IRWXU:
        return
    descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(descriptor)
