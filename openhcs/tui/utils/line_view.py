"""A scrollable view of many lines that pays only for the lines on the screen.

The control wraps and draws exactly the rows that fit, so a frame of a hundred thousand lines costs what a frame of
twenty does. Keys (arrows, page, home, end, j, k, g, G), the wheel and its bar scroll it. G12 (its part): lines may hold
anything; each is made visible when it is drawn, up to `LINE_LIMIT` characters of it.

Checked by tests/tui/utils/test_line_view.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from prompt_toolkit.data_structures import Point
from prompt_toolkit.formatted_text import OneStyleAndTextTuple, StyleAndTextTuples, fragment_list_width
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout.containers import Window, WindowRenderInfo
from prompt_toolkit.layout.controls import UIContent, UIControl
from prompt_toolkit.layout.margins import Margin
from prompt_toolkit.mouse_events import MouseEvent, MouseEventType
from prompt_toolkit.utils import get_cwidth

from openhcs.tui.utils.safe_text import visible_lines
from openhcs.tui.utils.screen_output import is_plain
from openhcs.tui.utils.scrolled_window import ScrolledWindow

if TYPE_CHECKING:
    from prompt_toolkit.key_binding.key_bindings import NotImplementedOrNone

__all__ = ["LINE_LIMIT", "LineView", "Lines", "with_end"]

LINE_LIMIT = 10_000
"""Characters of one line that can be scrolled to; the rest of a longer line is counted, not shown."""

_WHEEL_ROWS = 3


def with_end(line: StyleAndTextTuples, width: int) -> StyleAndTextTuples:
    """`line` with a blank behind a combining character that ends it, where it is shorter than `width` columns.

    prompt_toolkit joins such a character to the one before, and leaves it in the next cell as well, from where it is
    written a second time and moves the rest of the row, unless something is drawn there.
    """
    text = next((fragment[1] for fragment in reversed(line) if fragment[1]), "")
    if text.isascii() or get_cwidth(text[-1]) or fragment_list_width(line) >= width:
        return line
    return [*line, ("", " ")]


class Lines(Protocol):
    """What can be asked for its lines one by one: a list of them, or `TextLines`."""

    def __len__(self) -> int: ...

    def __getitem__(self, number: int, /) -> str: ...


class LineView(UIControl):
    """Shows `lines()`, each drawn by `draw(number, visible line)`, from the row that has been scrolled to.

    It asks for the rows its lines need, at most `prefer_rows`. `indent(visible line)` is how many cells the rows
    after a line's first are moved to the right, so that they stand below what they go on with.
    """

    def __init__(
        self,
        lines: Callable[[], Lines],
        draw: Callable[[int, str], StyleAndTextTuples] = lambda number, line: [("", line)],
        prefer_rows: int = 20,
        indent: Callable[[str], int] = lambda line: 0,
    ) -> None:
        self._lines = lines
        self._draw = draw
        self._indent = indent
        self._prefer_rows = prefer_rows
        self._line = 0
        self._row = 0
        self._width = 80
        self._height = 20
        self._rows_drawn = 1
        self._cursor_row = 0
        self.rows: Sequence[StyleAndTextTuples] = ()
        """What was drawn last: a fragment may have a handler for the mouse, where the row is not wrapped."""
        self._keys = self._scroll_keys()
        self.window = ScrolledWindow(
            self, _Scrollbar(self._scrollbar), overflows=lambda: self.overflows, scroll_to=self.scroll_to
        )

    def __pt_container__(self) -> Window:
        return self.window

    @property
    def overflows(self) -> bool:
        """Whether there are more rows than the view had when it was drawn last, and thus anything to scroll."""
        return self._end() != (0, 0)

    @property
    def first_line(self) -> int:
        """The line on top of the view, counted from 0."""
        return self._line

    @property
    def is_at_end(self) -> bool:
        """Whether the last line is on the screen, and on a plain one the cursor on it: who reads above stays there."""
        if is_plain() and self._cursor_row < self._rows_drawn - 1:
            return False
        return (self._line, self._row) >= self._end()

    # -- scrolling -----------------------------------------------------------------------------------------------

    def scroll(self, rows: int) -> None:
        """Move the view by `rows` screen rows, downwards where positive, as far as there is text.

        On a plain screen the cursor moves through the rows, since its reader follows that, and the view goes with it.
        """
        if not is_plain():
            self._scroll(rows)
            return
        before = self._line, self._row
        last = self._rows_drawn - 1
        if abs(rows) > 1:
            self._scroll(rows)
            self._cursor_row = 0 if rows < 0 or (self._line, self._row) != before else last
        elif not 0 <= self._cursor_row + rows <= last:
            self._scroll(rows)
        else:
            self._cursor_row += rows

    def _scroll(self, rows: int) -> None:
        if rows < 0:
            self._move_up(-rows)
        else:
            self._move_down(rows)
            self._line, self._row = min((self._line, self._row), self._end())

    def scroll_home(self) -> None:
        """Show the first line."""
        self._line = self._row = self._cursor_row = 0

    def scroll_end(self) -> None:
        """Show the last line at the bottom."""
        self._line, self._row = self._end()
        self._cursor_row = self._height - 1

    def scroll_to(self, share: float) -> None:
        """Show what stands at `share` of the whole, from 0 at its beginning to 1 at its end."""
        end = self._end()
        self._line, self._row = end if share >= 1 else (round(share * end[0]), 0)

    def show_line(self, number: int) -> None:
        """Scroll as little as brings line `number` on the screen, a third from the top where that is far."""
        number = min(number, max(0, len(self._lines()) - 1))
        if not self._line <= number < self._line + self._height // 2:
            self._line, self._row = number, 0
            self._move_up(self._height // 3)
            self._line, self._row = min((self._line, self._row), self._end())
        self._cursor_row = max(0, sum(map(self._rows_of, range(self._line, number))) - self._row)

    def _move_up(self, rows: int) -> None:
        self._row -= rows
        while self._row < 0 and self._line > 0:
            self._line -= 1
            self._row += self._rows_of(self._line)
        self._row = max(0, self._row)

    def _move_down(self, rows: int) -> None:
        count = len(self._lines())
        self._row += rows
        while self._line < count - 1 and self._row >= (height := self._rows_of(self._line)):
            self._row -= height
            self._line += 1

    def _end(self) -> tuple[int, int]:
        """The position from which the last line ends at the bottom of the screen."""
        lines, room = self._lines(), self._height
        for number in range(len(lines) - 1, -1, -1):
            rows = self._row_count(lines[number], self._width)
            if rows >= room:
                return number, rows - room
            room -= rows
        return 0, 0

    def _rows_of(self, number: int) -> int:
        return self._row_count(self._lines()[number], self._width)

    def _row_count(self, line: str, width: int) -> int:
        """The rows that `line` takes in a view of `width` columns."""
        if len(line) <= width and line.isascii() and line.isprintable():
            return 1
        line = _shown(line)
        return len(_wrap(line, width, self._indented(line, width)))

    def _indented(self, line: str, width: int) -> int:
        """The cells before the rows after a line's first: never so many that the rows get narrow."""
        return min(self._indent(line), width // 2)

    # -- UIControl -----------------------------------------------------------------------------------------------

    def is_focusable(self) -> bool:
        return True

    def preferred_height(
        self, width: int, max_available_height: int, wrap_lines: bool, get_line_prefix: object
    ) -> int | None:
        lines, most = self._lines(), min(self._prefer_rows, max_available_height)
        wanted = number = 0
        while wanted < most and number < len(lines):
            wanted += self._row_count(lines[number], max(1, width))
            number += 1
        return min(max(1, wanted), most)

    def create_content(self, width: int, height: int) -> UIContent:
        size = (max(1, width), height)
        # Where the last line stood at the bottom it stands there after a change of size.
        stays_at_end = size != (self._width, self._height) and (self._line, self._row) == self._end() != (0, 0)
        self._width, self._height = size
        lines = self._lines()
        end = self._end()
        self._move_down(0)
        self._line, self._row = end if stays_at_end else min((self._line, self._row), end)
        rows: list[StyleAndTextTuples] = []
        number, skip = self._line, self._row
        while len(rows) < height and number < len(lines):
            line = _shown(lines[number])
            drawn = self._draw(number, line) if line else []
            indent = self._indented(line, self._width)
            for start, stop in _wrap(line, self._width, indent)[skip : skip + height - len(rows)]:
                row = _slice(drawn, start, stop) if stop - start < len(line) else [*drawn]
                rows.append(with_end([("", " " * indent), *row] if indent and start else row, self._width))
            skip = 0
            number += 1
        self.rows = rows
        self._rows_drawn = max(1, len(rows))
        self._cursor_row = min(self._cursor_row, self._rows_drawn - 1)
        cursor = Point(0, self._cursor_row if is_plain() else 0)
        return UIContent(get_line=rows.__getitem__, line_count=len(rows), cursor_position=cursor, show_cursor=False)

    def _scrollbar(self) -> StyleAndTextTuples:
        last, row = self._end()
        if last == row == 0:
            return []
        height = self._height
        thumb = max(1, min(height - 1, height * height // max(1, len(self._lines()))))
        above = round((height - thumb) * min(1.0, self._line / max(1, last)))
        track, button = "class:scrollbar.background", "class:scrollbar.button"
        return [(track, "│\n" * above), (button, "█\n" * thumb), (track, "│\n" * (height - above - thumb))]

    def mouse_handler(self, mouse_event: MouseEvent) -> NotImplementedOrNone:
        if mouse_event.event_type == MouseEventType.SCROLL_DOWN:
            self.scroll(_WHEEL_ROWS)
        elif mouse_event.event_type == MouseEventType.SCROLL_UP:
            self.scroll(-_WHEEL_ROWS)
        else:
            return NotImplemented
        return None

    def get_key_bindings(self) -> KeyBindings:
        return self._keys

    def _scroll_keys(self) -> KeyBindings:
        keys = KeyBindings()

        def bind(names: tuple[str, ...], move: Callable[[], None]) -> None:
            for name in names:

                @keys.add(name)
                def _scroll(event: KeyPressEvent) -> None:
                    move()

        bind(("down", "j"), lambda: self.scroll(1))
        bind(("up", "k"), lambda: self.scroll(-1))
        bind(("pagedown", "space"), lambda: self.scroll(max(1, self._height - 1)))
        bind(("pageup",), lambda: self.scroll(-max(1, self._height - 1)))
        bind(("home", "g"), self.scroll_home)
        bind(("end", "G"), self.scroll_end)
        return keys


class _Scrollbar(Margin):
    """A column beside the view; it is not part of the rows, which would have to be filled up to it in every frame."""

    def __init__(self, draw: Callable[[], StyleAndTextTuples]) -> None:
        self._draw = draw

    def get_width(self, get_ui_content: Callable[[], UIContent]) -> int:
        return 1

    def create_margin(self, window_render_info: WindowRenderInfo, width: int, height: int) -> StyleAndTextTuples:
        return self._draw()


def _shown(line: str) -> str:
    if len(line) > LINE_LIMIT:
        line = f"{line[:LINE_LIMIT]}… ({len(line) - LINE_LIMIT:,} more characters)"
    return line if line.isprintable() else visible_lines(line).replace("\n", "␊")


def _wrap(line: str, width: int, indent: int) -> list[tuple[int, int]]:
    """The (start, stop) of each row of `line` in a view of `width` columns; an empty line is one row.

    The rows after the first have `indent` columns less. A row ends after a space where there is one, else after a
    slash, else in the middle of the word that does not fit.
    """
    if len(line) <= width and line.isascii():
        return [(0, len(line))]
    spans = []
    start = 0
    while (stop := _fitting(line, start, width - indent if start else width)) < len(line):
        for end_of_word in (" ", "/"):
            after = line.rfind(end_of_word, start, stop) + 1
            # Not for the sake of the indentation: a long word would leave it alone on a row.
            if after > start and not line[start:after].isspace():
                stop = after
                break
        spans.append((start, stop))
        start = stop
    return [*spans, (start, len(line))]


def _fitting(line: str, start: int, width: int) -> int:
    """Up to where `line` can be shown from `start` in `width` columns: at least one character further."""
    stop = min(start + width, len(line))
    if line[start : stop + 1].isascii():
        return stop
    used = 0
    for position in range(start, len(line)):
        used += get_cwidth(line[position])
        if used > width and position > start:
            return position
    return len(line)


def _slice(fragments: StyleAndTextTuples, start: int, stop: int) -> StyleAndTextTuples:
    """The part of `fragments` between two character positions."""
    part: list[OneStyleAndTextTuple] = []
    position = 0
    for fragment in fragments:
        style, text = fragment[0], fragment[1]
        inside = text[max(0, start - position) : max(0, stop - position)]
        if inside:
            part.append((style, inside))
        position += len(text)
        if position >= stop:
            break
    return part
