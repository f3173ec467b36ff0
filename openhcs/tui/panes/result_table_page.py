"""The table of the results view: which one, of which wells, in which order and with which columns; written to a file.

What is shown stays as it was read until it is asked for again. The rows on the screen are `result_table`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from prompt_toolkit.application import get_app
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.layout.containers import Container, HSplit

from openhcs.core.result_query import RowKind, TableQuery
from openhcs.core.selection import WELL_SYNTAX, choose_wells, parse_wells
from openhcs.errors import InputError, OpenHCSError
from openhcs.tui.effects.results import ResultReader
from openhcs.tui.panes.result_columns import choose_columns
from openhcs.tui.panes.result_table import WideTable
from openhcs.tui.panes.whole_screen import LatestTasks
from openhcs.tui.ports import DialogHost, TaskSpawner
from openhcs.tui.run_text import count_of
from openhcs.tui.utils import dialog_helpers
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.widgets.bindings import Binding
from openhcs.tui.widgets.drawn_text import cut, drawn_window

__all__ = ["ResultTablePage"]


class ResultTablePage:
    """Shows one of the tables that `offer` names.

    `on_open(well)` opens the well of a row. `tell` is given what has been done; `reading(what)` is a block in which
    something is being read.
    """

    def __init__(
        self,
        reader: ResultReader,
        loading: LatestTasks,
        on_open: Callable[[str], Coroutine[Any, Any, None]],
        tell: Callable[[str], None],
        reading: Callable[[str], AbstractContextManager[None]],
        *,
        app_state: DialogHost,
        tasks: TaskSpawner,
    ) -> None:
        self._reader = reader
        self._loading = loading
        self._tell = tell
        self._reading = reading
        self._app_state = app_state
        self._tasks = tasks
        self._tables: Sequence[str] = ()
        self._wells: Sequence[str] = ()
        self._query: TableQuery | None = None
        self._table = WideTable(
            reader.read_rows, self._sort, on_open, self._reload, lambda error: tell(str(error)), tasks
        )
        self._table.note = "reading"
        self.window = self._table.window
        self.rows = self._rows()
        self._container = HSplit([drawn_window(self._title), self._table])

    def __pt_container__(self) -> Container:
        return self._container

    def offer(self, tables: Sequence[str], wells: Sequence[str]) -> None:
        """Let the user choose among these tables, and wells; the first table is opened where none is open."""
        self._tables, self._wells = tables, wells
        if not tables:
            self._table.show(None, "There are no measurements yet.")
        elif self._query is None:
            self._ask(TableQuery(next(name for name in ("measurements", *tables) if name in tables)))

    def forget(self) -> None:
        """Let go of the columns, which are some 100 MiB of a large table."""
        self._table.show(None)

    def _ask(self, query: TableQuery) -> None:
        """Read what `query` asks for and show it; what was shown stays until then."""
        self._query = query

        async def open_() -> None:
            with self._reading(query.table):
                try:
                    self._table.show(await self._reader.open_table(query))
                except OpenHCSError as error:
                    self._table.show(None, visible(str(error)))
            get_app().invalidate()

        self._loading.start("table", open_(), "read the table of the results")

    def _reload(self) -> None:
        if self._query is not None:
            self._ask(self._query)

    def _sort(self, column: str) -> None:
        if self._query is not None:
            self._ask(replace(self._query, sort=(column, self._query.sort == (column, False))))

    def _next_table(self) -> None:
        tables = self._tables
        if self._query is not None and tables:
            at = tables.index(self._query.table) if self._query.table in tables else -1
            self._ask(replace(self._query, table=tables[(at + 1) % len(tables)], sort=None))

    def _next_kind(self) -> None:
        kinds = list(RowKind)
        if self._query is not None:
            kind = kinds[(kinds.index(self._query.kind) + 1) % len(kinds)]
            self._ask(replace(self._query, kind=kind, sort=None))

    async def _choose_wells(self) -> None:
        words = f"Rows of {WELL_SYNTAX}; nothing for all"
        asked = await dialog_helpers.prompt_for_text_input("Choose wells", words, self._app_state)
        if asked is None or self._query is None:
            return
        try:
            wells = choose_wells(parse_wells(asked), self._wells) if asked.strip() else ()
        except InputError as error:
            await dialog_helpers.show_refusal(error, "choose wells", self._app_state)
            return
        self._ask(replace(self._query, wells=frozenset(wells)))

    async def _choose_columns(self) -> None:
        if self._table.table is not None:
            self._table.hidden = await choose_columns(
                self._table.table.columns, self._table.hidden, app_state=self._app_state, tasks=self._tasks
            )

    async def _export(self) -> None:
        if self._table.table is not None:
            self._tell(await self._reader.export(self._table.table))

    def _rows(self) -> tuple[Binding, ...]:
        def why_none() -> str | None:
            return None if self._table.table is not None else "There is no table yet"

        def row(key: str, run: Callable[[], Any], label: str, description: str) -> Binding:
            return Binding((key,), run, label, description, why_none)

        return (
            *(row for row in self._table.rows if row.label == "Sort"),
            row("m", self._next_table, "Table", "Show the next table."),
            row("b", self._next_kind, "By", "Show every row, or the mean or median of each well."),
            row("/", self._choose_wells, "Wells", "Show rows of some wells only."),
            row("c", self._choose_columns, "Columns", "Choose the columns that are shown."),
            row("e", self._export, "Export", "Write these rows to a CSV or parquet file."),
            row("r", self._reload, "Reload", "Read the table again."),
        )

    def _title(self, width: int) -> StyleAndTextTuples:
        table = self._table.table
        if table is None:
            return []
        query = table.query
        words = [f"{table.height:,} {'row' if table.height == 1 else 'rows'}", query.kind.value]
        if query.wells:
            words.append(f"of {count_of(len(query.wells), 'well')}")
        if query.sort is not None:
            words.append(f"by {visible(query.sort[0])}, {'falling' if query.sort[1] else 'rising'}")
        if self._table.hidden:
            words.append(f"{count_of(len(self._table.hidden), 'column')} hidden")
        return [("class:title", f" {visible(query.table)}"), ("", cut(f": {', '.join(words)}", width - 20))]
