"""Names in the order in which people count: site 2 before site 10, whatever the case.

Names of one folder are alike: a hundred thousand images differ by the digits in a few places. So what has to be padded
is worked out once for each shape, a name with its digits masked, and not for each name.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

__all__ = ["fold_all", "in_order", "natural_keys"]

AT_ONCE: Final = 4096
"""Names, or rows to sort, in one call that holds the interpreter lock: about a millisecond of it."""

MOST_RUNS: Final = 8
WIDEST: Final = 20
"""Numbers of a name that are counted, and their digits: past these, as in a GUID, characters are compared."""

_RUN: Final = re.compile("0+")
_MASK: Final = str.maketrans("123456789", "0" * 9)
_SEPARATOR: Final = "\0"
"""In no name of any file system, and in a class of its own when accents are composed."""


def fold_all(names: Sequence[str], fold: Callable[[str], str]) -> list[str]:
    """`fold` of each name, a few thousand in one call; a name that is the same folded is the same object."""
    folded: list[str] = []
    for start in range(0, len(names), AT_ONCE):
        part = names[start : start + AT_ONCE]
        result = fold(_SEPARATOR.join(part)).split(_SEPARATOR)
        folded += [name if name == other else other for name, other in zip(part, result, strict=True)]
    return folded


def natural_keys(folded: Sequence[str]) -> list[str]:
    """For each folded name a string to sort it by: numbers padded with zeros to the widest in their place."""
    shapes = fold_all(folded, lambda text: text.translate(_MASK))
    runs = {
        shape: [match.span() for match in itertools.islice(_RUN.finditer(shape), MOST_RUNS)] for shape in set(shapes)
    }
    widths = [0] * MOST_RUNS
    for spans in runs.values():
        for number, (start, end) in enumerate(spans):
            if widths[number] < end - start <= WIDEST:
                widths[number] = end - start
    # Where zeros go in, from the right, so that the places to the left stay where they are.
    pads = {
        shape: [
            (start, "0" * missing)
            for number, (start, end) in reversed(list(enumerate(spans)))
            if (missing := widths[number] - (end - start)) > 0
        ]
        for shape, spans in runs.items()
    }
    if not any(pads.values()):
        return list(folded)
    return [_padded(name, pad) if (pad := pads[shape]) else name for name, shape in zip(folded, shapes, strict=True)]


def _runs(shape: str) -> list[tuple[int, int]]:
    return [match.span() for match in itertools.islice(_RUN.finditer(shape), MOST_RUNS)]


def _padded(name: str, pads: list[tuple[int, str]]) -> str:
    for start, zeros in pads:
        name = name[:start] + zeros + name[start:]
    return name


def in_order(rows: Sequence[int], key: Callable[[int], Any], *, backwards: bool = False) -> list[int]:
    """`rows` sorted by `key`, equal ones as they stand; the interpreter lock is never held for all of them at once.

    Sorting a hundred thousand strings is one call of some 50 ms, in which no other thread runs. Here parts are sorted
    first; the last call finds each part in order, and only merges.
    """
    if len(rows) <= AT_ONCE:
        return sorted(rows, key=key, reverse=backwards)
    ordered: list[int] = []
    for start in range(0, len(rows), AT_ONCE):
        ordered += sorted(rows[start : start + AT_ONCE], key=key, reverse=backwards)
    ordered.sort(key=key, reverse=backwards)
    return ordered
