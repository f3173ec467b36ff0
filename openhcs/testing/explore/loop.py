"""The exploring loop: a choice wherever reality has one.

One iteration is stock asyncio's: the callbacks that are ready, then the input that has arrived, then the timers that
are due; what they schedule runs in the next. Choices lie at the boundary between two iterations: whether the idle loop
sleeps until its next timer or is woken, whether a step was so slow that a timer is due, which outside events join.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Final

from openhcs.testing.explore.bounds import Budget, Order
from openhcs.testing.explore.fingerprint import fingerprint
from openhcs.testing.explore.outside import Action, OutsideEvent, ThreadEnd, costs_of, name_of
from openhcs.testing.explore.schedule import Schedule
from openhcs.testing.explore.trace import Recorder, task_of
from openhcs.testing.explore.violation import Kind
from openhcs.testing.explore.virtual import VirtualLoop

__all__ = ["ExploringLoop"]

_RESOLUTION_S: Final = 1e-9
_SETTLING_TURNS: Final = 1000
_ABANDON_ROUNDS: Final = 5
_ABANDON_TURNS: Final = 20
_SLEEP: Final = "time passes to the next timer"
_NOTHING: Final = "nothing"


class ExploringLoop(VirtualLoop):
    """Runs one schedule. Made by a `Room`; a program meets it as its running loop."""

    def __init__(self, schedule: Schedule, steps: int, recorder: Recorder | None) -> None:
        super().__init__()
        self.schedule = schedule
        self.recorder = recorder
        self.main: asyncio.Task[Any] | None = None
        self.idle_waiters: list[asyncio.Future[None]] = []
        self._steps = steps
        self._settling = 0
        self._abandoned = 0
        self.visited: set[int] | None = None
        self.watched: list[Callable[[], object]] = []
        self.pruned = False
        self._in_any_order = schedule.bounds.order is Order.ANY

    @property
    def has_ended(self) -> bool:
        """Whether the scenario came to its end."""
        return self.main is not None and self.main.done()

    # -- one iteration -------------------------------------------------------------------------------------------

    def _run_once(self) -> None:
        if self._abandoned:
            self._run_ready(len(self._ready))
            self._abandoned = self._abandoned - 1 if self._ready else 0
            if not self._abandoned:
                self.stop()
            return
        while self._timers and self._timers[0][2].cancelled():
            heapq.heappop(self._timers)
        if not self._goes_on():
            self.stop()
        elif self._settling:
            self._run_ready(len(self._ready))
        elif self._in_any_order:
            self._iterate_in_any_order()
        else:
            self._iterate()

    def _goes_on(self) -> bool:
        oracles = self.oracles
        oracles.look_at_tasks()
        if self.schedule.broken or oracles.violations:
            return False
        assert self.main is not None
        if self._settling:
            self._settling += 1
            if self._ready and self._settling < _SETTLING_TURNS:
                return True
            self._end(self.main)
            return False
        if self.main.done():
            # What is ready still runs, as it would in `asyncio.run`; no time passes, and nothing comes from outside.
            self.schedule.muted = True
            self._settling = 1
            return self._goes_on()
        self.turn += 1
        if self.turn > self._steps:
            oracles.report_livelock(self._steps)
            return False
        if self.visited is not None and self.schedule.is_past_its_prefix:
            state = fingerprint(self, self.watched)
            self.pruned = state in self.visited
            self.visited.add(state)
            return not self.pruned
        return True

    def _end(self, main: asyncio.Task[Any]) -> None:
        self.oracles.look_at_main(main)
        if not self.oracles.violations:
            self.oracles.look_for_leaks(asyncio.all_tasks(self), main)
        for condition in self.oracles.at_end:
            if self.oracles.violations:
                break
            self.oracles.report(condition.violation(Kind.FINAL))

    def _iterate(self) -> None:
        events = self.outside.enabled(self._now)
        calm = self._is_idle()
        if calm:
            if not self._idle_conditions_hold():
                return
            calm = not self._tell_idle()
        if calm:
            woken = self._wake(events)
            if woken is None:
                return
            calm = not woken
        due = self._due_timers()
        while self._timers and (due or self._ready) and self._slow_step():
            due += self._due_timers()
        if self.outside.threads:
            calm = self._let_threads_end(calm)
        self._run_ready(len(self._ready))
        self._let_outside_happen(events, calm)
        for timer in due:
            self._run(timer)
        if due:
            # A timer may be what cancels: behind the others that are due, before any of those they wake.
            self._let_outside_happen([], False)

    def _is_idle(self) -> bool:
        return not self._ready and not (self._timers and self._timers[0][0] <= self._now)

    def _idle_conditions_hold(self) -> bool:
        return not any(self.oracles.report(each.violation(Kind.INVARIANT)) for each in self.oracles.when_idle)

    def _tell_idle(self) -> bool:
        """Wake who waits for nothing to be scheduled; whether somebody did."""
        waiters, self.idle_waiters = self.idle_waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
        return bool(self._ready)

    def _wake(self, events: list[OutsideEvent]) -> bool | None:
        """What ends the sleep of an idle loop: True for something outside, False for the next timer, None for ever."""
        free: list[Action] = [*events, *(thread for thread in self.outside.threads if self._may_end(thread))]
        actions = free + self.outside.cancellations()
        deadline = self.outside.deadline(events)
        may_sleep = bool(self._timers) and (deadline is None or self._timers[0][0] <= deadline)
        if may_sleep or not free:
            words = _SLEEP if may_sleep else "nothing can happen"
            costs = [Budget.FREE, *costs_of(actions, True)]
            option = self._decide("wake", costs, lambda: [words, *(action.label for action in actions)]) - 1
        else:
            option = self._decide("wake", costs_of(actions, True), lambda: [action.label for action in actions])
        if option >= 0:
            self._fire(actions[option])
            return True
        if may_sleep:
            self._now = max(self._now, self._timers[0][0])
            return False
        self.oracles.report_deadlock([event.name for event in self.outside.events])
        return None

    def _may_end(self, thread: ThreadEnd) -> bool:
        return thread.guard is None or bool(thread.guard())

    def _due_timers(self) -> list[asyncio.TimerHandle]:
        due = []
        end = self._now + _RESOLUTION_S
        while self._timers and self._timers[0][0] < end:
            due.append(heapq.heappop(self._timers)[2])
        return due

    def _slow_step(self) -> bool:
        if not self.schedule.purse[Budget.SLOW]:
            return False
        while self._timers and self._timers[0][2].cancelled():
            heapq.heappop(self._timers)
        if not self._timers:
            return False
        labels = [_NOTHING, "a slow step: the next timer is due although callbacks are ready"]
        if not self._decide("slow", (Budget.FREE, Budget.SLOW), lambda: labels):
            return False
        self._now = max(self._now, self._timers[0][0])
        return True

    def _let_threads_end(self, calm: bool) -> bool:
        """Threads may end: each puts its callback anywhere among those that the last iteration has appended."""
        while True:
            ends: list[tuple[ThreadEnd, int]] = []
            if calm or self.schedule.purse[Budget.RUSH]:
                length = len(self._ready)
                for thread in self.outside.threads:
                    if thread.turn < self.turn and self._may_end(thread):
                        first = min(thread.place, length) if thread.turn == self.turn - 1 else 0
                        ends += [(thread, place) for place in range(length, first - 1, -1)]
            if not ends:
                return calm
            cost = Budget.FREE if calm else Budget.RUSH
            costs = [Budget.FREE, *[cost] * len(ends)]
            chosen = self._decide("thread", costs, partial(_thread_labels, ends, len(self._ready)))
            if not chosen:
                return calm
            thread, place = ends[chosen - 1]
            before = len(self._ready)
            self._fire(thread, _thread_label(thread, place, before))
            arrived = [self._ready.pop() for _ in range(len(self._ready) - before)]
            for handle in arrived:
                self._ready.insert(place, handle)
            calm = False

    def _let_outside_happen(self, events: list[OutsideEvent], calm: bool) -> None:
        """Input that has arrived: any of it, in any order, after what was ready and before the timers."""
        purse = self.schedule.purse
        while True:
            actions: list[Action] = []
            if events and (calm or purse[Budget.RUSH]):
                actions += [event for event in events if not event.happened]
            if purse[Budget.CANCELS]:
                actions += self.outside.cancellations()
            if not actions or self.oracles.violations:
                return
            costs = [Budget.FREE, *costs_of(actions, calm)]
            chosen = self._decide("outside", costs, partial(_action_labels, actions))
            if not chosen:
                return
            self._fire(actions[chosen - 1])
            calm = False

    # -- any order -----------------------------------------------------------------------------------------------

    def _iterate_in_any_order(self) -> None:
        events = self.outside.enabled(self._now)
        calm = self._is_idle()
        if calm and not self._idle_conditions_hold():
            return
        if calm and not self._tell_idle():
            woken = self._wake(events)
            if woken is None:
                return
            calm = not woken
        self._ready.extend(self._due_timers())
        while self._timers and self._ready and self._slow_step():
            self._ready.extend(self._due_timers())
        if self.outside.threads:
            calm = self._let_threads_end(calm)
        self._let_outside_happen(events, calm)
        ready = [handle for handle in self._ready if not handle.cancelled()]
        self._ready.clear()
        self._ready.extend(ready)
        if ready:
            chosen = 0
            if self.schedule.purse[Budget.REORDER]:
                costs = [Budget.FREE, *[Budget.REORDER] * (len(ready) - 1)]
                chosen = self._decide("order", costs, lambda: [f"{_owner(handle)} runs next" for handle in ready])
            self._ready.rotate(-chosen)
            handle = self._ready.popleft()
            self._ready.rotate(chosen)
            self._run(handle)

    # -- one callback --------------------------------------------------------------------------------------------

    def _decide(self, kind: str, costs: Any, labels: Callable[[], list[str]]) -> int:
        """Ask the schedule, among the options that the budgets still allow; the index among all."""
        purse = self.schedule.purse
        if all(purse[cost] for cost in costs):
            return self.schedule.decide(kind, costs, labels)
        kept = [index for index, cost in enumerate(costs) if purse[cost]]
        return kept[self.schedule.decide(kind, [costs[index] for index in kept], _only(labels, kept))]

    def _fire(self, action: Action, label: str = "") -> None:
        """Let something outside happen, in the context of the run."""
        if isinstance(action, OutsideEvent):
            self.outside.forget(action)
        elif action in self.outside.threads:
            self.outside.threads.remove(action)
            # Its function runs in a thread: it must not find this loop running. An error there ends the exploration.
            if self.recorder is not None:
                self.recorder.happens(label or action.label, self._now)
            asyncio._set_running_loop(None)
            try:
                action.fire()
            finally:
                asyncio._set_running_loop(self)
            return
        self._run(asyncio.Handle(action.fire, (), self, contextvars.copy_context()), action)

    def _run_ready(self, count: int) -> None:
        ready = self._ready
        for _ in range(count):
            handle = ready.popleft()
            self._run(handle)

    def _run(self, handle: asyncio.Handle, action: Action | None = None) -> None:
        if handle._cancelled or (self.oracles.violations and not self._abandoned):
            return
        if self.recorder is None:
            handle._run()
        else:
            self.recorder.step(handle, self._now, action.label if action is not None else "")
        for condition in self.oracles.every_step:
            if self.oracles.report(condition.violation(Kind.INVARIANT)):
                break

    # -- the end -------------------------------------------------------------------------------------------------

    def abandon(self) -> None:
        """End what is left over of a run whose verdict is known, without a word."""
        self.oracles.muted = self.schedule.muted = True
        self.recorder = None
        self.set_exception_handler(None)
        self.outside.clear()
        self._timers.clear()
        for _ in range(_ABANDON_ROUNDS):
            alive = asyncio.all_tasks(self)
            if not alive and not self._ready:
                break
            for task in alive:
                task.cancel()
            self._abandoned = _ABANDON_TURNS
            with suppress(SystemExit):
                self.run_forever()
        self._abandoned = 0
        self._ready.clear()

    def finish(self) -> None:
        """Let go of everything, and close."""
        self.main = None
        self.idle_waiters.clear()
        self.signal_handlers.clear()
        self._timers.clear()
        if self._asyncgens:
            closing = asyncio.Task(self.shutdown_asyncgens(), loop=self)
            for _ in range(_ABANDON_ROUNDS):
                self._abandoned = _ABANDON_TURNS
                self.run_forever()
                if closing.done():
                    break
                closing.cancel()  # a generator whose end waits for a timer or for the world waits for ever
        self.close()


def _owner(handle: asyncio.Handle) -> str:
    task = task_of(handle)
    callback: Any = handle._callback  # type: ignore[attr-defined]
    return f"task {task.get_name()!r}" if task is not None else f"callback {name_of(callback)}"


def _action_labels(actions: list[Action]) -> list[str]:
    return [_NOTHING, *(action.label for action in actions)]


def _thread_labels(ends: list[tuple[ThreadEnd, int]], length: int) -> list[str]:
    return [_NOTHING, *(_thread_label(thread, place, length) for thread, place in ends)]


def _thread_label(thread: ThreadEnd, place: int, length: int) -> str:
    return f"{thread.label}{f', before {length - place} callbacks that are ready' if place < length else ''}"


def _only(labels: Callable[[], list[str]], kept: list[int]) -> Callable[[], list[str]]:
    def some() -> list[str]:
        every = labels()
        return [every[index] for index in kept]

    return some
