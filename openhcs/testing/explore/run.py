"""One run of a scenario under one schedule, and the room in which runs cannot see each other.

Garbage of a run would complain in the next one, so each run ends with a collection inside its own capture of warnings;
what lived before the first run is frozen, which makes that collection cheap. Automatic collection is off meanwhile:
its moments would not be the same twice.
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import random
import sys
import warnings
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from openhcs.testing.explore.loop import ExploringLoop
from openhcs.testing.explore.oracles import Oracles
from openhcs.testing.explore.schedule import Record, Schedule
from openhcs.testing.explore.trace import Recorder
from openhcs.testing.explore.violation import Violation
from openhcs.testing.explore.world import World

__all__ = ["Room", "Run", "Scenario", "origins_kept", "room"]

Scenario = Callable[[World], Coroutine[Any, Any, object]]

_SEED = 0
_ORIGINS = 12
"""Frames kept of where a coroutine was made, when a run is replayed for its report."""


@dataclass(frozen=True, slots=True)
class Run:
    """What one schedule led to."""

    record: Record
    violations: tuple[Violation, ...]
    time: float
    turns: int
    spent: dict[str, int]
    pruned: bool = False
    """It stopped at a state in which another run has been."""


class Room:
    """Runs schedules of one scenario, one after the other, each as if it were the first."""

    def __init__(self, scenario: Scenario, warned: list[warnings.WarningMessage]) -> None:
        self._scenario = scenario
        self._warned = warned
        self._passed_on: dict[tuple[str, str, int], warnings.WarningMessage] = {}
        self._oracles: Oracles | None = None
        self.visited: set[int] | None = None
        """The states that runs were in, if those that meet one again are to stop."""

    @property
    def other_warnings(self) -> list[warnings.WarningMessage]:
        """What was warned of that is no fault of a schedule: deprecations, for one; each once."""
        return list(self._passed_on.values())

    def run(self, schedule: Schedule, steps: int, recorder: Recorder | None = None) -> Run:
        """Run the scenario under `schedule`; raises `NonDeterminism`."""
        random.seed(_SEED)
        loop = ExploringLoop(schedule, steps, recorder)
        schedule.recorder = recorder
        if recorder is None:
            loop.visited = self.visited
        world = World(loop)
        self._oracles = loop.oracles
        try:
            contextvars.copy_context().run(self._play, loop, world)
        finally:
            world.restore()
            turns, time, pruned = loop.turn, loop.time(), loop.pruned
            oracles = loop.oracles
            settled = (
                schedule.broken is None and loop.has_ended and not (oracles.violations and asyncio.all_tasks(loop))
            )
            if not settled:
                loop.abandon()
            oracles.clear()
            loop.outside.clear()
            loop.finish()
            del loop, world
            self._collect(oracles, settled)
        spent = schedule.bounds.spent(schedule.purse)
        return Run(schedule.finish(), oracles.all_violations, time, turns, spent, pruned)

    def _play(self, loop: ExploringLoop, world: World) -> None:
        loop.main = loop.create_task(self._scenario(world), name="main")
        try:
            loop.run_forever()
        except SystemExit as error:  # a task raised it, and asyncio lets it through
            loop.oracles.report_exit(error)

    def _collect(self, oracles: Oracles, settled: bool) -> None:
        if settled:
            self._hear(oracles)
        gc.collect()
        gc.freeze()  # what a search remembers would else be walked again after every run
        if settled:
            self._hear(oracles)
        self._warned.clear()
        self._oracles = None

    def _hear(self, oracles: Oracles) -> None:
        for warning in self._warned:
            if issubclass(warning.category, RuntimeWarning):
                oracles.hear_warning(str(warning.message))
            else:
                key = (str(warning.message), warning.filename, warning.lineno)
                self._passed_on.setdefault(key, warning)
        self._warned.clear()

    def hear_unraisable(self, unraisable: Any) -> None:
        """`sys.unraisablehook` while the room is open."""
        if self._oracles is not None:
            place = getattr(unraisable.object, "__qualname__", type(unraisable.object).__name__)
            self._oracles.hear_unraisable(unraisable.exc_value, place)


@contextmanager
def room(scenario: Scenario) -> Iterator[Room]:
    """A room for `scenario`; what it changes of the interpreter is as before afterwards."""
    before = gc.isenabled(), random.getstate(), sys.unraisablehook
    thawed = gc.get_freeze_count() == 0
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            made = Room(scenario, warned)
            sys.unraisablehook = made.hear_unraisable
            yield made
    finally:
        enabled, state, sys.unraisablehook = before
        random.setstate(state)
        if thawed:
            gc.unfreeze()
        if enabled:
            gc.enable()
    for warning in made.other_warnings:
        warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)


@contextmanager
def origins_kept() -> Iterator[None]:
    """Remember where coroutines are made: dear, so only while a run is replayed for a report."""
    before = sys.get_coroutine_origin_tracking_depth()
    sys.set_coroutine_origin_tracking_depth(_ORIGINS)
    try:
        yield
    finally:
        sys.set_coroutine_origin_tracking_depth(before)
