"""Schedules drawn by chance, for what cannot be exhausted: random walks, and PCT.

Both are policies like any other: they decide where a schedule has no prefix, and what they found is replayed by its
token without them. A sampling never proves anything.

PCT follows Burckhardt, Kothari, Musuvathi and Nagarakatte, "A randomized scheduler with probabilistic guarantees of
finding bugs" (ASPLOS 2010), with what lets a callback run or an event happen in the place of threads: everything has a
random priority, the highest acts, and at a few random moments the one that would act is put last. Its guarantee is
about threads; here it is a heuristic.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from enum import StrEnum

from openhcs.testing.explore.bounds import Bounds
from openhcs.testing.explore.run import Room, Run
from openhcs.testing.explore.schedule import Labels, Schedule
from openhcs.testing.explore.search import Limits, Progress

__all__ = ["Method", "Pct", "RandomWalk", "sampled_schedules"]

_FIRST_GUESS = 20
"""How many choices a run is thought to make before the first has run."""


class Method(StrEnum):
    """How schedules are drawn."""

    RANDOM = "random"
    PCT = "pct"


class RandomWalk:
    """Free options with equal chance; a deviation about as often as leaves some of the budget for the end.

    Args:
        chance: of a deviation, at each choice that offers one.
    """

    def __init__(self, draw: random.Random, chance: float) -> None:
        self._draw = draw
        self._chance = chance

    def pick(self, costs: Sequence[int], labels: Labels) -> int:
        dear = [option for option, cost in enumerate(costs) if cost]
        if dear and self._draw.random() < self._chance:
            return self._draw.choice(dear)
        return self._draw.choice([option for option, cost in enumerate(costs) if not cost] or dear)


class Pct:
    """Random priorities, and a few moments at which the first is put last.

    Args:
        length: how many choices a run is thought to make.
        changes: how many moments; a fault that needs n things in one order needs n - 1.
    """

    def __init__(self, draw: random.Random, length: int, changes: int) -> None:
        self._draw = draw
        self._priorities: dict[str, float] = {}
        self._moments = {draw.randrange(max(1, length)) for _ in range(changes)}
        self._choices = 0

    def pick(self, costs: Sequence[int], labels: Labels) -> int:
        actors = labels()
        for actor in actors:
            self._priorities.setdefault(actor, self._draw.random())
        if self._choices in self._moments:
            self._priorities[max(actors, key=self._priorities.__getitem__)] = -float(self._choices)
        self._choices += 1
        return max(range(len(actors)), key=lambda option: self._priorities[actors[option]])


def sampled_schedules(
    room: Room, bounds: Bounds, limits: Limits, progress: Progress, method: Method, seed: int, changes: int
) -> Iterator[Run]:
    """Run schedules drawn with `seed` until a limit is reached."""
    began = time.perf_counter()
    while not (stopped := limits.reached(began, progress.schedules)):
        draw = random.Random(f"{seed}:{progress.schedules}")
        length = progress.depth or _FIRST_GUESS
        policy = Pct(draw, length, changes) if method is Method.PCT else RandomWalk(draw, min(0.5, 3 / length))
        run = room.run(Schedule(bounds, policy=policy), bounds.steps)
        progress.schedules += 1
        progress.depth = max(progress.depth, len(run.record.options))
        yield run
    progress.stopped_by = stopped
