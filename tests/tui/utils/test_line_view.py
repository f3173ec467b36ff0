"""Many lines: what is seen costs what is on the screen."""

from __future__ import annotations

import time
from functools import partial

from hypothesis import given, settings
from hypothesis import strategies as st
from prompt_toolkit.data_structures import Point
from prompt_toolkit.layout.containers import HSplit
from prompt_toolkit.mouse_events import MouseButton, MouseEvent, MouseEventType
from prompt_toolkit.utils import get_cwidth

from openhcs.tui.utils.line_view import LINE_LIMIT, LineView
from tests.tui.screen import in_loop, shown
from tests.tui.utils.kit import Stage, stage, until


class Counted:
    """Lines that are made when they are asked for, and count how often that is."""

    def __init__(self, count: int) -> None:
        self._count = count
        self.asked = 0

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> str:
        self.asked += 1
        return f"line {range(self._count)[number]}"


def rows_of(view: LineView, width: int, height: int) -> list[str]:
    """The rows of a frame of `width` x `height`, its last column being the scrollbar's."""
    content = view.create_content(width - 1, height)
    return ["".join(part[1] for part in content.get_line(number)) for number in range(content.line_count)]


def wheel(view: LineView, kind: MouseEventType) -> object:
    return view.mouse_handler(MouseEvent(Point(0, 0), kind, MouseButton.NONE, frozenset()))


def test_the_last_line_is_at_the_bottom_of_the_end() -> None:
    """End shows the last of a hundred thousand lines as the last row."""
    view = LineView(lambda: [f"line {number}" for number in range(100_000)])
    rows_of(view, 40, 10)
    view.scroll_end()
    assert rows_of(view, 40, 10)[-1] == "line 99999"
    view.scroll(1)
    assert rows_of(view, 40, 10)[-1] == "line 99999"
    view.scroll_home()
    assert rows_of(view, 40, 10)[0] == "line 0"
    view.scroll(-1)
    assert rows_of(view, 40, 10)[0] == "line 0"


def test_a_frame_asks_for_what_it_shows() -> None:
    """A million lines cost a frame no more than its rows, at the top, at the end and between."""
    lines = Counted(1_000_000)
    view = LineView(lambda: lines)
    for move in (view.scroll_home, view.scroll_end, lambda: view.scroll(-30), lambda: view.scroll(10)):
        lines.asked = 0
        move()
        assert len(rows_of(view, 80, 20)) == 20
        assert lines.asked < 250


def test_no_lines_are_no_rows() -> None:
    """An empty view is drawn, measured and scrolled like any other."""
    view = LineView(list)
    assert rows_of(view, 40, 10) == []
    for move in (view.scroll_home, view.scroll_end, lambda: view.scroll(5), lambda: view.scroll(-5)):
        move()
    assert rows_of(view, 40, 10) == []
    assert view.preferred_height(40, 10, False, None) == 1


def test_lines_may_become_fewer_while_they_are_looked_at() -> None:
    """The view stays on text that is there."""
    lines = [f"line {number}" for number in range(100)]
    view = LineView(lambda: lines)
    rows_of(view, 40, 10)
    view.scroll_end()
    del lines[5:]
    assert rows_of(view, 40, 10) == lines
    lines.clear()
    assert rows_of(view, 40, 10) == []


@settings(deadline=None)
@given(
    st.lists(st.text(st.sampled_from("ab 大😀e\u0301\u200d|"), max_size=60), max_size=12),
    st.integers(1, 30),
)
def test_each_character_is_on_exactly_one_row_that_fits(lines: list[str], width: int) -> None:
    """Scrolled from top to end, the rows are the text, none wider than the view (a lone wide character may be)."""
    view = LineView(lambda: lines)
    seen = []
    place = None
    while place != (view._line, view._row):
        place = (view._line, view._row)
        for row in rows_of(view, width, 1):
            assert get_cwidth(row) <= max(2, width - 1)
            seen.append(row)
        view.scroll(1)
    # Blanks aside, of which a row that ends with a combining character gets one more.
    assert "".join(seen).replace(" ", "") == "".join(lines).replace(" ", "")
    assert all(seen) or "" in lines


def test_a_wide_character_is_not_cut_in_two() -> None:
    """What does not fit whole begins the next row."""
    view = LineView(lambda: ["a大大大"])
    assert rows_of(view, 5, 4) == ["a大", "大大"]
    assert rows_of(view, 2, 4) == ["a", "大", "大", "大"]
    assert rows_of(view, 3, 4) == ["a", "大", "大", "大"]


def test_colours_follow_the_wrapped_text() -> None:
    """A row has the styles of its own part of the line."""
    view = LineView(lambda: ["abcdefgh"], draw=lambda number, line: [("red", line[:3]), ("blue", line[3:])])
    content = view.create_content(5, 3)
    assert content.get_line(0) == [("red", "abc"), ("blue", "de")]
    assert content.get_line(1) == [("blue", "fgh")]


def test_a_very_long_line_is_cut_and_says_so() -> None:
    """Of a line of megabytes the beginning is there, and how much more there is."""
    view = LineView(lambda: ["x" * 5_000_000])
    begun = time.process_time()
    rows_of(view, 80, 20)
    view.scroll_end()
    last = rows_of(view, 80, 20)[-1]
    assert f"{5_000_000 - LINE_LIMIT:,} more characters" in last.replace("\n", "")
    assert time.process_time() - begun < 2


