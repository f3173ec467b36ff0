"""All schedules within bounds, the cheapest first: depth first within a level, the levels by what they spend.

Every run follows a prefix and then takes first options; each option it did not take, after its prefix, is a branch to
run later. So every schedule is run once, a schedule that spends 0 before any that spends 1, and what waits is as many
branches as there are untaken options: no state of the program is kept.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from openhcs.testing.explore.bounds import Bounds
from openhcs.testing.explore.run import Room, Run
from openhcs.testing.explore.schedule import Record, Schedule

__all__ = ["Limits", "Progress", "every_schedule"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Where a search gives up, though it has not ended: wall-clock seconds and schedules, None for no limit."""

    seconds: float | None = None
    schedules: int | None = None

    def reached(self, began: float, schedules: int) -> str:
        """Which limit is reached, or ""."""
        if self.schedules is not None and schedules >= self.schedules:
            return f"the limit of {self.schedules:,} schedules"
        if self.seconds is not None and time.perf_counter() - began >= self.seconds:
            return f"the limit of {self.seconds:g} s"
        return ""


@dataclass(slots=True)
class Progress:
    """How far a search has come."""

    schedules: int = 0
    depth: int = 0
    """The most choices that one run made."""
    stopped_by: str = ""
    """The limit that ended it."""
    complete: bool = False
    """Whether nothing was left to run."""
    pruned: int = 0
    """How many runs stopped at a state in which another had been."""


@dataclass(frozen=True, slots=True)
class _Branch:
    """The options of `origin` before `at`, then `option`."""

    origin: Record
    at: int
    option: int

    def schedule(self, bounds: Bounds) -> Schedule:
        prefix = (*self.origin.options[: self.at], self.option)
        return Schedule(bounds, prefix, [len(costs) for costs in self.origin.costs[: self.at + 1]])


def every_schedule(room: Room, bounds: Bounds, limits: Limits, progress: Progress) -> Iterator[Run]:
    """Run all schedules within `bounds`, until they are exhausted or a limit is reached; `progress` tells which."""
    began = time.perf_counter()
    levels: list[list[_Branch]] = [[]]
    run = room.run(Schedule(bounds), bounds.steps)
    known = 0
    while True:
        progress.schedules += 1
        progress.depth = max(progress.depth, len(run.record.options))
        progress.pruned += run.pruned
        yield run
        _add_branches(levels, run.record, known)
        level = next((level for level in levels if level), None)
        if level is None:
            progress.complete = not progress.pruned
            progress.stopped_by = f"{progress.pruned:,} of them left at a known state" if progress.pruned else ""
            return
        progress.stopped_by = limits.reached(began, progress.schedules)
        if progress.stopped_by:
            return
        branch = level.pop()
        known = branch.at + 1
        run = room.run(branch.schedule(bounds), bounds.steps)


def _add_branches(levels: list[list[_Branch]], record: Record, known: int) -> None:
    """Every option that was not taken after the first `known` choices, by what a schedule that takes it has spent."""
    spent = 0
    for at, (taken, costs) in enumerate(zip(record.options, record.costs, strict=True)):
        if at >= known:
            for option in range(len(costs) - 1, 0, -1):
                level = spent + (costs[option] != 0)
                while level >= len(levels):
                    levels.append([])
                levels[level].append(_Branch(record, at, option))
        spent += costs[taken] != 0
