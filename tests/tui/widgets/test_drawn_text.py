"""Cutting and padding text to terminal cells."""

from __future__ import annotations

from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.layout.containers import HSplit, VSplit, Window
from prompt_toolkit.utils import get_cwidth

from openhcs.tui.utils.line_view import LineView
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.widgets.drawn_text import cut, cut_middle, drawn_window, fit, text_column
from tests.tui.screen import in_loop, shown

TEXTS = st.text(st.one_of(st.characters(), st.sampled_from("漢字e\u0301한 aZ_")), max_size=60).map(visible)


@given(TEXTS, st.integers(0, 70))
def test_text_is_cut_to_cells(text: str, width: int) -> None:
    """No cut text takes more cells than allowed, wide and combining characters included."""
    for shorten in (cut, cut_middle):
        short = shorten(text, width)
        assert get_cwidth(short) <= width
        assert short == text or get_cwidth(text) > width


@given(TEXTS, st.integers(0, 70))
def test_text_is_fitted_exactly(text: str, width: int) -> None:
    """Fitted text takes exactly its cells, so that columns line up."""
    assert get_cwidth(fit(text, width)) == width
    assert get_cwidth(fit(text, width, right=True)) == width


def test_the_middle_is_cut_out() -> None:
    """A long file name keeps its beginning and its end."""
    assert cut_middle("plate_A01_s1_w1_thumb.tif", 13) == "plate_…mb.tif"


@pytest.mark.parametrize(
    ("line", "column"),
    [
        ("  Shift-Down          Mark the plate and the one below.", 22),
        ("Channel 1    DAPI, 452 nm", 13),
        ("- well A02: HTD says 4 waves", 2),
        ("    raise PlaneError(path)", 4),
        ("What the symbols before a plate mean", 0),
        ("A sentence that goes on for long.  Two spaces", 0),
        ("", 0),
    ],
)
def test_the_column_of_a_text_is_behind_its_label(line: str, column: int) -> None:
    """So that what goes on in the next row can stand below what it goes on with."""
    assert text_column(line) == column


@in_loop
async def test_a_combining_character_at_the_end_of_a_line_leaves_the_row_in_place() -> None:
    """What stands right of a name that ends so stays in its column, in drawn text and in long ones alike."""
    name = "/data/combin\u0301ing e\u0301"
    drawn = drawn_window(lambda width: [("", name), ("", "\n"), ("", name), ("", "\n")], height=2)
    view = LineView(lambda: [name])
    beside = [VSplit([left, Window(char="|", width=1)], height=2) for left in (drawn, view)]
    async with shown(HSplit([*beside, Window()])) as screen:
        await screen.wait_for("/data/")
        assert all(line.startswith(normalize("NFC", name)) for line in screen.text.splitlines()[:3])
        assert [line.index("|") for line in screen.text.splitlines()[:3]] == [79] * 3
