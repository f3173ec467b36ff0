"""What happened in a run, step by step: written only when a schedule is replayed for a report."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from openhcs.testing.explore.location import Location, location_of_coroutine
from openhcs.testing.explore.oracles import describe_exception
from openhcs.testing.explore.outside import name_of

__all__ = ["CALLBACK", "Choice", "Recorder", "Step", "task_of"]

CALLBACK = "callback"
"""Who runs when it is no task."""

_SEEN_AS_STEPS = ("wake", "outside", "thread")
"""Kinds of choice that need no line of their own: what they let happen follows."""


@dataclass(slots=True)
class Choice:
    """An option that was taken and is not what asyncio does by itself."""

    number: int
    kind: str
    option: int
    labels: Sequence[str]

    @property
    def label(self) -> str:
        """What was chosen."""
        return self.labels[self.option]


@dataclass(slots=True)
class Step:
    """One callback: who ran, from where to where, and what it said meanwhile."""

    time: float
    who: str
    began: Location | None
    ended: Location | None
    outcome: str
    """Empty while it waits; else how it ended."""
    received: str = ""
    """The exception with which it was woken."""
    outside: bool = False
    inner: list[Choice | str] = field(default_factory=list)
    """The notes of the scenario, and the choices that the step made, in their order."""


class Recorder:
    """Keeps the steps, choices and notes of one run."""

    def __init__(self) -> None:
        self.steps: list[Step | Choice] = []
        self._open: Step | None = None
        self._choices = 0

    def choose(self, kind: str, option: int, labels: Sequence[str]) -> None:
        """A choice was made."""
        self._choices += 1
        if option and kind not in _SEEN_AS_STEPS:
            choice = Choice(self._choices, kind, option, labels)
            if self._open is not None:
                self._open.inner.append(choice)
            else:
                self.steps.append(choice)

    def note(self, text: str, now: float) -> None:
        """The scenario says something."""
        if self._open is not None:
            self._open.inner.append(text)
        else:
            self.steps.append(Step(now, "scenario", None, None, "", inner=[text]))

    def happens(self, label: str, now: float) -> None:
        """Something outside happens that is no callback of the loop: a thread."""
        self.steps.append(Step(now, "outside", None, None, label, outside=True))

    def step(self, handle: asyncio.Handle, now: float, outside: str = "") -> None:
        """Run a callback and write it down; `outside` says what it is if it is no part of the program."""
        callback: Any = handle._callback  # type: ignore[attr-defined]
        task = task_of(handle)
        coroutine = task.get_coro() if task is not None else None
        if outside:
            step = Step(now, "outside", None, None, outside, outside=True)
        elif task is not None:
            step = Step(now, task.get_name(), location_of_coroutine(coroutine), None, "", _received(task, handle))
        else:
            step = Step(now, CALLBACK, None, None, name_of(callback))
        self.steps.append(step)
        self._open = step
        try:
            handle._run()
        finally:
            self._open = None
        if task is not None:
            step.ended = location_of_coroutine(coroutine)
            step.outcome = _outcome(task)


def _received(task: asyncio.Task[Any], handle: asyncio.Handle) -> str:
    """What the task is about to be woken with, besides a result."""
    if task._must_cancel:  # type: ignore[attr-defined]
        return "CancelledError"
    for woken_by in handle._args or ():
        if isinstance(woken_by, asyncio.Future):
            if woken_by.cancelled():
                return "CancelledError"
            error = woken_by._exception  # exception() would count as retrieving it
            return type(error).__name__ if error is not None else ""
    return ""


def _outcome(task: asyncio.Task[Any]) -> str:
    if not task.done():
        return ""
    if task.cancelled():
        return "ends cancelled"
    error = task._exception  # reading it by exception() would count as retrieving it
    if error is not None:
        return f"ends with {describe_exception(error)}"
    return "returns"


def task_of(handle: asyncio.Handle) -> asyncio.Task[Any] | None:
    """The task that a callback steps or wakes."""
    owner = getattr(handle._callback, "__self__", None)  # type: ignore[attr-defined]
    return owner if isinstance(owner, asyncio.Task) else None
