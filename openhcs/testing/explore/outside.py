"""The world around the loop: events, threads that finish, cancellations. What may happen now, and what it costs.

An event waits for its guard, and happens once. At an idle loop it is free; while callbacks are ready it costs `rush`.
A cancellation costs `cancels`, whenever it comes. Threads are told apart from other events because theirs is the only
callback that stock asyncio can find anywhere in its queue: `call_soon_threadsafe` appends while the queue is running.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import reprlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from openhcs.testing.explore.bounds import Budget
from openhcs.testing.explore.errors import ExploreError

__all__ = ["Action", "Cancellation", "Outside", "OutsideEvent", "ThreadEnd", "costs_of", "name_of"]

_PATIENCE_S: Final = 10.0


class Action(Protocol):
    """Something the world can do to the program."""

    @property
    def label(self) -> str: ...

    def fire(self) -> None: ...


@dataclass(slots=True, eq=False)
class OutsideEvent:
    """Something that happens once, outside: a key, a reply, a file that changed."""

    name: str
    callback: Callable[[], object]
    guard: Callable[[], bool] | None
    within: float | None
    enabled_at: float | None = None
    happened: bool = False

    @property
    def label(self) -> str:
        return f"event {self.name!r} happens"

    def fire(self) -> None:
        """Let it happen."""
        self.happened = True
        self.callback()


@dataclass(slots=True, eq=False)
class ThreadEnd:
    """A function in a thread: it runs when the schedule says that the thread finishes.

    It runs in a thread of its own, so that it finds no running loop and another thread's identity, while the loop
    stands still: which is why its inside is one step.
    """

    name: str
    work: Callable[[], None]
    guard: Callable[[], bool] | None = None
    turn: int = 0
    """The loop iteration that started it."""
    place: int = 0
    """How long the ready queue was at that moment: its end cannot come before."""

    @property
    def label(self) -> str:
        return f"thread {self.name} finishes"

    def fire(self) -> None:
        """Run it to its end."""
        thread = threading.Thread(target=self.work, name=f"explored-{self.name}", daemon=True)
        thread.start()
        thread.join(_PATIENCE_S)
        if thread.is_alive():
            raise ExploreError(
                f"a thread does not finish: {self.name}; expected one that needs nothing from the loop to return. "
                "One that waits for the loop, as run_coroutine_threadsafe(...).result() does, cannot be explored"
            )


@dataclass(frozen=True, slots=True, eq=False)
class Cancellation:
    """A request to cancel one operation."""

    name: str
    task: asyncio.Future[Any]

    @property
    def label(self) -> str:
        return f"operation {self.name!r} is cancelled"

    def fire(self) -> None:
        """Ask for it."""
        self.task.cancel()


@dataclass(frozen=True, slots=True, eq=False)
class Exit:
    """The application ends: every operation that is alive is cancelled."""

    operations: tuple[Cancellation, ...]

    @property
    def label(self) -> str:
        return f"the application exits: {len(self.operations)} operations are cancelled"

    def fire(self) -> None:
        """Cancel them, the newest first."""
        for operation in reversed(self.operations):
            operation.fire()


class Outside:
    """All that is registered in one run."""

    def __init__(self) -> None:
        self.events: list[OutsideEvent] = []
        self.threads: list[ThreadEnd] = []
        self.operations: list[Cancellation] = []

    def enabled(self, now: float) -> list[OutsideEvent]:
        """The events whose guard holds at this moment, in the order of their registration."""
        found = []
        for event in self.events:
            if event.guard is None or event.guard():
                if event.enabled_at is None:
                    event.enabled_at = now
                found.append(event)
            else:
                event.enabled_at = None
        return found

    def forget(self, event: OutsideEvent) -> None:
        """The event has happened, or will not."""
        if event in self.events:
            self.events.remove(event)

    def cancellations(self) -> list[Action]:
        """What can be cancelled: each operation that is alive, and all of them at once."""
        if not self.operations:
            return []
        alive = [operation for operation in self.operations if not operation.task.done()]
        self.operations = alive
        return [*alive, Exit(tuple(alive))] if len(alive) > 1 else [*alive]

    def deadline(self, events: list[OutsideEvent]) -> float | None:
        """The time by which one of these events must have happened."""
        ends = [
            event.enabled_at + event.within
            for event in events
            if event.within is not None and event.enabled_at is not None
        ]
        return min(ends, default=None)

    def start_thread(self, function: Callable[..., Any], args: tuple[Any, ...], turn: int, place: int) -> Any:
        """Register an executor call; returns the `concurrent.futures.Future` that its end completes."""
        future: concurrent.futures.Future[Any] = concurrent.futures.Future()
        future.set_running_or_notify_cancel()

        def work() -> None:
            try:
                result = function(*args)
            except BaseException as error:  # as an executor does: whatever it is, it belongs to whoever awaits it
                future.set_exception(error)
            else:
                future.set_result(result)

        self.threads.append(ThreadEnd(_call_of(function, args), work, None, turn, place))
        return future

    def clear(self) -> None:
        """Let go of the program's objects."""
        self.events, self.threads, self.operations = [], [], []


def name_of(function: Callable[..., Any]) -> str:
    """What to call a function in a report."""
    return _named(_unwrapped(function, ())[0])


def _call_of(function: Callable[..., Any], args: tuple[Any, ...]) -> str:
    """The call as it would be written, shortened."""
    inner, args = _unwrapped(function, args)
    return f"{_named(inner)}({', '.join(reprlib.repr(each) for each in args)})"


def _unwrapped(function: Any, args: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
    """Through partials and `Context.run`, down to the function that does the work."""
    while True:
        if isinstance(function, functools.partial):
            function, args = function.func, (*function.args, *args)
        elif getattr(function, "__name__", "") == "run" and args and callable(args[0]):
            function, args = args[0], args[1:]
        else:
            return function, args


def _named(function: Any) -> str:
    return str(getattr(function, "__qualname__", type(function).__name__))


def costs_of(actions: list[Action], calm: bool) -> list[int]:
    """What each action costs; events are free while the loop is calm."""
    return [
        Budget.CANCELS if isinstance(action, Cancellation | Exit) else Budget.FREE if calm else Budget.RUSH
        for action in actions
    ]
