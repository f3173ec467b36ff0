"""Sites numbered by where they lie: from the top row of a well to the lowest, each from left to right.

Microscopes number fields in the order in which they went there, a spiral for one, which says nothing about neighbours.
Pure; standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["Place", "have_one_layout", "number_sites"]

Place = tuple[float, float]
"""Stage position (x, y) in micrometres, y growing upwards."""

_SAME_ROW_UM = 1.0
"""Positions closer than this are meant to be equal: stages repeat to a fraction of it, fields are far larger."""


def number_sites(wells: Mapping[str, Mapping[int, Place | None]]) -> dict[tuple[str, int], int]:
    """The site number, from 1, of each (well, field).

    Where every well has its fields at the same places, a field has one number on the whole plate, also in wells that
    lack others. Where wells differ, each is numbered by itself. Without positions, fields keep their own order.

    Args:
        wells: for each well the place of each field, None where it is not known.
    """
    if have_one_layout(wells):
        everywhere = {field: place for fields in wells.values() for field, place in fields.items()}
        numbers = _ranks(everywhere)
        return {(well, field): numbers[field] for well, fields in wells.items() for field in fields}
    return {(well, field): number for well, fields in wells.items() for field, number in _ranks(fields).items()}


def have_one_layout(wells: Mapping[str, Mapping[int, Place | None]]) -> bool:
    """Whether every field is at the same place in all wells that have it."""
    places: dict[int, Place | None] = {}
    for fields in wells.values():
        for field, place in fields.items():
            known = places.setdefault(field, place)
            if known is place:
                continue
            if known is None or place is None:
                return False
            if abs(known[0] - place[0]) > _SAME_ROW_UM or abs(known[1] - place[1]) > _SAME_ROW_UM:
                return False
    return True


def _ranks(fields: Mapping[int, Place | None]) -> dict[int, int]:
    placed = [(-place[1], place[0], field) for field, place in sorted(fields.items()) if place is not None]
    if len(placed) < len(fields):
        return {field: number for number, field in enumerate(sorted(fields), start=1)}
    rows: list[list[tuple[float, int]]] = []
    above: float | None = None
    for down, x, field in sorted(placed):
        if above is None or down - above > _SAME_ROW_UM:
            rows.append([])
        rows[-1].append((x, field))
        above = down
    return {field: number for number, (_, field) in enumerate((one for row in rows for one in sorted(row)), start=1)}
