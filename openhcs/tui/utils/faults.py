"""Synchronous parts that may fail without taking the whole down: handlers, filters, what is drawn.

Anybody may import this. Checked by tests/tui/utils/test_faults.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from prompt_toolkit.utils import Event

from openhcs.tui.ports import ErrorSink

__all__ = ["ENDINGS", "FaultLog", "GuardedEvent", "as_error"]

S = TypeVar("S")
T = TypeVar("T")

ENDINGS = (SystemExit, KeyboardInterrupt, GeneratorExit)
"""What goes on through every part. All else that a synchronous part raises is its fault: nobody can cancel it, it can
only ask a cancelled future, and a panic of native code is a BaseException."""


def as_error(fault: BaseException) -> BaseException:
    """`fault` as an error: asking a cancelled future for its result is one, and must not look like a cancellation."""
    if not isinstance(fault, asyncio.CancelledError):
        return fault
    error = RuntimeError("the result of a cancelled task or future was asked for")
    error.__cause__ = fault
    return error


class FaultLog:
    """Runs parts that may fail; tells `on_error` when one begins to fail, not each time that it fails again."""

    def __init__(self, on_error: ErrorSink) -> None:
        self._on_error = on_error
        self._failing: dict[int, object] = {}

    def run(self, part: object, call: Callable[[], T], otherwise: T, context: str) -> T:
        """What `call` returns, or `otherwise` where it fails; `part` is whose failure it is."""
        try:
            result = call()
        except ENDINGS:
            raise
        except BaseException as fault:
            if id(part) not in self._failing:
                # Kept, so that its id stays its own.
                self._failing[id(part)] = part
                self._on_error(as_error(fault), context)
            return otherwise
        self._failing.pop(id(part), None)
        return result


class GuardedEvent(Event[S]):
    """An event of which each handler gets its turn, whatever the one before did."""

    def __init__(self, sender: S, faults: FaultLog, context: str, handler: Callable[[S], None] | None = None) -> None:
        super().__init__(sender, handler)
        self._faults = faults
        self._context = context

    def __call__(self) -> None:
        for handler in list(self._handlers):
            self._faults.run(handler, partial(handler, self.sender), None, self._context)
