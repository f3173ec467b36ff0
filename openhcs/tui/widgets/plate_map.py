"""The wells of a plate where they lie: rows by columns, from 96 to 1536 wells, in as many cells as there are.

A frame draws the wells on the screen and no others. Row letters and column numbers stay while the rest scrolls. On a
large screen a well has several lines, and room for words. Where colours are at hand and shapes do not fit, two rows
share a line, one in each half of a character.

Deliberately absent: what a well's shape and colour mean, which belongs to the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Final

from prompt_toolkit.application import get_app
from prompt_toolkit.formatted_text import StyleAndTextTuples, split_lines
from prompt_toolkit.key_binding import KeyBindingsBase
from prompt_toolkit.layout.containers import Container, Window
from prompt_toolkit.layout.controls import UIContent, UIControl
from prompt_toolkit.mouse_events import MouseButton, MouseEvent, MouseEventType, MouseModifier

from openhcs.tui.ports import TaskSpawner
from openhcs.tui.widgets.bindings import Binding, key_bindings, start_effect
from openhcs.tui.widgets.double_click import DoubleClick
from openhcs.tui.widgets.drawn_text import is_reachable
from openhcs.tui.widgets.map_cells import SELECTED, SELECTED_AWAY, WellLook, well_lines
from openhcs.tui.widgets.map_layout import HEADER_CELLS, Grid, MapLayout, Position, lay_out, row_letters

if TYPE_CHECKING:
    from prompt_toolkit.key_binding.key_bindings import NotImplementedOrNone

__all__ = ["PlateMap"]

_ABSENT: Final = " "
_CURSOR: Final = "#ff5fff"
_CURSOR_AWAY: Final = "#b45fb4"


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
        self._pressed_cell: tuple[int, ...] = ()
        self._clicks = DoubleClick()

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
            lines += self._row(grid, layout, first, at, focused)
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
        return [("class:muted", " " * HEADER_CELLS + "".join(text).rstrip())]

    def _row(self, grid: Grid, layout: MapLayout, row: int, at: Position, focused: bool) -> list[StyleAndTextTuples]:
        """The lines of one row of wells, or the line that two rows share."""
        here = row <= at[0] < row + layout.stacked
        label = row_letters(at[0] if here else row)
        first: StyleAndTextTuples = [("bold" if here else "class:muted", f"{label:>{HEADER_CELLS - 1}} ")]
        lines = [first]
        for _ in range(layout.tall - 1):
            lines.append([("", " " * HEADER_CELLS)])
        for column in range(layout.first_column, layout.first_column + layout.columns):
            if layout.stacked == 2:
                first += self._stacked(grid, layout, (row, column), at, focused)
                continue
            for number, part in enumerate(self._well(grid, layout, (row, column), at, focused)):
                lines[number] += part
        return lines

    def _well(
        self, grid: Grid, layout: MapLayout, position: Position, at: Position, focused: bool
    ) -> list[StyleAndTextTuples]:
        """The lines of one well."""
        number = grid.numbers.get(position)
        if number is None:
            return [[("", _ABSENT * layout.cell)] for _ in range(layout.tall)]
        cursor = "" if position != at else SELECTED if focused else SELECTED_AWAY
        return well_lines(self._owner._look(number), layout, cursor, marked=self._owner._is_marked(number))

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
        """The colour of half a cell; the selected well has a hue that is in no palette."""
        if selected:
            return _CURSOR if focused else _CURSOR_AWAY
        return self._owner._look(number).colour or "ansibrightblack"

    def _wells_at(self, mouse_event: MouseEvent) -> tuple[int, ...]:
        """The wells in the cell under the mouse: none, one, or two that share it."""
        grid, layout = self._owner._grid(), self._layout
        at = layout.wells_at(mouse_event.position.x, mouse_event.position.y) if layout is not None else []
        return tuple(grid.numbers[position] for position in at if position in grid.numbers)

    def _line_at(self, mouse_event: MouseEvent) -> list[int]:
        """The wells of the row or the column whose letters or number are under the mouse."""
        grid, layout = self._owner._grid(), self._layout
        if layout is None or not grid.positions:
            return []
        rows, here = (
            layout.rows_at(mouse_event.position.x, mouse_event.position.y),
            grid.positions[self._owner.index][0],
        )
        row = here if here in rows else next(iter(rows), None)  # of two the one whose letters are drawn
        column = layout.column_at(mouse_event.position.x, mouse_event.position.y)
        return [
            number
            for number, position in enumerate(grid.positions)
            if (row is not None and position[0] == row) or (column is not None and position[1] == column)
        ]

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
        wells = self._wells_at(mouse_event)
        if mouse_event.button is MouseButton.RIGHT:
            return None
        match mouse_event.event_type:
            case MouseEventType.MOUSE_DOWN:
                get_app().layout.focus(self)
                self._press(wells)
            case MouseEventType.MOUSE_MOVE if self._pressed is not None and wells:
                self._drag_to(wells)
            case MouseEventType.MOUSE_UP:
                if MouseModifier.CONTROL in mouse_event.modifiers and wells:
                    self._pressed = None
                    owner.toggle()
                elif wells:
                    self._release(wells)
                else:
                    self._toggle_all(self._line_at(mouse_event))
        return None

    def _press(self, wells: tuple[int, ...]) -> None:
        """Select the well that is pressed; where two share a cell, the upper one first, then the other."""
        owner, self._pressed, self._pressed_cell = self._owner, None, wells
        if not wells:
            return
        follows = self._clicks.would_follow(wells)
        if follows and owner.index in wells:
            self._pressed = owner.index
        else:
            self._pressed = wells[-1] if owner.index == wells[0] else wells[0]
        owner.select(self._pressed)

    def _drag_to(self, wells: tuple[int, ...]) -> None:
        owner, start = self._owner, self._pressed
        if start is None or wells == self._pressed_cell or owner.index in wells:
            return
        # Of two wells in a cell the drag takes in the one farther from where it began.
        to = wells[-1] if wells[-1] > start else wells[0]
        owner.select(to)
        owner._on_mark(owner.rectangle(start, to), True)

    def _release(self, wells: tuple[int, ...]) -> None:
        owner, pressed = self._owner, self._pressed
        get_app().layout.focus(self)
        if pressed is None:  # a terminal that tells of releases only
            self._press(wells)
        elif wells != self._pressed_cell:
            self._drag_to(wells)
            self._pressed = None
            return
        self._pressed = None
        if self._clicks.is_second(wells):
            owner.activate()

    def _toggle_all(self, wells: list[int]) -> None:
        """Mark these wells, or where all of them are marked take the marks away."""
        self._pressed = None
        if wells:
            owner = self._owner
            owner._on_mark(wells, not all(map(owner._is_marked, wells)))