def test_the_wheel_scrolls_and_other_mouse_events_are_left_alone() -> None:
    """A notch is three rows; a click is somebody else's."""
    view = LineView(lambda: [f"line {number}" for number in range(100)])
    rows_of(view, 40, 10)
    assert wheel(view, MouseEventType.SCROLL_DOWN) is None
    assert rows_of(view, 40, 10)[0] == "line 3"
    assert wheel(view, MouseEventType.SCROLL_UP) is None
    assert rows_of(view, 40, 10)[0] == "line 0"
    assert wheel(view, MouseEventType.MOUSE_UP) is NotImplemented


def test_a_narrower_screen_keeps_the_place() -> None:
    """After a resize the same line is still on the screen, and the end is still the end."""
    lines = [f"{number} " + "x" * 100 for number in range(50)]
    view = LineView(lambda: lines)
    rows_of(view, 120, 10)
    view.scroll(25)
    assert rows_of(view, 120, 10)[0].startswith("25 ")
    assert rows_of(view, 30, 10)[0].startswith("25 ")
    view.scroll_end()
    for width, height in ((30, 5), (200, 10), (12, 3), (60, 30)):
        assert "".join(rows_of(view, width, height)).endswith("".join(lines)[-20:])


def test_it_asks_for_the_rows_it_needs() -> None:
    """A short text asks for its rows, a long one for what it prefers at most."""
    assert LineView(lambda: ["a", "b"]).preferred_height(40, 100, False, None) == 2
    assert LineView(lambda: ["a" * 100]).preferred_height(40, 100, False, None) == 3
    assert LineView(lambda: ["a"] * 1_000, prefer_rows=12).preferred_height(40, 100, False, None) == 12
    assert LineView(lambda: ["a"] * 1_000).preferred_height(40, 5, False, None) == 5


def starts_with(here: Stage, text: str) -> bool:
    return here.text.startswith(text)


async def test_a_scrollbar_stands_beside_what_overflows() -> None:
    """It is the last column, its thumb where the rows on the screen are in the text; a text that fits has none."""
    lines = [f"line {number}" for number in range(40)]
    view = LineView(lambda: lines)
    async with stage(HSplit([view]), rows=10) as here:
        await here.shows("line 9")
        assert view.overflows
        assert [row.rstrip()[-1] for row in here.text.split("\n")] == [*"██", *"│" * 8]
        here.press("G")
        await here.shows("line 39")
        assert [row.rstrip()[-1] for row in here.text.split("\n")] == [*"│" * 8, *"██"]
        del lines[10:]
        here.press("g")
        await here.shows_no("│")
        assert not view.overflows


async def test_keys_scroll_it() -> None:
    """Arrows, pages, home, end and their letters move the view as they say."""
    view = LineView(lambda: [f"line {number:03}" for number in range(200)])
    async with stage(HSplit([view]), rows=10) as here:
        for keys, top in [
            ("\x1b[B", "line 001"), ("j", "line 002"), ("\x1b[A", "line 001"), ("k", "line 000"),
            ("\x1b[6~", "line 009"), (" ", "line 018"), ("\x1b[5~", "line 009"), ("\x1b[F", "line 190"),
            ("\x1b[H", "line 000"), ("G", "line 190"), ("g", "line 000"),
        ]:  # fmt: skip
            here.press(keys)
            await until(partial(starts_with, here, top), f"{top} at the top")


def test_words_stay_whole_where_they_fit() -> None:
    """A row ends after a space, a path after a slash; only what is longer than a row is cut; indentation is no word."""
    view = LineView(lambda: ["the well could not be read", "    indentation-and-one-long-word"])
    assert rows_of(view, 13, 6) == ["the well ", "could not ", "be read", "    indentat", "ion-and-one-", "long-word"]
    path = LineView(lambda: ["in /plates/monday/images"])
    assert rows_of(path, 13, 4) == ["in ", "/plates/", "monday/", "images"]


def test_rows_of_a_line_stand_below_each_other() -> None:
    """What wraps goes on in the column that its line asks for, and is scrolled through row by row as any other."""
    view = LineView(lambda: ["key  " + "word " * 9, "end"], indent=lambda line: 5)
    assert rows_of(view, 21, 10) == ["key  word word word ", "     word word word ", "     word word word ", "end"]
    rows_of(view, 21, 2)
    view.scroll_end()
    assert rows_of(view, 21, 2) == ["     word word word ", "end"]
    narrow = LineView(lambda: ["key  " + "word " * 9], indent=lambda line: 500)
    assert all(get_cwidth(row) <= 10 for row in rows_of(narrow, 11, 40))


@in_loop
async def test_for_a_screen_reader_the_end_is_where_the_cursor_is() -> None:
    """Who goes up from the last line to read is not at the end any more, though the line is on the screen."""
    view = LineView(lambda: ["one", "two", "three"])
    async with shown(view, rows=6, focus=view.window, plain=True) as screen:
        at_end = []
        for key in ("end", "up", "down"):
            await screen.press(key)
            at_end.append(view.is_at_end)
        assert at_end == [True, False, True]
