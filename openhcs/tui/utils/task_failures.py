"""Whose a failed task is: its awaiter's, or nobody's, and then it is reported (G2).

An awaiter gets the failure in the callbacks that come after the task's own, or much later, if it keeps the task and
awaits it when it has time. So a failure is looked at a few times, further and further apart, before it counts as
nobody's. One that nobody can await, because nobody else holds the task, is reported at the first look; one whose
awaiters are cancelled before it reaches them, at once.

Part of the task manager; checked by tests/tui/utils/test_task_manager.py, `TestFailures`, proved in
tests/proofs/test_g2_no_error_lost.py. Standard library only.
"""

from __future__ import annotations

import asyncio
import contextvars
import sys
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

__all__ = ["UnclaimedFailures", "claim_failure"]

AnyTask: TypeAlias = "asyncio.Task[Any]"

_LOOKS_S = (0.02, 0.1, 0.4)
"""The waits between looks; after the last a failure is told although somebody holds the task."""


class UnclaimedFailures:
    """Failed tasks of which it is not known yet whether somebody awaits them; `report` gets those that nobody does."""

    def __init__(self, report: Callable[[BaseException, str], object]) -> None:
        self.tasks: dict[AnyTask, None] = {}
        self._report_failure = report

    def watch(self, task: AnyTask, alive: Iterable[AnyTask]) -> None:
        """Look after `task`, which has just failed, and may be awaited by some that are `alive`; called on its loop."""
        self.tasks[task] = None
        # A cancellation that reaches an awaiter after what it awaits has failed takes the place of that failure, and
        # asyncio counts it as retrieved although nobody has seen it.
        awaiting = [other for other in alive if other._fut_waiter is task]  # type: ignore[attr-defined]
        if awaiting and all(awaiter._must_cancel for awaiter in awaiting):  # type: ignore[attr-defined]
            self.tasks.pop(task)
            self._report_failure(claim_failure(task), task.get_name())
        else:
            task.get_loop().call_soon(self._look, task, 0)

    def report_all(self) -> None:
        """Report what nobody has claimed by now."""
        for task in list(self.tasks):
            self._report(task)

    def _look(self, task: AnyTask, looks: int) -> None:
        # Held by our table, by the handle that calls us and by our argument only: nobody else can ever await it.
        if sys.getrefcount(task) <= _REFERENCES_OF_ABANDONED or looks == len(_LOOKS_S):
            self._report(task)
        elif task._log_traceback:
            task.get_loop().call_later(_LOOKS_S[looks], self._look, task, looks + 1)
        else:
            self.tasks.pop(task, None)

    def _report(self, task: AnyTask) -> None:
        self.tasks.pop(task, None)
        if task._log_traceback:
            self._report_failure(claim_failure(task), task.get_name())


def claim_failure(task: AnyTask) -> BaseException:
    """What `task` failed with; asyncio will not say of it again that it was never retrieved."""
    failure = task.exception()
    assert failure is not None, f"{task.get_name()} has not failed"
    return failure


def _count_references_of_abandoned() -> int:
    """What `sys.getrefcount` says of an object held by a dict, by a handle's arguments and by our own parameter."""

    class Look:
        def look(self, thing: object, looks: int) -> int:
            return sys.getrefcount(thing)

    arguments = (object(), 0)
    table = dict.fromkeys(arguments[:1])
    count: int = contextvars.Context().run(Look().look, *arguments)
    del table
    return count


_REFERENCES_OF_ABANDONED = _count_references_of_abandoned()
