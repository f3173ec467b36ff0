"""The faults that no scenario has to name: looked for in every run, at every iteration of the loop.

Each oracle says what happened and to whom. What asyncio itself notices (an exception never retrieved, a task destroyed
while pending) arrives by the loop's exception handler, what the interpreter notices by its warnings; the rest is looked
for here. `World.allow` takes what a scenario expects.
"""

from __future__ import annotations

import asyncio
import linecache
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from openhcs.testing.explore.location import Location, location_of_coroutine, location_of_traceback, stack_lines
from openhcs.testing.explore.outside import name_of
from openhcs.testing.explore.violation import Kind, Violation

__all__ = ["Condition", "Oracles", "describe_exception"]

_FROM_ASYNCIO = {
    "Task exception was never retrieved": Kind.NEVER_RETRIEVED,
    "Future exception was never retrieved": Kind.NEVER_RETRIEVED,
    "Task was destroyed but it is pending!": Kind.DESTROYED_PENDING,
}


_FOUND_LATE = frozenset(
    {Kind.NEVER_RETRIEVED, Kind.DESTROYED_PENDING, Kind.NEVER_AWAITED, Kind.RUNTIME_WARNING, Kind.UNRAISABLE}
)
"""What is noticed when an object is collected: when that is differs between versions of Python."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A property the scenario asks for; it holds unless it returns False or raises."""

    name: str
    check: Callable[[], object]

    @classmethod
    def of(cls, check: Callable[[], object], name: str) -> Condition:
        """A condition named by its function, or by the line that a lambda stands in."""
        code = getattr(check, "__code__", None)
        if not name and code is not None and code.co_name == "<lambda>":
            name = linecache.getline(code.co_filename, code.co_firstlineno).strip()
        return cls(name or name_of(check), check)

    def violation(self, kind: Kind) -> Violation | None:
        """How it fails, if it does."""
        try:
            result = self.check()
        except Exception as error:  # the scenario's own code: whatever it raises is what is wrong
            return Violation(kind, self.name, f"{kind}: {self.name}: {describe_exception(error)}", error_lines(error))
        return Violation(kind, self.name, f"{kind}: {self.name}") if result is False else None


