"""Putting a folder in the place of another, so that there is always one.

Linux can exchange two names in one step (`renameat2`, kernel 3.15, glibc 2.28), on local file systems and most others.
Where it cannot, the earlier folder is moved away first, and for a moment there is none; who is interrupted then finds
both aside. Standard library only. Checked by tests/core/test_replacing.py.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

__all__ = ["exchange", "put_in_place"]

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_CANNOT = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EPERM})
"""What is said where the file system (NFS, some FUSE ones) or the kernel cannot exchange, or a sandbox forbids it."""


def put_in_place(new: Path, place: Path, earlier: Path) -> None:
    """Move the folder `new` to `place`, and what was there to `earlier`, all on one file system.

    Raises:
        OSError: it cannot be done; at worst `place` is empty and what was there is at `earlier`.
    """
    if not place.exists():
        new.replace(place)
        return
    if not exchange(new, place):
        place.replace(earlier)
        new.replace(place)
        return
    new.replace(earlier)


def exchange(one: Path, other: Path) -> bool:
    """Exchange two files or folders in one step; False where that is not possible, with nothing changed.

    Raises:
        OSError: something else is in the way.
    """
    renameat2 = _renameat2()
    if renameat2 is None:
        return False
    if renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    error = ctypes.get_errno()
    if error in _CANNOT:
        return False
    raise OSError(error, os.strerror(error), str(one), None, str(other))


@cache
def _renameat2() -> Callable[[int, bytes, int, bytes, int], int] | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        function = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):  # another C library
        return None
    function.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
    function.restype = ctypes.c_int
    exchanging: Callable[[int, bytes, int, bytes, int], int] = function
    return exchanging
