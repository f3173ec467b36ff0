"""Tasks and futures whose hash is their number in the run.

A set of tasks iterates by hash, and asyncio's is the object's address: another one in every run. With these, sets have
one order. They keep asyncio's names, which its messages quote.
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

__all__ = ["Future", "Task"]


class _Numbering(Protocol):
    def next_number(self) -> int: ...


class Task(asyncio.Task[Any]):
    """A task with a reproducible hash."""

    def __init__(self, coro: Any, *, loop: Any, **kwargs: Any) -> None:
        numbering: _Numbering = loop
        self._number = numbering.next_number()
        super().__init__(coro, loop=loop, **kwargs)

    def __hash__(self) -> int:
        return self._number


class Future(asyncio.Future[Any]):
    """A future with a reproducible hash."""

    def __init__(self, *, loop: Any) -> None:
        numbering: _Numbering = loop
        self._number = numbering.next_number()
        super().__init__(loop=loop)

    def __hash__(self) -> int:
        return self._number
