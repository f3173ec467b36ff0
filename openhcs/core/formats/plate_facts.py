"""What every format says about a plate in the same way: its grid, its channels' names, its one pixel size. Pure."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from operator import attrgetter

from openhcs.core.formats.discrepancies import name_some
from openhcs.core.model import COMBINED, Component, Discrepancy, PlaneKey, well_position

__all__ = [
    "STANDARD_PLATES",
    "above_first",
    "differing_pixel_sizes",
    "longest_series",
    "plate_grid",
    "since_first",
    "told_apart",
]

STANDARD_PLATES = ((2, 3), (3, 4), (4, 6), (6, 8), (8, 12), (16, 24), (32, 48))
"""Rows and columns of the plates that are made, from 6 wells to 1,536."""


def plate_grid(wells: Collection[str], planned: tuple[int | None, int | None] = (None, None)) -> tuple[int, int]:
    """Rows and columns of the plate: as planned, or the smallest standard plate that holds the wells."""
    positions = [well_position(well) for well in wells]
    rows, columns = max(row for row, _ in positions) + 1, max(column for _, column in positions) + 1
    told = [(planned[0], planned[1])] if planned[0] and planned[1] else []
    return next(size for size in (*told, *STANDARD_PLATES) if size[0] >= rows and size[1] >= columns)


def told_apart(names: Mapping[int, str], prefix: str) -> dict[int, str]:
    """Channel names by number; those of one name get their number: `TL (w1)`, `TL (w2)` with `w` for a prefix."""
    shared = {name for name, count in Counter(names.values()).items() if count > 1}
    return {number: f"{name} ({prefix}{number})" if name in shared else name for number, name in names.items()}


def longest_series(planes: Iterable[PlaneKey], axis: Component = Component.T) -> dict[int, PlaneKey]:
    """By number on an axis, the planes of the first place (all but the axis) that has most; empty if all have one."""
    keys = [key for key in planes if key.component(axis) != COMBINED]
    if len({key.component(axis) for key in keys}) < 2:
        return {}
    place_of = attrgetter("well", *(other.value for other in Component if other is not axis))
    series: dict[object, dict[int, PlaneKey]] = {}
    for key in keys:
        series.setdefault(place_of(key), {})[key.component(axis)] = key
    return max(series.values(), key=len)


def since_first(times_s: Mapping[int, float | None]) -> dict[int, float]:
    """Seconds from the first time point known to each, by t; nothing where times do not grow with t."""
    known = _since_first(times_s)
    return known if all(later > earlier for earlier, later in itertools.pairwise(known.values())) else {}


def above_first(heights_um: Mapping[int, float | None]) -> dict[int, float]:
    """Micrometres from the first plane known to each, by z; nothing where they neither rise nor fall all the way."""
    known = _since_first(heights_um)
    steps = [later - earlier for earlier, later in itertools.pairwise(known.values())]
    return known if all(step > 0 for step in steps) or all(step < 0 for step in steps) else {}


def _since_first(values: Mapping[int, float | None]) -> dict[int, float]:
    known = [(number, value) for number, value in sorted(values.items()) if value is not None]
    return {number: round(value - known[0][1], 3) for number, value in known} if len(known) > 1 else {}


def differing_pixel_sizes(what: str, sizes_um: Mapping[str, float]) -> Iterator[Discrepancy]:
    """One sentence if the `what` (channels, sites), by what they are called here, differ in pixel size."""
    if len(set(sizes_um.values())) > 1:
        each = name_some([f"{name} {size:g} um" for name, size in sizes_um.items()])
        yield Discrepancy(f"{what} differ in pixel size: {each}; the first is taken for the plate")
