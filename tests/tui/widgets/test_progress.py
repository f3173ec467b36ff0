"""Progress as text."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.utils import get_cwidth

from openhcs.tui.widgets.progress import bar, duration_text, spinner


@given(st.floats(allow_nan=True, allow_infinity=True), st.integers(-5, 200), st.booleans())
def test_a_bar_is_as_wide_as_it_was_asked_to_be(fraction: float, width: int, ascii: bool) -> None:
    """Whatever the fraction, a bar takes exactly its width."""
    assert get_cwidth(bar(fraction, width, ascii)) == max(0, width)


@given(st.floats(0, 1), st.integers(2, 100))
def test_a_bar_is_full_only_at_the_end(fraction: float, width: int) -> None:
    """A bar looks begun when anything is done, and full only when everything is."""
    drawn = bar(fraction, width)
    assert (drawn == "█" * width) is (fraction == 1)
    assert (drawn == "░" * width) is (fraction == 0)
    assert (bar(fraction, width, ascii=True) == "#" * width) is (fraction == 1)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0.0 s"),
        (0.44, "0.4 s"),
        (9.949, "9.9 s"),
        (9.96, "10 s"),
        (59.6, "1 min 00 s"),
        (65, "1 min 05 s"),
        (3599.7, "1 h 00 min"),
        (7380, "2 h 03 min"),
        (86400 * 3 + 3600 * 4, "3 d 04 h"),
        (math.inf, "?"),
        (math.nan, "?"),
    ],
)
def test_a_duration_is_told_in_two_units(seconds: float, text: str) -> None:
    """A duration shows its two largest units, and never sixty of one."""
    assert duration_text(seconds) == text


def test_the_spinner_turns() -> None:
    """The spinner goes round with time."""
    assert [spinner(i / 8) for i in range(5)] == ["|", "/", "-", "\\", "|"]
