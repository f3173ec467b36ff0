"""A violated schedule made smaller: fewer deviations, then earlier options, with the same violation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from openhcs.testing.explore.bounds import Bounds
from openhcs.testing.explore.errors import NonDeterminism
from openhcs.testing.explore.run import Room, Run
from openhcs.testing.explore.schedule import Schedule

__all__ = ["smallest"]

_ATTEMPTS: Final = 400


def smallest(room: Room, bounds: Bounds, run: Run) -> Run:
    """The smallest run with the first violation of `run` that single changes of its choices lead to.

    Small means: little spent, few choices that are not the first option, few choices, early options.
    """
    label = run.violations[0].label
    best = run
    attempts = 0
    changes = _changes(best.record.options)
    while attempts < _ATTEMPTS and (options := next(changes, None)) is not None:
        attempts += 1
        tried = _try(room, bounds, options)
        if tried is not None and tried.violations and tried.violations[0].label == label and _size(tried) < _size(best):
            best = tried
            changes = _changes(best.record.options)
    return best


def _changes(options: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """What differs in one choice: an earlier option, or the same option at an earlier choice."""
    taken = [at for at, option in enumerate(options) if option]
    for at in reversed(taken):
        for option in range(options[at]):
            yield (*options[:at], option, *options[at + 1 :])
    for at in taken:
        for earlier in range(at):
            if not options[earlier]:
                yield (*options[:earlier], options[at], *options[earlier + 1 : at], 0, *options[at + 1 :])


def _try(room: Room, bounds: Bounds, options: tuple[int, ...]) -> Run | None:
    """A run with these options, as far as they fit: another choice early on changes what comes later."""
    while options and not options[-1]:
        options = options[:-1]
    try:
        return room.run(Schedule(bounds, options), bounds.steps)
    except NonDeterminism:
        return None


def _size(run: Run) -> tuple[int, int, int, tuple[int, ...]]:
    options = run.record.options
    return run.record.spent, sum(option != 0 for option in options), run.turns, options
