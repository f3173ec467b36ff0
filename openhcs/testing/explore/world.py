"""What a scenario holds in its hand: it names events, operations, faults and conditions."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, TypeVar, overload

from openhcs.testing.explore.bounds import Budget
from openhcs.testing.explore.loop import ExploringLoop
from openhcs.testing.explore.oracles import Condition
from openhcs.testing.explore.outside import Cancellation, OutsideEvent, ThreadEnd
from openhcs.testing.explore.violation import Kind

__all__ = ["World"]

T = TypeVar("T")
C = TypeVar("C", bound=Callable[[], object])

_ABSENT: Final = object()
_CLOCKS: Final = ("monotonic", "time", "perf_counter")


class World:
    """One run's world; a scenario is `async def scenario(world)` and is called anew for every schedule."""

    def __init__(self, loop: ExploringLoop) -> None:
        self.loop = loop
        self._patches: list[tuple[object, str, object]] = []
        self._names = itertools.count(1)

    # -- what may happen -----------------------------------------------------------------------------------------

    def event(
        self,
        name: str,
        callback: Callable[[], object],
        guard: Callable[[], bool] | None = None,
        *,
        within: float | None = None,
        thread: bool = False,
    ) -> None:
        """Let `callback()` happen once, from outside, at any moment at which `guard()` holds.

        At an idle loop an event is free, as a person's key is; while callbacks are ready it costs one `rush`. An event
        that the scenario does not need need not happen: it is forgotten when the scenario ends.

        Args:
            within: virtual seconds after its guard first holds by which it must have happened. Give it where a timer
                repeats for ever, else the event could be put off for ever.
            thread: run `callback` in another thread, as a worker that ends with `loop.call_soon_threadsafe(...)`. What
                it schedules lands anywhere in the queue, where other events land behind what is ready.
        """
        if thread:
            self.loop.outside.threads.append(ThreadEnd(name, lambda: void(callback()), guard, self.loop.turn, 0))
        else:
            self.loop.outside.events.append(OutsideEvent(name, callback, guard, within))

    @overload
    def operation(self, name: str, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]: ...
    @overload
    def operation(self, name: str, work: asyncio.Future[T]) -> asyncio.Future[T]: ...
    def operation(self, name: str, work: Any) -> Any:
        """Start `work` as a task, or take a task that runs already; it may be cancelled at every await.

        Each cancellation costs one `cancels`. Cancelling all operations that are alive, as when the application exits,
        costs one as well.
        """
        task = work if asyncio.isfuture(work) else self.loop.create_task(work, name=name)
        self.loop.outside.operations.append(Cancellation(name, task))
        return task

    def fault(self, *labels: str) -> str | None:
        """Which of these faults to inject here: usually None, and each of them in its turn for one `faults`.

        if world.fault("the disk is full"):
            raise OSError(errno.ENOSPC, "no space left")
        """
        if not labels or not self.loop.schedule.purse[Budget.FAULTS]:
            return None
        costs = (Budget.FREE, *[Budget.FAULTS] * len(labels))
        chosen = self.loop.schedule.decide(
            "fault", costs, lambda: ["no fault", *(f"fault: {label}" for label in labels)]
        )
        return labels[chosen - 1] if chosen else None

    def choose(self, options: Sequence[T], name: str = "choice") -> T:
        """One of `options`, each in its turn, at no cost; the first is what usually happens."""
        if not options:
            raise ValueError(f"nothing to choose from: {name}; expected at least one option")
        costs = (Budget.FREE,) * len(options)
        return options[self.loop.schedule.decide(name, costs, lambda: [f"{name}: {option!r}" for option in options])]

    def signal(self, number: int) -> None:
        """Call the handler that the program has added for a signal; use it as the callback of an event."""
        handler = self.loop.signal_handlers.get(number)
        if handler is not None:
            self.loop._ready.append(handler)

    # -- what must hold ------------------------------------------------------------------------------------------

    def invariant(self, check: C, *, idle: bool = False, name: str = "") -> C:
        """Require that `check()` neither returns False nor raises: after each step, or whenever the loop is idle."""
        condition = Condition.of(check, name)
        (self.loop.oracles.when_idle if idle else self.loop.oracles.every_step).append(condition)
        return check

    def final(self, check: C, *, name: str = "") -> C:
        """Require that `check()` neither returns False nor raises once the scenario has ended and all is quiet."""
        self.loop.oracles.at_end.append(Condition.of(check, name))
        return check

    def allow(self, kind: Kind, containing: str = "") -> None:
        """Do not report violations of this kind whose sentence contains a text; say in a comment why."""
        self.loop.oracles.allow(kind, containing)

    def watch(self, state: Callable[[], object]) -> None:
        """Name state that pruning cannot find by itself: in a module, a class, a file."""
        self.loop.watched.append(state)

    # -- what the scenario says and sees -------------------------------------------------------------------------

    def note(self, text: str) -> None:
        """A line for the report: "dialog 2 opens"."""
        if self.loop.recorder is not None:
            self.loop.recorder.note(text, self.loop.time())

    def time(self) -> float:
        """Virtual seconds since the run began."""
        return self.loop.time()

    async def idle(self) -> None:
        """Wait until nothing is ready: everything waits for a timer or for the world."""
        waiter: asyncio.Future[None] = self.loop.create_future()
        self.loop.idle_waiters.append(waiter)
        await waiter

    # -- what is put in place of the real --------------------------------------------------------------------------

    def patch(self, target: object, name: str, value: object) -> None:
        """Set an attribute for this run; it is set back before the next."""
        self._patches.append((target, name, vars(target).get(name, _ABSENT)))
        setattr(target, name, value)

    def virtual_clock(self, *modules: object) -> None:
        """Let `monotonic`, `time` and `perf_counter` of these modules tell virtual time, and `sleep` spend it.

        Without arguments, those of the module `time`. A module that has imported the functions by name must be named.
        """
        for module in modules or (time,):
            for name in _CLOCKS:
                if name in vars(module):
                    self.patch(module, name, self.loop.time)
            if module is time:
                self.patch(module, "sleep", self.loop.spend)

    def restore(self) -> None:
        """Take back the patches, the last first."""
        while self._patches:
            target, name, value = self._patches.pop()
            if value is _ABSENT:
                delattr(target, name)
            else:
                setattr(target, name, value)


def void(_: object) -> None:
    """What a thread's callback returns goes nowhere."""
