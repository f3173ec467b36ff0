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
    """Raises the recursion limit for the time of a block; re-entrant, one thread at a time."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._depth = 0
        self._limit = 0
        self._left_at = 0

    def __enter__(self) -> None:
        self._lock.acquire()
        limit = sys.getrecursionlimit()
        if self._depth == 0 and limit != self._left_at:
            self._limit = limit
        self._depth += 1
        sys.setrecursionlimit(self._limit + self._depth * _ROOM)

    def __exit__(self, *_exc: object) -> None:
        self._depth -= 1
        # Python refuses a limit that the stack has reached already; it is lowered the next time then.
        with contextlib.suppress(RecursionError):
            sys.setrecursionlimit(self._limit + self._depth * _ROOM)
        self._left_at = sys.getrecursionlimit()
        self._lock.release()


more_room = _MoreRoom()
