"""A table of a whole plate on the screen: rows under a cursor, columns that scroll beneath a few that stay.

It draws the rows on the screen and no others. Their text comes in blocks that are read in a thread; a row that is not
there yet is drawn empty and filled in as soon as it is, so no key waits for one.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Final

from prompt_toolkit.application import get_app
from prompt_toolkit.formatted_text import OneStyleAndTextTuple, StyleAndTextTuples
from prompt_toolkit.layout.containers import Container, HSplit
from prompt_toolkit.mouse_events import MouseEvent
from prompt_toolkit.utils import get_cwidth

from openhcs.core.result_query import Column
from openhcs.errors import OpenHCSError, TableChangedError
from openhcs.tui.ports import TaskSpawner
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.utils.screen_output import is_plain
from openhcs.tui.widgets.bindings import Binding
from openhcs.tui.widgets.drawn_text import cut, drawn_window, fit, on_click
from openhcs.tui.widgets.selectable_list import SelectableList

if TYPE_CHECKING:
    from prompt_toolkit.key_binding.key_bindings import NotImplementedOrNone

    from openhcs.core.result_tables import ResultTable

__all__ = ["WideTable"]

BLOCK: Final = 200
"""Rows that are read at a time: some screenfuls."""

_KEPT: Final = 800
"""Columns of blocks that are kept."""

_STAY: Final = ("well", "site", "label")
_LEAST_CELLS: Final = 5
_MOST_CELLS: Final = 24
_NO_ROWS: Final = range(0)

ReadRows = Callable[["ResultTable", int, int, Sequence[str]], Coroutine[Any, Any, Sequence[tuple[str, ...]]]]


class WideTable:
    """Shows a `ResultTable`; the arrow keys move over rows and columns.

    `read` gives rows, in a thread. `on_sort(column)` is asked for the rows in its order, or the other way round,
    `on_open(well)` for the well of the row under the cursor, `on_change` for the table as it is now, where a run has
    changed it. `on_failure` takes what else reading raised.
    """

    def __init__(
        self,
        read: ReadRows,
        on_sort: Callable[[str], None],
        on_open: Callable[[str], Coroutine[Any, Any, None]],
        on_change: Callable[[], None],
        on_failure: Callable[[OpenHCSError], None],
        tasks: TaskSpawner,
    ) -> None:
        self._read = read
        self._on_sort = on_sort
        self._on_open = on_open
        self._on_change = on_change
        self._on_failure = on_failure
        self._tasks = tasks
        self.table: ResultTable | None = None
        self.note = ""
        self.hidden: frozenset[str] = frozenset()
        self._cells: OrderedDict[tuple[int, str], Sequence[str]] = OrderedDict()
        self._widths: dict[str, int] = {}
        self._wanted: dict[int, None] = {}
        self._is_reading = False
        self._is_outdated = False
        self._column = 0
        self._first = 0
        self._shown: Sequence[tuple[Column, int]] = ()
        self.rows = (
            Binding(
                ("left", "h"), lambda: self.move(-1), "Column left", "Go to the column on the left.", on_footer=False
            ),
            Binding(
                ("right", "l"), lambda: self.move(1), "Column right", "Go to the column on the right.", on_footer=False
            ),
            Binding(("s",), self.sort, "Sort", "Sort by the column; once more to turn the order round."),
            Binding(("enter",), self.open_well, "Open", "Open the well of this row.", on_footer=False),
        )
        self._list: SelectableList[int] = SelectableList(
            lambda: range(self.table.height) if self.table is not None else _NO_ROWS,
            self._row,
            on_activate=lambda row: self.open_well(),
            empty=lambda: [("class:muted", f" {self.note or 'No rows.'}")],
            bindings=self.rows,
            tasks=tasks,
            refuse=lambda reason: None,
            name="rows",
        )
        self.window = self._list.window
        self.container = HSplit([drawn_window(self._header), self._list])

    def __pt_container__(self) -> Container:
        return self.container

    def show(self, table: ResultTable | None, note: str = "") -> None:
        """Show `table`, or say why there is none.

        The cursor stays in its column, and in its row where the same is asked for as before.
        """
        same = self.table is not None and table is not None and self.table.query == table.query
        before = {column.name for column in self.table.columns} if self.table is not None else set()
        self.table, self.note = table, note
        self._cells.clear()
        self._wanted.clear()
        self._is_outdated = False
        names = {column.name for column in table.columns} if table is not None else set()
        if names != before:
            self._column = self._first = 0
            self._widths.clear()
        self._list.select(self._list.index if same else 0)

    @property
    def columns(self) -> Sequence[Column]:
        """The columns that are shown, those that stay before the others."""
        if self.table is None:
            return ()
        shown = [column for column in self.table.columns if column.name not in self.hidden]
        return [c for name in _STAY for c in shown if c.name == name] + [c for c in shown if c.name not in _STAY]

    @property
    def column(self) -> Column | None:
        """The column under the cursor."""
        columns = self.columns
        return columns[min(self._column, len(columns) - 1)] if columns else None

    def move(self, by: int) -> None:
        """Go `by` columns on."""
        self._column = max(0, min(self._column + by, len(self.columns) - 1))

    def sort(self) -> None:
        """Sort by the column under the cursor."""
        if self.column is not None:
            self._on_sort(self.column.name)

    async def open_well(self) -> None:
        """Open the well of the row under the cursor."""
        table, row = self.table, self._list.index
        if table is not None and any(column.name == "well" for column in table.columns):
            try:
                values = await self._read(table, row, 1, ("well",))
            except TableChangedError:
                self._ask_again()
                return
            except OpenHCSError as error:
                self._on_failure(error)
                return
            if values:
                await self._on_open(values[0][0])

    # -- reading -------------------------------------------------------------------------------------------------

    def _value(self, row: int, name: str) -> str | None:
        """The text of a cell; None, and it is asked for, where it is not there yet."""
        block, place = divmod(row, BLOCK)
        cells = self._cells.get((block, name))
        if cells is not None:
            return cells[place] if place < len(cells) else ""
        self._wanted[block] = None
        if not self._is_reading and not self._is_outdated:
            self._is_reading = True
            self._tasks.fire_and_forget(self._read_wanted(), "read rows")
        return None

    async def _read_wanted(self) -> None:
        """Read blocks, the one asked for last first, until none is missing."""
        try:
            while self._wanted and self.table is not None:
                block, _ = self._wanted.popitem()
                table = self.table
                missing = [column.name for column, _ in self._shown if (block, column.name) not in self._cells]
                if not missing:
                    continue
                rows = await self._read(table, block * BLOCK, BLOCK, missing)
                if table is self.table:
                    self._keep(block, missing, rows)
                    get_app().invalidate()
        except TableChangedError:
            self._ask_again()
        except OpenHCSError as error:
            self.show(None, visible(str(error)))
            self._on_failure(error)
        finally:
            self._is_reading = False

    def _ask_again(self) -> None:
        """Ask for the table as it is now, and read nothing until it is there."""
        self._is_outdated = True
        self._on_change()

    def _keep(self, block: int, names: Sequence[str], rows: Sequence[tuple[str, ...]]) -> None:
        for at, name in enumerate(names):
            cells = [visible(row[at]) for row in rows]
            self._cells[block, name] = cells
            widest = max(map(get_cwidth, cells), default=0)
            self._widths[name] = max(self._widths.get(name, 0), widest)
        while len(self._cells) > _KEPT:
            self._cells.popitem(last=False)

    # -- drawing -------------------------------------------------------------------------------------------------

    def _width(self, column: Column) -> int:
        # A mark for the order stands behind the name.
        return max(_LEAST_CELLS, min(_MOST_CELLS, max(self._widths.get(column.name, 0), get_cwidth(column.name) + 1)))

    def _fitting(self, width: int) -> Sequence[tuple[Column, int]]:
        """The columns that fit with their widths: those that stay, then from the first one scrolled to."""
        columns = self.columns
        stay = [(column, self._width(column)) for column in columns if column.name in _STAY]
        used = sum(cells + 1 for _, cells in stay)
        rest = columns[len(stay) :]
        at = min(self._column, len(columns) - 1) - len(stay)
        self._first = max(0, min(self._first, at)) if at >= 0 else self._first
        while True:
            shown, room = list(stay), width - used
            for column in rest[self._first :]:
                cells = self._width(column)
                if cells + 1 > room and len(shown) > len(stay):
                    break
                shown.append((column, max(1, min(cells, room - 1))))
                room -= cells + 1
            if at < self._first + len(shown) - len(stay) or self._first >= at:
                return shown
            self._first += 1

    def _header(self, width: int) -> StyleAndTextTuples:
        if self.table is None:
            return []
        # The list has a mark before its rows, and a bar behind them.
        self._shown = self._fitting(width - 3)
        if is_plain():
            return [("class:title", cut(self._header_words(self.table.query.sort), width))]
        # The marks of columns that are out of sight go there by a click.
        back: OneStyleAndTextTuple = ("class:key", "‹ ", on_click(self._to_the_left)) if self._first else ("", "  ")
        header: StyleAndTextTuples = [back]
        sort = self.table.query.sort
        for column, cells in self._shown:
            mark = "" if sort is None or sort[0] != column.name else "v" if sort[1] else "^"
            style = "class:title underline" if column == self.column else "class:label"
            name = cut(visible(column.name), cells - len(mark)) + mark
            header += [(style, fit(name, cells, right=column.is_number), self._click(column)), ("", " ")]
        last = self._shown[-1][0] if self._shown else None
        if last is not None and last != self.columns[-1]:
            header[-1] = ("class:key", "›", on_click(self._to_the_right))
        return header

    def _to_the_right(self) -> None:
        """Go to the first column that is out of sight on the right."""
        columns = self.columns
        if self._shown:
            self._column = min(columns.index(self._shown[-1][0]) + 1, len(columns) - 1)

    def _to_the_left(self) -> None:
        """Go to the first column that is out of sight on the left."""
        stay = sum(column.name in _STAY for column in self.columns)
        self._column = stay + max(0, self._first - 1)

    def _row(self, row: int, width: int) -> StyleAndTextTuples:
        if is_plain():
            return [("", cut(self._row_words(row), width))]
        line: StyleAndTextTuples = []
        for column, cells in self._shown:
            value = self._value(row, column.name)
            style = "class:muted" if value is None else ""
            line.append((style, f"{fit('·' if value is None else value, cells, right=column.is_number)} "))
        return line

    def _row_words(self, row: int) -> str:
        """The row, heard without a header: values behind their names, the column under the cursor first."""
        shown = sorted((column for column, _ in self._shown), key=lambda column: column != self.column)
        values = [(column, self._value(row, column.name)) for column in shown]
        return (
            ", ".join(f"{visible(column.name)} {value}" for column, value in values if value is not None) or "reading"
        )

    def _header_words(self, sort: tuple[str, bool] | None) -> str:
        columns, column = self.columns, self.column
        if column is None:
            return ""
        order = "" if sort is None or sort[0] != column.name else ", sorted down" if sort[1] else ", sorted up"
        return f" Column {columns.index(column) + 1} of {len(columns)}: {visible(column.name)}{order}"

    def _click(self, column: Column) -> Callable[[MouseEvent], NotImplementedOrNone]:
        def act() -> None:
            columns = self.columns
            self._column = columns.index(column) if column in columns else 0
            self.sort()

        return on_click(act)
