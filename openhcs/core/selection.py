"""Which wells and sites of a plate a run takes, as people write it and as a rule: pure functions of names.

    A01, b3      wells by name           A01-C03    a rectangle of wells, corner to corner
    C, A-C       whole rows              3, 1-6     whole columns

Commas join them. A range takes what the plate has of it; one that takes nothing is refused. Anybody may import this.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from openhcs.core.model import well_name, well_position
from openhcs.core.wording import did_you_mean, name_wells
from openhcs.errors import InputError

__all__ = ["WELL_SYNTAX", "WellRange", "choose_wells", "parse_sites", "parse_wells", "sites_text", "spread_wells"]

WELL_SYNTAX = "wells (A01,B02), rectangles (A01-C03), rows (C or A-C) or columns (3 or 1-6)"

_END = re.compile(r"(?P<row>[A-Za-z]{0,2})(?P<column>\d{0,2})")
_MOST_ROWS, _MOST_COLUMNS = 32, 48


@dataclass(frozen=True, slots=True)
class WellRange:
    """A rectangle of wells, its ends included, counted from 0; `text` is what it was written as."""

    text: str
    first: tuple[int, int]
    last: tuple[int, int]

    def __contains__(self, well: str) -> bool:
        row, column = well_position(well)
        return self.first[0] <= row <= self.last[0] and self.first[1] <= column <= self.last[1]


def parse_wells(text: str) -> tuple[WellRange, ...]:
    """The ranges that `text` names; raises `InputError`."""
    words = [word for word in re.split(r"[,\s]+", text) if word]
    if not words:
        raise InputError(f"wells: {text!r}; expected {WELL_SYNTAX}.")
    return tuple(_parse_range(word) for word in words)


def choose_wells(ranges: Sequence[WellRange], existing: Collection[str]) -> tuple[str, ...]:
    """The wells among `existing` that `ranges` take, in row-major order.

    Raises:
        InputError: a range takes none.
    """
    chosen: set[str] = set()
    for one in ranges:
        taken = {well for well in existing if well in one}
        if not taken:
            hint = did_you_mean(well_name(*one.first), existing) if one.first == one.last else ""
            raise InputError(f"wells: {one.text}; expected wells that the plate has: {name_wells(existing)}.{hint}")
        chosen |= taken
    return tuple(sorted(chosen, key=well_position))


def spread_wells(wells: Collection[str], count: int) -> tuple[str, ...]:
    """At most `count` of `wells`, far apart on the plate, in row-major order.

    The first well is one of them and each next is the one farthest from all before, so the same plate gives the same
    wells, and a larger count gives the ones of a smaller count and more.
    """
    left = {well: well_position(well) for well in sorted(wells, key=well_position)}
    chosen: dict[str, tuple[int, int]] = {}
    distance = dict.fromkeys(left, float("inf"))
    while left and len(chosen) < count:
        well = max(left, key=lambda name: distance[name])
        row, column = chosen[well] = left.pop(well)
        for name, (other_row, other_column) in left.items():
            distance[name] = min(distance[name], (row - other_row) ** 2 + (column - other_column) ** 2)
    return tuple(sorted(chosen, key=well_position))


def parse_sites(text: str) -> tuple[int, ...]:
    """The sites that `1,3-5` names, in order; raises `InputError`."""
    sites: set[int] = set()
    for word in re.split(r"[,\s]+", text.strip(", ")):
        match = re.fullmatch(r"(\d{1,5})(?:[-:](\d{1,5}))?", word)
        first = int(match[1]) if match else 0
        last = int(match[2]) if match and match[2] else first
        if not 1 <= first <= last:
            raise InputError(f"sites: {word!r}; expected numbers from 1, as in 1,3-5.")
        sites.update(range(first, last + 1))
    return tuple(sorted(sites))


def sites_text(sites: Collection[int]) -> str:
    """Sites as people write them, as `parse_sites` reads them: `1,3-5`."""
    rows: list[list[int]] = []
    for site in sorted(sites):
        if rows and rows[-1][-1] == site - 1:
            rows[-1].append(site)
        else:
            rows.append([site])
    return ",".join(str(row[0]) if len(row) == 1 else f"{row[0]}-{row[-1]}" for row in rows)


def _parse_range(word: str) -> WellRange:
    ends = [_END.fullmatch(end) for end in re.split("[-:]", word)]
    first, last = ends[0], ends[-1]
    if len(ends) > 2 or first is None or last is None or bool(first["row"]) != bool(last["row"]):
        raise _not_wells(word)
    if bool(first["column"]) != bool(last["column"]) or not first[0]:
        raise _not_wells(word)
    low, high = _corner(first, (0, 0)), _corner(last, (_MOST_ROWS - 1, _MOST_COLUMNS - 1))
    if not (0 <= low[0] <= high[0] < _MOST_ROWS and 0 <= low[1] <= high[1] < _MOST_COLUMNS):
        raise _not_wells(word)
    return WellRange(word, low, high)


def _corner(end: re.Match[str], open_: tuple[int, int]) -> tuple[int, int]:
    """Row and column of one end; those of `open_` where it names none."""
    row, column = well_position(f"{end['row'] or 'A'}{end['column'] or 1}")
    return row if end["row"] else open_[0], column if end["column"] else open_[1]


def _not_wells(word: str) -> InputError:
    return InputError(f"wells: {word!r}; expected {WELL_SYNTAX}.")
