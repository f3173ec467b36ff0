"""Which line of code created a task: remembered while it is asked for, and looked up when somebody wants to know.

Part of the task manager, whose tasks it makes about a quarter dearer (benchmarks/strict.py), and therefore off unless
somebody asks. Checked by tests/tui/utils/test_strict.py. Standard library only.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import weakref
from types import CodeType
from typing import Any, NamedTuple

__all__ = ["CodePlace", "TaskCreators", "calling_place"]


class CodePlace(NamedTuple):
    """An instruction of a code object; which line that is takes longer to find than a task to start."""

    code: CodeType
    offset: int

    def __str__(self) -> str:
        positions = itertools.islice(self.code.co_positions(), self.offset // 2, None)
        line = next(positions, (None,))[0]
        return f"{self.code.co_filename}:{line or self.code.co_firstlineno} in {self.code.co_name}"


class TaskCreators:
    """Remembers for each task the place that `note` was called from, seen from outside the calling module."""

    def __init__(self) -> None:
        self._place_of: weakref.WeakKeyDictionary[asyncio.Task[Any], CodePlace] = weakref.WeakKeyDictionary()
        self.handed_over_at: CodePlace | None = None
        """Where what is being created was asked for, in another thread, say; None where it is here and now."""

    def note(self, task: asyncio.Task[Any]) -> None:
        """Remember who creates `task`."""
        self._place_of[task] = self.handed_over_at or calling_place(2)

    def of(self, task: asyncio.Task[Any]) -> str | None:
        """`file:line in function` of what created `task`; None where that was not noted."""
        place = self._place_of.get(task)
        return str(place) if place is not None else None


def calling_place(depth: int = 1) -> CodePlace:
    """The place that called the module `depth` calls up from here, at whichever of its functions."""
    frame = sys._getframe(depth)
    module = frame.f_globals
    while frame.f_globals is module and frame.f_back is not None:
        frame = frame.f_back
    return CodePlace(frame.f_code, frame.f_lasti)
