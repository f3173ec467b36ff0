"""What a forked child must not inherit: locks held by threads that it does not have, and parts of the parent's loop.

Standard library only; anybody may import this. Checked by tests/tui/utils/abuse/test_processes.py.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _thread import RLock

__all__ = ["in_forked_child", "lock_free_in_child"]

_locks: weakref.WeakSet[RLock] = weakref.WeakSet()


def lock_free_in_child() -> RLock:
    """A re-entrant lock that is free in a forked child, whichever thread held it in the parent."""
    lock = threading.RLock()
    _locks.add(lock)
    return lock


def in_forked_child(call: Callable[[], None]) -> None:
    """Have `call()` done in each child that is forked, before anything else is done there."""
    os.register_at_fork(after_in_child=call)


def _free_locks() -> None:
    for lock in list(_locks):
        # What `threading` and `logging` do with theirs.
        lock._at_fork_reinit()  # type: ignore[attr-defined]


in_forked_child(_free_locks)
