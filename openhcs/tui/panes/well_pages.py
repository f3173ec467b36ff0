"""The pages beside a well's pictures: its measurements, what made them, what happened to it.

Each draws the rows on the screen and no others. What they show is given to them; they read nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from prompt_toolkit.formatted_text import OneStyleAndTextTuple, StyleAndTextTuples
from prompt_toolkit.layout.containers import AnyContainer, Container, HSplit
from prompt_toolkit.mouse_events import MouseEvent

from openhcs.tui.ports import TaskSpawner
from openhcs.tui.utils.line_view import LineView
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.utils.screen_output import is_plain
from openhcs.tui.widgets.bindings import Binding
from openhcs.tui.widgets.drawn_text import cut, drawn_window, fit, on_click, text_column
from openhcs.tui.widgets.selectable_list import SelectableList

if TYPE_CHECKING:
    from prompt_toolkit.key_binding.key_bindings import NotImplementedOrNone

    from openhcs.core.well_tables import WellTable

__all__ = ["TablePage", "TextPage"]

_LEAST_CELLS: Final = 9


class TablePage:
    """A table: a row under the cursor, and a column by which it can be sorted.

    `on_sort(column, descending)` is asked for the rows in that order; what comes of it is put into `table`.
    """

    def __init__(self, on_sort: Callable[[str, bool], None], tasks: TaskSpawner) -> None:
        self.table: WellTable | None = None
        self.note = ""
        self._on_sort = on_sort
        self._column = 0
        self._first = 0
        self._sorted: tuple[str, bool] | None = None
        self.rows = (
            Binding(("left", "h"), lambda: self.move(-1), "Column left", "Go to the column on the left."),
            Binding(("right", "l"), lambda: self.move(1), "Column right", "Go to the column on the right."),
            Binding(("s", "enter"), self.sort, "Sort", "Sort by the column; once more to turn the order round."),
        )
        self._list: SelectableList[int] = SelectableList(
            lambda: range(self.table.height) if self.table is not None else (),
            self._row,
            empty=lambda: [("class:muted", f" {self.note}")],
            bindings=self.rows,
            tasks=tasks,
            refuse=lambda reason: None,
            name="measurements",
        )
        self.window = self._list.window
        self._title = drawn_window(self._title_line)
        self._header = drawn_window(self._header_line)
        self.container = HSplit([self._title, self._header, self._list])

    def __pt_container__(self) -> Container:
        return self.container

    def show(self, table: WellTable | None, note: str = "", *, keep_order: bool = False) -> None:
        """Show `table`, or say why there is none."""
        before = self.table
        self.table, self.note = table, note
        if table is None or before is None or before.columns != table.columns:
            self._column = self._first = 0
        if not keep_order:
            self._sorted = None

    def move(self, by: int) -> None:
        """Go `by` columns on."""
        if self.table is not None:
            self._column = max(0, min(self._column + by, len(self.table.columns) - 1))

    def sort(self) -> None:
        """Sort by the column under the cursor."""
        if self.table is None:
            return
        name = self.table.columns[self._column]
        descending = self._sorted == (name, False)
        self._sorted = (name, descending)
        self._on_sort(name, descending)

    def _cells(self, width: int) -> list[tuple[int, int]]:
        """The columns that fit from the first one shown, with their widths; the one under the cursor is among them."""
        if self.table is None:
            return []
        self._first = min(self._first, self._column)
        while True:
            shown: list[tuple[int, int]] = []
            used = 0
            for number in range(self._first, len(self.table.columns)):
                cells = max(_LEAST_CELLS, len(self.table.columns[number]) + 1) if number > 4 else 8
                if used + cells + 1 > width and shown:
                    break
                shown.append((number, min(cells, max(1, width - used - 1))))
                used += cells + 1
            if self._column <= shown[-1][0] or self._first >= self._column:
                return shown
            self._first += 1

    def _title_line(self, width: int) -> StyleAndTextTuples:
        if self.table is None:
            return []
        rows = "1 row" if self.table.height == 1 else f"{self.table.height:,} rows"
        text = f" {visible(self.table.name)}: {rows}"
        if is_plain():
            text += f", column {self._column + 1} of {len(self.table.columns)}: {self._column_words()}"
        return [("class:title", cut(text, width))]

    def _column_words(self) -> str:
        """The column under the cursor, and how the rows are sorted by it."""
        name = self.table.columns[self._column] if self.table is not None else ""
        if self._sorted is None or self._sorted[0] != name:
            return visible(name)
        return f"{visible(name)}, sorted {'down' if self._sorted[1] else 'up'}"

    def _header_line(self, width: int) -> StyleAndTextTuples:
        if self.table is None or is_plain():
            return []
        shown = self._cells(width - 3)
        # The marks of columns that are out of sight go there by a click.
        back: OneStyleAndTextTuple = ("class:key", "‹ ", self._goes_to(self._first - 1)) if self._first else ("", "  ")
        header: StyleAndTextTuples = [back]
        for number, cells in shown:
            name = self.table.columns[number]
            mark = "" if self._sorted is None or self._sorted[0] != name else "v" if self._sorted[1] else "^"
            style = "class:title underline" if number == self._column else "class:muted"
            text = fit(f"{visible(name)}{mark}", cells, right=True)
            header += [(style, text, self._click(number)), ("", " ")]
        if shown[-1][0] + 1 < len(self.table.columns):
            header[-1] = ("class:key", "›", self._goes_to(shown[-1][0] + 1))
        return header

    def _row(self, number: int, width: int) -> StyleAndTextTuples:
        if self.table is None:
            return []
        values = self.table.row(number)
        if is_plain():  # who hears a row has no header above it; the column under the cursor comes first
            told = (*range(self._column, len(values)), *range(self._column))
            words = ", ".join(f"{visible(self.table.columns[at])} {visible(values[at])}" for at in told)
            return [("", cut(words, width))]
        return [("", f"{fit(visible(values[column]), cells, right=True)} ") for column, cells in self._cells(width - 1)]

    def _goes_to(self, number: int) -> Callable[[MouseEvent], NotImplementedOrNone]:
        return on_click(lambda: self.move(number - self._column))

    def _click(self, number: int) -> Callable[[MouseEvent], NotImplementedOrNone]:
        def act() -> None:
            self._column = number
            self.sort()

        return on_click(act)


class TextPage:
    """Lines to read and scroll."""

    def __init__(self, draw: Callable[[int, str], StyleAndTextTuples]) -> None:
        self.lines: Sequence[str] = ()
        self._view = LineView(lambda: self.lines, draw, indent=text_column)
        self.window = self._view.window

    def __pt_container__(self) -> AnyContainer:
        return self.window

    def show(self, lines: Sequence[str]) -> None:
        """Show other lines from their beginning."""
        if lines != self.lines:
            self.lines = lines
            self._view.scroll_home()