class Oracles:
    """The violations of one run, and what to watch."""

    def __init__(self) -> None:
        self.violations: list[Violation] = []
        """What ends the run."""
        self._late: list[Violation] = []
        self.tasks: list[asyncio.Task[Any]] = []
        self.every_step: list[Condition] = []
        self.when_idle: list[Condition] = []
        self.at_end: list[Condition] = []
        self._allowed: list[tuple[Kind, str]] = []
        self.muted = False

    def allow(self, kind: Kind, subject: str) -> None:
        """Do not report violations of this kind whose sentence contains `subject`."""
        self._allowed.append((kind, subject))

    def report(self, violation: Violation | None) -> bool:
        """Keep a violation; False if there was none, or it is allowed."""
        if violation is None or self.muted:
            return False
        if any(violation.kind is kind and part in violation.sentence for kind, part in self._allowed):
            return False
        (self._late if violation.kind in _FOUND_LATE else self.violations).append(violation)
        return True

    @property
    def all_violations(self) -> tuple[Violation, ...]:
        """Those that ended the run, then those that were noticed as objects were collected."""
        return (*self.violations, *sorted(self._late, key=lambda violation: violation.label))

    # -- tasks ---------------------------------------------------------------------------------------------------

    def look_at_tasks(self) -> None:
        """Forget the tasks that have ended, and report each that swallowed its cancellation."""
        ended = [task for task in self.tasks if task.done()]
        if ended:
            self.tasks = [task for task in self.tasks if not task.done()]
            for task in ended:
                if not task.cancelled() and task.cancelling() and not task._exception:
                    self._report_swallowed(task)

    def _report_swallowed(self, task: asyncio.Task[Any]) -> None:
        name = task.get_name()
        self.report(
            Violation(
                Kind.SWALLOWED_CANCEL,
                name,
                f"task {name!r} was cancelled, accepted it, and then returned normally: who cancelled it is told "
                "that it was not",
            )
        )

    def look_for_leaks(self, everything: set[asyncio.Task[Any]], main: asyncio.Task[Any]) -> None:
        """Report the tasks that outlive the scenario."""
        for task in sorted(everything, key=lambda task: task.get_name()):
            if task is not main and not task.done():
                coroutine: Any = task.get_coro()
                self.report(
                    Violation(
                        Kind.LEAKED_TASK,
                        task.get_name(),
                        f"task {task.get_name()!r} is still alive after the scenario has ended: it "
                        f"{_waits(location_of_coroutine(coroutine))}",
                        stack_lines(coroutine),
                    )
                )

    def look_at_main(self, main: asyncio.Task[Any]) -> None:
        """Report how the scenario failed, if it did."""
        if main.cancelled():
            self.report(Violation(Kind.MAIN_RAISED, "CancelledError", "the scenario itself was cancelled"))
        elif (error := main.exception()) is not None:
            where = location_of_traceback(error)
            place = f", at {where.place}: {where.source}" if where else ""
            self.report(
                Violation(
                    Kind.MAIN_RAISED,
                    f"{type(error).__name__} at {where.function if where else 'scenario'}",
                    f"the scenario raised {describe_exception(error)}{place}",
                    error_lines(error),
                )
            )

    # -- what cannot go on ---------------------------------------------------------------------------------------

    def report_deadlock(self, waiting: list[str]) -> None:
        """Nothing is ready, no timer runs, and no outside event can happen."""
        tasks = [f"{task.get_name()} {_waits(location_of_coroutine(task.get_coro()))}" for task in self.tasks]
        held_back = [f"event {name!r} has a guard that does not hold" for name in waiting]
        self.report(
            Violation(
                Kind.DEADLOCK,
                "nothing can happen",
                "deadlock: nothing is ready, no timer runs, nothing outside can happen, and the scenario has not ended",
                (*tasks, *held_back),
            )
        )

    def report_livelock(self, steps: int) -> None:
        """The run went on too long."""
        tasks = [f"{task.get_name()} {_waits(location_of_coroutine(task.get_coro()))}" for task in self.tasks]
        self.report(
            Violation(
                Kind.LIVELOCK,
                "too many steps",
                f"livelock: the scenario has not ended after {steps} iterations of the loop. If a timer repeats for "
                "ever while an event is awaited, give the event a limit: world.event(..., within=seconds)",
                tuple(tasks),
            )
        )

    def report_exit(self, error: SystemExit) -> None:
        """SystemExit went through the loop, and ended it."""
        lines = error_lines(error)
        self.report(
            Violation(Kind.MAIN_RAISED, "SystemExit", f"{describe_exception(error)} went through the loop", lines)
        )

    # -- what asyncio and the interpreter say --------------------------------------------------------------------

    def hear_loop(self, context: dict[str, Any], handled: bool) -> None:
        """The loop's exception handler was called; `handled` if the program has set one of its own."""
        message = str(context.get("message", ""))
        error = context.get("exception")
        kind = _FROM_ASYNCIO.get(message, Kind.LOOP_HANDLER)
        if kind is Kind.LOOP_HANDLER and handled:
            return
        # The object itself is not kept: it would live longer than in a run that nobody watches.
        thing = context.get("task") or context.get("future")
        name = thing.get_name() if isinstance(thing, asyncio.Task) else type(error).__name__
        said = f"{message}: {describe_exception(error)}" if isinstance(error, BaseException) else message
        who = f"task {name!r}: " if isinstance(thing, asyncio.Task) else ""
        lines = error_lines(error) if isinstance(error, BaseException) else ()
        self.report(Violation(kind, name, f"{who}{said}", lines))

    def hear_warning(self, message: str) -> None:
        """The interpreter warned."""
        first, _, rest = message.partition("\n")
        kind = Kind.NEVER_AWAITED if first.endswith("was never awaited") else Kind.RUNTIME_WARNING
        self.report(Violation(kind, first, first, tuple(line for line in rest.splitlines() if line.strip())))

    def hear_unraisable(self, error: BaseException | None, where: str) -> None:
        """An exception was thrown away by the interpreter."""
        said = describe_exception(error) if error is not None else "an error"
        self.report(Violation(Kind.UNRAISABLE, type(error).__name__, f"{said}, ignored in {where}"))

    def clear(self) -> None:
        """Let go of the program's objects; the violations are texts, and stay."""
        self.tasks, self.every_step, self.when_idle, self.at_end = [], [], [], []


def describe_exception(error: BaseException) -> str:
    """The exception as one line, whatever its `__str__` does."""
    try:
        text = str(error)
    except Exception:  # a `__str__` may raise anything
        text = "<its text cannot be made>"
    first = text.strip().splitlines()[0] if text.strip() else ""
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def error_lines(error: BaseException) -> tuple[str, ...]:
    """The traceback, as lines."""
    try:
        text = "".join(traceback.format_exception(error))
    except Exception:  # it asks `__str__` as well, and `__repr__`
        return (describe_exception(error),)
    return tuple(text.rstrip().splitlines())


def _waits(where: Location | None) -> str:
    return f"waits at {where.place}: {where.source}" if where else "has not started"
