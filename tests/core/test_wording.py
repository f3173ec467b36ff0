"""How many wells, their differences and values are told for people to read."""

from __future__ import annotations

from openhcs.core.model import Discrepancy, well_name
from openhcs.core.wording import name_wells, told_once, value_text


def test_wells_side_by_side_are_drawn_together() -> None:
    """Rectangles of wells are named by their corners, and single wells one by one, in row-major order."""
    assert name_wells(["B03", "A03", "A01", "A02", "A03", "A05"]) == "A01-A03, A05, B03"
    assert name_wells(["AA47", "AA48", "B02"]) == "B02, AA47-AA48"
    assert name_wells(["B01", "B02", "C01", "C02", "C03", "D02", "D03", "E02", "E03"]) == "B01-B02, C01-C03, D02-E03"


def test_a_difference_that_many_wells_share_is_told_once() -> None:
    """A partly copied plate of 384 wells is told in a line, and the plate's own differences as they came."""
    wells = [well_name(row, column) for row in range(16) for column in range(24)]
    missing = [Discrepancy("2 of 9 planes missing: site 3", well) for well in wells]
    lines = told_once([Discrepancy("HTD says 4 waves"), *missing, Discrepancy("1 of 9 planes missing: site 9", "C01")])
    assert lines[0] == "HTD says 4 waves"
    assert lines[1] == "wells A01-P24: 2 of 9 planes missing: site 3"
    assert lines[2:] == ["well C01: 1 of 9 planes missing: site 9"]


def test_a_value_is_shown_with_all_its_digits() -> None:
    """A large area is not rounded, and a whole number that happens to be a float needs no point."""
    assert [value_text(value) for value in (12_345_678.5, 2.0, True, None, "otsu")] == [
        "12345678.5",
        "2",
        "true",
        "none",
        "otsu",
    ]
