"""The wells of a plate where they lie: rows by columns, from 96 to 1536 wells, in as many cells as there are.

A frame draws the wells on the screen and no others. Row letters and column numbers stay while the rest scrolls. Where
colours are at hand and shapes do not fit, two rows share a line, one in each half of a character.

Deliberately absent: what a well's shape and colour mean, which belongs to the caller.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from prompt_toolkit.application import get_app
from prompt_toolkit.formatted_text import StyleAndTextTuples, split_lines
from prompt_toolkit.key_binding import KeyBindingsBase
from prompt_toolkit.layout.containers import Container, Window
from prompt_toolkit.layout.controls import UIContent, UIControl
from prompt_toolkit.mouse_events import MouseButton, MouseEvent, MouseEventType

from openhcs.tui.ports import TaskSpawner
from openhcs.tui.widgets.bindings import Binding, key_bindings, start_effect
from openhcs.tui.widgets.drawn_text import is_reachable
from openhcs.tui.widgets.selectable_list import DOUBLE_CLICK_S

if TYPE_CHECKING:
    from prompt_toolkit.key_binding.key_bindings import NotImplementedOrNone

__all__ = ["Grid", "MapLayout", "PlateMap", "WellLook", "lay_out", "row_letters"]

_HEADER_CELLS: Final = 3
_WIDEST: Final = 4
_ABSENT: Final = " "
_CURSOR: Final = "#ff5fff"

Position = tuple[int, int]
"""Row and column on the plate, from 0."""


@dataclass(frozen=True)
class Grid:
    """A plate of `rows` by `columns`, and where its wells lie; they are known by their place in `positions`."""

    rows: int
    columns: int
    positions: tuple[Position, ...]
    numbers: Mapping[Position, int]

    @classmethod
    def of(cls, rows: int, columns: int, positions: Sequence[Position]) -> Grid:
        """A grid that is at least as large as its wells need."""
        return cls(
            max([rows, *(row + 1 for row, _ in positions)]),
            max([columns, *(column + 1 for _, column in positions)]),
            tuple(positions),
            {position: number for number, position in enumerate(positions)},
        )


@dataclass(frozen=True, slots=True)
class WellLook:
    """How one well is drawn: a shape of one cell, its style, and a plain colour for where half a cell is all it has.

    A shape that `fills` is repeated over the well's cells, which makes neighbours a picture.
    """

    shape: str
    style: str = ""
    colour: str | None = None
    fills: bool = False


@dataclass(frozen=True, slots=True)
class MapLayout:
    """Which part of a grid is on the screen, and how: `cell` columns of text a well, `stacked` rows a line."""

    cell: int
    stacked: int
    first_row: int
    rows: int
    first_column: int
    columns: int


def lay_out(
    grid: Grid, width: int, height: int, at: Position, *, may_stack: bool, before: MapLayout | None
) -> MapLayout:
    """The widest cells with which all columns fit, scrolled no farther than needed to have `at` on the screen."""
    room, lines = max(1, width - _HEADER_CELLS), max(1, height - 1)
    cell = next((cells for cells in range(_WIDEST, 1, -1) if grid.columns * cells <= room), 1)
    stacked = 2 if may_stack and grid.rows > lines else 1
    rows, columns = min(grid.rows, lines * stacked), min(grid.columns, room // cell)
    same = before is not None and before.stacked == stacked
    first_row = _scrolled(before.first_row if before and same else 0, rows, at[0], grid.rows)
    if stacked == 2:  # a line always shows the same two rows
        first_row = min(first_row + first_row % 2, max(0, grid.rows - rows + 1) // 2 * 2)
    first_column = _scrolled(before.first_column if before else 0, columns, at[1], grid.columns)
    return MapLayout(cell, stacked, first_row, min(rows, grid.rows - first_row), first_column, columns)


def _scrolled(first: int, shown: int, at: int, count: int) -> int:
    first = min(max(first, at - shown + 1), at)
    return max(0, min(first, count - shown))


def row_letters(row: int) -> str:
    """The letters of a row: 0 is A, 26 is AA."""
    return chr(65 + row) if row < 26 else f"{row_letters(row // 26 - 1)}{chr(65 + row % 26)}"


class PlateMap:
    """Shows the wells of `grid()`, each as `look(number)` says; one is selected, any may be marked.

    `index` pulls the selected number from the caller's state and `on_select` puts it there; `on_mark(numbers, on)` is
    to mark wells or take their marks away. `on_activate` runs on Enter and on a double click. `may_stack()` says
    whether colour alone may tell wells apart. `bindings` come after the map's own and win over them.
    """

    def __init__(
        self,
        grid: Callable[[], Grid],
        look: Callable[[int], WellLook],
        *,
        index: Callable[[], int],
        on_select: Callable[[int], None],
        on_activate: Callable[[], Coroutine[Any, Any, Any] | None],
        is_marked: Callable[[int], bool],
        on_mark: Callable[[Collection[int], bool], None],
        may_stack: Callable[[], bool],
        empty: Callable[[], StyleAndTextTuples],
        bindings: Sequence[Binding] = (),
        tasks: TaskSpawner,
        refuse: Callable[[str], None],
        name: str,
    ) -> None:
        self._grid = grid
        self._look = look
        self._index = index
        self._on_select = on_select
        self._on_activate = on_activate
        self._is_marked = is_marked
        self._on_mark = on_mark
        self._may_stack = may_stack
        self._empty = empty
        self._tasks = tasks
        self.name = name
        self._anchor: int | None = None
        taken = {key for row in bindings for key in row.keys}
        self.rows: tuple[Binding, ...] = (
            *(row for row in self._moves() if not taken.issuperset(row.keys)),
            *bindings,
        )
        self.control = _MapControl(self, key_bindings(self.rows, tasks=tasks, refuse=refuse))
        self.window = Window(self.control, always_hide_cursor=True, style="class:list")

    def __pt_container__(self) -> Container:
        return self.window

    @property
    def index(self) -> int:
        """The number of the selected well; 0 where there are none."""
        return max(0, min(self._index(), len(self._grid().positions) - 1))

    def select(self, number: int) -> None:
        """Select a well; a range that was being marked ends."""
        self._anchor = None
        self._on_select(number)

    def activate(self) -> None:
        """What Enter does."""
        if self._grid().positions:
            start_effect(self._on_activate, self.name, self._tasks)

    def move(self, rows: int, columns: int) -> None:
        """Select the next well that way: in the same row, or in the nearest row that has any."""
        number = self._beside(rows, columns)
        if number is not None:
            self.select(number)

    def extend(self, rows: int, columns: int) -> None:
        """Move, and mark the rectangle from where this began."""
        number = self._beside(rows, columns)
        if number is None:
            return
        anchor = self.index if self._anchor is None else self._anchor
        self._on_select(number)
        self._anchor = anchor
        self._on_mark(self.rectangle(anchor, number), True)

    def toggle(self) -> None:
        """Mark the selected well, or take its mark away."""
        if self._grid().positions:
            self._on_mark((self.index,), not self._is_marked(self.index))

    def rectangle(self, one: int, other: int) -> tuple[int, ...]:
        """The wells in the rectangle between two of them."""
        grid = self._grid()
        (top, left), (bottom, right) = grid.positions[one], grid.positions[other]
        top, bottom, left, right = min(top, bottom), max(top, bottom), min(left, right), max(left, right)
        return tuple(
            number
            for number, (row, column) in enumerate(grid.positions)
            if top <= row <= bottom and left <= column <= right
        )

    def _beside(self, rows: int, columns: int) -> int | None:
        grid = self._grid()
        if not grid.positions:
            return None
        row, column = grid.positions[self.index]
        if columns:
            ahead = [
                (abs(other - column), number)
                for number, (line, other) in enumerate(grid.positions)
                if line == row and (other - column) * columns > 0
            ]
            ahead.sort()
            return ahead[min(abs(columns), len(ahead)) - 1][1] if ahead else None
        lines = sorted({line for line, _ in grid.positions if (line - row) * rows > 0}, reverse=rows < 0)
        if not lines:
            return None
        line = lines[min(abs(rows), len(lines)) - 1]
        return min((abs(other - column), number) for number, (at, other) in enumerate(grid.positions) if at == line)[1]

    def _moves(self) -> tuple[Binding, ...]:
        def row(keys: tuple[str, ...], run: Callable[[], None], label: str, description: str) -> Binding:
            return Binding(keys, run, label, description, on_footer=False)

        far = 10_000
        return (
            row(("up", "k"), lambda: self.move(-1, 0), "Up", "Select the well above."),
            row(("down", "j"), lambda: self.move(1, 0), "Down", "Select the well below."),
            row(("left", "h"), lambda: self.move(0, -1), "Left", "Select the well to the left."),
            row(("right", "l"), lambda: self.move(0, 1), "Right", "Select the well to the right."),
            row(("home",), lambda: self.move(0, -far), "First", "Select the first well of the row."),
            row(("end",), lambda: self.move(0, far), "Last", "Select the last well of the row."),
            row(("pageup", "g"), lambda: self.move(-far, 0), "Page up", "Select the topmost well of the column."),
            row(("pagedown", "G"), lambda: self.move(far, 0), "Page down", "Select the lowest well of the column."),
            row(("s-up", "K"), lambda: self.extend(-1, 0), "Mark up", "Mark the wells up to the one above."),
            row(("s-down", "J"), lambda: self.extend(1, 0), "Mark down", "Mark the wells down to the one below."),
            row(("s-left", "H"), lambda: self.extend(0, -1), "Mark left", "Mark the wells up to the one on the left."),
            row(
                ("s-right", "L"), lambda: self.extend(0, 1), "Mark right", "Mark the wells up to the one on the right."
            ),
            row(("enter",), self.activate, "Open", "Open the selected well."),
        )


class _MapControl(UIControl):
    def __init__(self, owner: PlateMap, bindings: KeyBindingsBase) -> None:
        self._owner = owner
        self._bindings = bindings
        self._layout: MapLayout | None = None
        self._pressed: int | None = None
        self._last_click: tuple[float, int] = (-1.0, -1)

    def is_focusable(self) -> bool:
        return True

    def get_key_bindings(self) -> KeyBindingsBase:
        return self._bindings

    def preferred_height(
        self, width: int, max_available_height: int, wrap_lines: bool, get_line_prefix: object
    ) -> int | None:
        return self._owner._grid().rows + 1

    def create_content(self, width: int, height: int) -> UIContent:
        owner = self._owner
        grid = owner._grid()
        if not grid.positions:
            empty = list(split_lines(owner._empty()))
            return UIContent(get_line=lambda i: empty[i], line_count=len(empty), show_cursor=False)
        at = grid.positions[owner.index]
        layout = lay_out(grid, width, height, at, may_stack=owner._may_stack(), before=self._layout)
        self._layout = layout
        focused = get_app().layout.has_focus(self)
        lines = [self._header(layout)]
        for first in range(layout.first_row, layout.first_row + layout.rows, layout.stacked):
            lines.append(self._line(grid, layout, first, at, focused))
        return UIContent(get_line=lambda i: lines[i], line_count=len(lines), show_cursor=False)

    def _header(self, layout: MapLayout) -> StyleAndTextTuples:
        """Column numbers: all where there is room, else every fifth, and always those on the edges."""
        last = layout.first_column + layout.columns - 1
        text = [" "] * (layout.columns * layout.cell + 1)
        end = -1
        wide = len(str(last + 1)) < layout.cell
        for column in range(layout.first_column, last + 1):
            number = str(column + 1)
            start = (column - layout.first_column) * layout.cell
            if start > end and (wide or column == layout.first_column or (column + 1) % 5 == 0):
                text[start : start + len(number)] = number
                end = start + len(number)
        return [("class:muted", " " * _HEADER_CELLS + "".join(text).rstrip())]

    def _line(self, grid: Grid, layout: MapLayout, row: int, at: Position, focused: bool) -> StyleAndTextTuples:
        here = row <= at[0] < row + layout.stacked
        label = row_letters(at[0] if here else row)
        fragments: StyleAndTextTuples = [("bold" if here else "class:muted", f"{label:>{_HEADER_CELLS - 1}} ")]
        draw = self._stacked if layout.stacked == 2 else self._single
        for column in range(layout.first_column, layout.first_column + layout.columns):
            fragments += draw(grid, layout, (row, column), at, focused)
        return fragments

    def _single(
        self, grid: Grid, layout: MapLayout, position: Position, at: Position, focused: bool
    ) -> StyleAndTextTuples:
        number = grid.numbers.get(position)
        if number is None:
            return [("", _ABSENT * layout.cell)]
        look = self._owner._look(number)
        selected, marked = position == at, self._owner._is_marked(number)
        style = f"{look.style} bold" if marked else look.style
        if selected:
            style += " class:selected" if focused else " class:selected.unfocused"
        if layout.cell == 1:
            return [(f"{style} underline" if marked else style, look.shape)]
        # A mark, and the place where one stands, are told by a character beside the shape as well.
        beside = "*" if marked else ">" if selected else " "
        if look.fills and beside == " ":
            return [(style, look.shape * (layout.cell - 1)), ("", " ")]
        text = look.shape * max(1, layout.cell - 2) if look.fills else look.shape
        beside_style = style if selected else "class:mark"
        return [(style, text), (beside_style, beside), ("", " " * (layout.cell - len(text) - 1))]

    def _stacked(
        self, grid: Grid, layout: MapLayout, position: Position, at: Position, focused: bool
    ) -> StyleAndTextTuples:
        row, column = position
        halves = [grid.numbers.get((row + half, column)) for half in (0, 1)]
        if halves == [None, None]:
            return [("", _ABSENT * layout.cell)]
        colours = [self._half(number, grid.positions[number] == at, focused) for number in halves if number is not None]
        marked = any(number is not None and self._owner._is_marked(number) for number in halves)
        style = f"fg:{colours[0]}{' underline' if marked else ''}"
        shape = "▄" if halves[0] is None else "▀"
        if len(colours) == 2:
            style += f" bg:{colours[1]}"
        if layout.cell == 1:
            return [(style, shape)]
        return [(style, shape * (layout.cell - 1)), ("", " ")]

    def _half(self, number: int, selected: bool, focused: bool) -> str:
        """The colour of half a cell; the selected well has one that is in no palette."""
        if selected:
            return _CURSOR if focused else "#9aa4ae"
        return self._owner._look(number).colour or "ansibrightblack"

    def _number_at(self, mouse_event: MouseEvent) -> int | None:
        grid, layout = self._owner._grid(), self._layout
        if layout is None:
            return None
        x, y = mouse_event.position.x - _HEADER_CELLS, mouse_event.position.y - 1
        if x < 0 or y < 0:
            return None
        row, column = layout.first_row + y * layout.stacked, layout.first_column + x // layout.cell
        for half in range(layout.stacked):
            number = grid.numbers.get((row + half, column))
            if number is not None and column < layout.first_column + layout.columns:
                return number
        return None

    def mouse_handler(self, mouse_event: MouseEvent) -> NotImplementedOrNone:
        owner = self._owner
        if not is_reachable(owner.window):
            return None
        match mouse_event.event_type:
            case MouseEventType.SCROLL_UP:
                owner.move(-1, 0)
                return None
            case MouseEventType.SCROLL_DOWN:
                owner.move(1, 0)
                return None
        number = self._number_at(mouse_event)
        if mouse_event.button is MouseButton.RIGHT:
            return None
        match mouse_event.event_type:
            case MouseEventType.MOUSE_DOWN:
                get_app().layout.focus(self)
                self._pressed = number
                if number is not None:
                    owner.select(number)
            case MouseEventType.MOUSE_MOVE if self._pressed is not None and number is not None:
                self._drag_to(number)
            case MouseEventType.MOUSE_UP:
                self._release(number)
        return None

    def _drag_to(self, number: int) -> None:
        owner = self._owner
        if self._pressed is not None and number != owner.index:
            owner.select(number)
            owner._on_mark(owner.rectangle(self._pressed, number), True)

    def _release(self, number: int | None) -> None:
        owner, pressed = self._owner, self._pressed
        self._pressed = None
        if number is None:
            return
        get_app().layout.focus(self)
        if pressed is not None and pressed != number:
            self._pressed = pressed
            self._drag_to(number)
            self._pressed = None
            return
        now_s = time.monotonic()
        clicked_s, clicked = self._last_click
        twice = clicked == number and now_s - clicked_s <= DOUBLE_CLICK_S
        self._last_click = (-1.0, -1) if twice else (now_s, number)
        owner.select(number)
        if twice:
            owner.activate()
