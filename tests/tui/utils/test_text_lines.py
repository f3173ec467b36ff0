"""Long texts, line by line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhcs.tui.utils.text_lines import TextLines


@given(st.lists(st.text("ab\r é漢", max_size=3), min_size=1, max_size=400), st.lists(st.integers(-400, 399)))
def test_the_lines_are_those_of_split_in_whatever_order_they_are_read(lines: list[str], order: list[int]) -> None:
    """Each line is what splitting the text would have given, wherever the reader has been before."""
    text = "\n".join(lines)
    expected = text.replace("\r\n", "\n").split("\n")
    found = TextLines(text)
    assert len(found) == len(expected)
    for number in order:
        if -len(expected) <= number < len(expected):
            assert found[number] == expected[number]


@pytest.mark.parametrize("number", [3, -4])
def test_a_line_that_is_not_there(number: int) -> None:
    """Asking past either end is an IndexError that tells how many lines there are."""
    with pytest.raises(IndexError, match=f"{number}; expected less than 3"):
        TextLines("a\nb\nc")[number]


def test_a_long_text_is_read_from_anywhere() -> None:
    """Lines in the middle are found from the start, from the end and from each other."""
    found = TextLines("\n".join(map(str, range(10_000))))
    for number in (5_000, 5_001, 4_000, 9_000, 9_999, 200, 9_700, 8_999, 0, 130):
        assert found[number] == str(number)
