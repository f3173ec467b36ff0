"""How values are shown, a wrong one too; what name may have been meant; many wells in few words; how names sort.

Anybody may import this.
"""

from __future__ import annotations

import difflib
import itertools
import re
import reprlib
from collections.abc import Iterable

from openhcs.core.model import Discrepancy, ParameterValue, well_name, well_position

__all__ = [
    "NOTHING",
    "did_you_mean",
    "is_text",
    "name_wells",
    "natural_key",
    "show_value",
    "told_once",
    "value_text",
]

NOTHING = "none"
"""How it is written that an optional parameter has no value."""

_shortened = reprlib.Repr()
_shortened.maxlevel = 2  # by default six levels of six items each are shown, which can be megabytes


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """` Did you mean a or b?` from the known names most like `name`, or nothing."""
    close = difflib.get_close_matches(name, list(known), n=2, cutoff=0.6)
    return f" Did you mean {' or '.join(close)}?" if close else ""


def is_text(name: str) -> bool:
    """Whether a file's name is text: bytes that are not UTF-8 come as surrogates, which no file of ours can hold."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def value_text(value: ParameterValue) -> str:
    """A parameter's value as it is shown and may be typed: no number loses a digit."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """What to sort names by as people count: `plate 9` before `plate 10`, whatever the case."""
    parts = re.split(r"([0-9]+)", name.casefold())
    return tuple((0, int(part), "") if at % 2 else (1, 0, part) for at, part in enumerate(parts))


def show_value(value: object) -> str:
    """A value as Python writes it, shortened."""
    return _shortened.repr(value)


def name_wells(wells: Iterable[str]) -> str:
    """The wells in row-major order, rectangles of them by their corners: `A01-C12, D03`, as `--wells` takes them."""
    rectangles: list[tuple[int, int, int, int]] = []  # first and last row, first and last column
    for row, in_row in itertools.groupby(sorted(set(map(well_position, wells))), key=lambda position: position[0]):
        for first, last in _runs(column for _, column in in_row):
            above = next((r for r in rectangles if r[1:] == (row - 1, first, last)), None)
            if above is None:
                rectangles.append((row, row, first, last))
            else:
                rectangles[rectangles.index(above)] = (above[0], row, first, last)
    corners = [(well_name(top, left), well_name(bottom, right)) for top, bottom, left, right in rectangles]
    return ", ".join(first if first == last else f"{first}-{last}" for first, last in corners)


def _runs(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """The first and last of each run of numbers, which come in order."""
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs


def told_once(discrepancies: Iterable[Discrepancy]) -> list[str]:
    """A line for each difference, with all wells that have it: `wells A01-A12, B03: 2 of 9 planes missing: site 3`."""
    wells: dict[str, list[str]] = {}
    for discrepancy in discrepancies:
        of_message = wells.setdefault(discrepancy.message, [])
        if discrepancy.well is not None:
            of_message.append(discrepancy.well)
    return [
        f"{'well' if len(set(names)) == 1 else 'wells'} {name_wells(names)}: {message}" if names else message
        for message, names in wells.items()
    ]
