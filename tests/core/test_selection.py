"""Wells and sites as people write them, and wells spread over a plate."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhcs.core.model import well_name, well_position
from openhcs.core.selection import choose_wells, parse_sites, parse_wells, sites_text, spread_wells
from openhcs.core.wording import name_wells
from openhcs.errors import InputError

PLATE = tuple(well_name(row, column) for row in range(8) for column in range(12))


@pytest.mark.parametrize(
    ("text", "wells"),
    [
        ("A01", "A01"),
        ("a1, h12,", "A01 H12"),
        ("A01-B02", "A01 A02 B01 B02"),
        ("A01:B02", "A01 A02 B01 B02"),
        ("B02,A01-A03,A02", "A01 A02 A03 B02"),
        ("H", " ".join(f"H{column:02d}" for column in range(1, 13))),
        ("12", " ".join(f"{row}12" for row in "ABCDEFGH")),
        ("G-P", " ".join(f"{row}{column:02d}" for row in "GH" for column in range(1, 13))),
        ("11-20", " ".join(f"{row}{column}" for row in "ABCDEFGH" for column in (11, 12))),
    ],
)
def test_wells_are_named_alone_in_rectangles_rows_and_columns(text: str, wells: str) -> None:
    """Every form takes the wells that the plate has of it, each once, in row-major order."""
    assert choose_wells(parse_wells(text), PLATE) == tuple(wells.split())


@pytest.mark.parametrize(
    "text",
    ["", " , ", "A01;B02", "A01-C", "A-3", "B02-A01", "A02-B01", "A0", "0", "A1-B2-C3", "A01-", "AZ01", "é1", "C-A"],
)
def test_what_names_no_wells_is_refused(text: str) -> None:
    """A word that is none of the forms, or runs backwards, is refused with the forms there are."""
    with pytest.raises(InputError, match="expected wells"):
        parse_wells(text)


def test_a_range_that_the_plate_has_nothing_of_is_refused() -> None:
    """A well that the plate lacks is told with those it has, and the one most like it."""
    with pytest.raises(InputError, match=r"wells: J01; expected wells that the plate has: A01-H12"):
        choose_wells(parse_wells("J01"), PLATE)
    with pytest.raises(InputError, match=r"wells: 24"):
        choose_wells(parse_wells("A01,24"), PLATE)


@given(st.sets(st.sampled_from(PLATE), min_size=1))
def test_messages_name_wells_as_they_are_chosen(wells: set[str]) -> None:
    """What a message says of wells can be given back to choose them."""
    assert set(choose_wells(parse_wells(name_wells(wells)), PLATE)) == wells


@given(st.sets(st.sampled_from(PLATE)), st.integers(0, 9), st.integers(0, 9))
def test_wells_to_try_are_spread_and_stay_when_more_are_asked_for(wells: set[str], few: int, more: int) -> None:
    """As many wells as asked for, or all; a larger count contains a smaller one."""
    tried = spread_wells(wells, few)
    assert len(tried) == min(few, len(wells))
    assert list(tried) == sorted(tried, key=well_position)
    assert set(tried) <= set(spread_wells(wells, few + more)) <= wells


def test_two_wells_to_try_are_in_opposite_corners() -> None:
    """Two wells of a whole plate are as far apart as wells can be."""
    assert spread_wells(PLATE, 2) == ("A01", "H12")


@pytest.mark.parametrize(("text", "sites"), [("3", (3,)), ("1,3-5", (1, 3, 4, 5)), ("4 2,2", (2, 4)), ("2:3", (2, 3))])
def test_sites_are_numbers_and_ranges(text: str, sites: tuple[int, ...]) -> None:
    """Each site once, in order; and they are written so that they can be read."""
    assert parse_sites(text) == sites
    assert parse_sites(sites_text(sites)) == sites


@pytest.mark.parametrize("text", ["", "0", "3-1", "a", "1-", "1;2", "-3"])
def test_what_names_no_sites_is_refused(text: str) -> None:
    """Sites count from 1 and ranges forwards."""
    with pytest.raises(InputError, match="expected numbers from 1"):
        parse_sites(text)
