"""Room on the stack for work that must be done where the recursion limit has been reached.

An error is often reported from the very depth at which the limit was hit. `require_room` asks before anything has
happened whether there is enough; within `more_room` there is. Standard library only.

Checked by tests/tui/utils/test_safe_error_handler.py.
"""

from __future__ import annotations

import contextlib
import sys
import threading

__all__ = ["more_room", "require_room"]

_ROOM = 300


def require_room(calls: int = 60) -> None:
    """Raise RecursionError unless `calls` nested calls can be made from here."""
    if calls:
        require_room(calls - 1)


class _MoreRoom:
    """Raises the recursion limit for the time of a block; raises RecursionError in a block within a block.

    Were it to grant more and more, a recursion through it would end in a crash of the interpreter.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._is_granted = False
        self._limit = 0
        self.is_owed = False

    def __enter__(self) -> None:
        self._lock.acquire()
        if self._is_granted or self.is_owed:
            self._lock.release()
            raise RecursionError("more room on the stack was granted and used up")
        self._is_granted = True
        self._limit = sys.getrecursionlimit()
        sys.setrecursionlimit(self._limit + _ROOM)

    def __exit__(self, *_exc: object) -> None:
        self.is_owed = True
        self.repay()
        self._is_granted = False
        self._lock.release()

    def repay(self) -> None:
        """Lower the limit again; Python refuses that where the stack has grown past it, and then it `is_owed`."""
        with contextlib.suppress(RecursionError):
            sys.setrecursionlimit(self._limit)
            self.is_owed = False


more_room = _MoreRoom()
