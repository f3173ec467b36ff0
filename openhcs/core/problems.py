"""Problems that several wells share become one that names them all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from openhcs.core.wording import name_wells
from openhcs.errors import Problem

__all__ = ["merge_wells"]


def merge_wells(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """One problem for each message and place, in the order of the first, with all its wells: `A01-A12, B03`."""
    wells: dict[Problem, list[str]] = {}
    for problem in problems:
        of_problem = wells.setdefault(replace(problem, well=None), [])
        if problem.well is not None:
            of_problem.append(problem.well)
    return tuple(replace(problem, well=name_wells(names) if names else None) for problem, names in wells.items())
