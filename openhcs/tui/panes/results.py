"""The results of a plate, over the whole screen: the run at a glance, plots, tables, and why wells failed.

It may be opened while the run goes on: the glance and the failures follow it, a table stays as it was read until it is
asked for again. All reading is done in threads, in exclusive groups of tasks; a key never waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from enum import Enum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from prompt_toolkit.application import get_app
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import StyleAndTextTuples, fragment_list_width
from prompt_toolkit.layout.containers import AnyContainer, ConditionalContainer, Container, HSplit, Window

from openhcs.core.progress import RunProgress
from openhcs.core.result_query import Grouping, RowKind, TableQuery
from openhcs.core.selection import WELL_SYNTAX, choose_wells, parse_wells
from openhcs.errors import InputError, OpenHCSError
from openhcs.tui.effects.plates import Goal, PlateEffects
from openhcs.tui.effects.results import ResultReader, copy_text
from openhcs.tui.effects.text_dialog import show_text
from openhcs.tui.effects.well_choices import WellChoice, WellKind
from openhcs.tui.panes import result_text
from openhcs.tui.panes.failures import FailuresPage
from openhcs.tui.panes.help import key_lines
from openhcs.tui.panes.plate_text import busy_text
from openhcs.tui.panes.result_columns import choose_columns
from openhcs.tui.panes.result_plots import Plot, Plotted, drawn_plot, read_plot
from openhcs.tui.panes.result_table import WideTable
from openhcs.tui.panes.run_log import RunLogView
from openhcs.tui.panes.whole_screen import LatestTasks, Opening, whole_screen
from openhcs.tui.run_text import count_of
from openhcs.tui.state import AppState
from openhcs.tui.utils import dialog_helpers
from openhcs.tui.utils.dialog_helpers import show_scrollable_error_dialog
from openhcs.tui.utils.line_view import LineView
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.utils.screen_output import is_plain
from openhcs.tui.utils.unified_task_manager import UnifiedTaskManager
from openhcs.tui.widgets.bindings import Binding, key_bindings
from openhcs.tui.widgets.colour_scale import palette_of_screen
from openhcs.tui.widgets.drawn_text import cut, drawn_window, tab_fragments, text_column
from openhcs.tui.workbench import PlateRow

if TYPE_CHECKING:
    from openhcs.core.result_summary import ResultSummary

__all__ = ["ResultPage", "ResultsView"]

REFRESH_S: Final = 1.0

OpenWell = Callable[[Path, str], Coroutine[Any, Any, None]]


class ResultPage(Enum):
    """What is shown; the value is its title."""

    SUMMARY = "Summary"
    PLOTS = "Plots"
    TABLE = "Table"
    FAILURES = "Failures"


class _DrawnPage:
    """Lines drawn for the width of the screen, made once until something changes."""

    def __init__(self, make: Callable[[int], Sequence[StyleAndTextTuples]]) -> None:
        self._make = make
        self._made: tuple[int, Sequence[StyleAndTextTuples], Sequence[str]] = (0, (), ())
        self.view = LineView(self._lines, lambda number, line: self._made[1][number], indent=text_column)
        self.window = self.view.window

    def __pt_container__(self) -> Container:
        return self.window

    def change(self) -> None:
        """Draw it anew."""
        self._made = 0, (), ()

    def _lines(self) -> Sequence[str]:
        # Borders and the scroll bar take three cells.
        width = max(20, get_app().output.get_size().columns - 4)
        if self._made[0] != width:
            drawn = self._make(width)
            self._made = width, drawn, ["".join(fragment[1] for fragment in line) for line in drawn]
        return self._made[2]


class ResultsView:
    """Shows the results of a plate in a dialog; `open_well(folder, well)` shows one of its wells above it."""

    def __init__(self, state: AppState, effects: PlateEffects, tasks: UnifiedTaskManager, open_well: OpenWell) -> None:
        self._state = state
        self._effects = effects
        self._tasks = tasks
        self._open_well = open_well
        self._log = RunLogView(state, effects, tasks)
        self._opening = Opening()
        self._loading = LatestTasks("results", tasks)

    async def show(self, row: PlateRow, page: ResultPage = ResultPage.SUMMARY) -> None:
        """Show the results of the last run of `row`, be it of an earlier session, until the user closes them."""
        if self._opening:
            return
        with self._opening.begin() as closed:
            self._folder = row.folder
            self._page = page
            self._note = ""
            self._reader = ResultReader(await self._effects.results_folder(row), self._state)
            self._earlier = await self._reader.read_progress() if row.progress is None else None
            if row.progress is None and self._earlier is None:
                await self._effects.tell_results(row)
                return
            self._summary: ResultSummary | None = None
            self._trouble = ""
            self._stale = True
            self._plots: Sequence[Plotted] = ()
            self._plot_at, self._by = 0, Grouping.ALL
            self._plot: Plot | None = None
            self._query: TableQuery | None = None
            self._build()
            unsubscribe = self._state.subscribe(self._look)
            try:
                async with self._tasks.scope("results") as scope:
                    scope.create_task(self._keep_summary(), "sum up the results")
                    await self._state.show_dialog(self._dialog(), closed)
            finally:
                unsubscribe()
                self._loading.cancel_all()
                self._table.show(None)  # the columns of a large table take some 100 MiB

    # -- what is known -------------------------------------------------------------------------------------------

    @property
    def _row(self) -> PlateRow | None:
        return self._state.workbench.find(self._folder)

    @property
    def _progress(self) -> RunProgress | None:
        row = self._row
        return row.progress if row is not None and row.progress is not None else self._earlier

    def _look(self) -> None:
        """Note that the run went on, so that what is told of it is read again soon."""
        self._stale = True
        self._summary_page.change()

    async def _keep_summary(self) -> None:
        while True:
            if self._stale:
                self._stale = False
                await self._read_summary()
            await asyncio.sleep(REFRESH_S)

    async def _read_summary(self) -> None:
        before = self._summary
        try:
            self._summary, self._trouble = await self._reader.read_summary(), ""
        except OpenHCSError as error:
            self._trouble = str(error)
        if self._summary is not None and self._summary != before:
            tables = self._summary.tables
            if before is None or before.tables != tables:
                await self._find_columns(self._summary)
        self._summary_page.change()
        get_app().invalidate()

    async def _find_columns(self, summary: ResultSummary) -> None:
        """Find out what can be plotted, and open the first table if none is open."""
        counted = [Plotted(name) for name in summary.objects]
        try:
            measured = await self._reader.measured_columns(summary.tables)
        except OpenHCSError as error:
            self._trouble, measured = str(error), ()
        self._plots = (*counted, *(Plotted(name, table) for table, name in measured))
        self._load_plot()
        if self._query is None and summary.tables:
            first = next(name for name in ("measurements", *summary.tables) if name in summary.tables)
            self._ask(TableQuery(first))
        elif not summary.tables:
            self._table.show(None, "There are no measurements yet.")

    # -- plots ---------------------------------------------------------------------------------------------------

    def _load_plot(self) -> None:
        if not self._plots or self._summary is None:
            return
        subject = self._plots[self._plot_at % len(self._plots)]
        counts = self._summary.objects.get(subject.name, {}) if subject.table is None else {}

        async def load() -> None:
            self._tell(f"reading {subject.title}")
            try:
                self._plot, self._trouble = await read_plot(self._reader, subject, self._by, counts), ""
            except OpenHCSError as error:
                self._trouble = str(error)
            self._note = ""
            self._plots_page.change()
            self._plots_page.view.scroll_home()
            get_app().invalidate()

        self._start("plot", load())

    def _next_plot(self, by: int) -> None:
        self._plot_at = (self._plot_at + by) % len(self._plots)
        self._load_plot()

    def _next_grouping(self) -> None:
        ways = list(Grouping)
        self._by = ways[(ways.index(self._by) + 1) % len(ways)]
        self._load_plot()

    # -- tables --------------------------------------------------------------------------------------------------

    def _ask(self, query: TableQuery) -> None:
        """Read what `query` asks for and show it; what was shown stays until then."""
        self._query = query

        async def open_() -> None:
            self._note = f"reading {visible(query.table)}"
            try:
                table = await self._reader.open_table(query)
                self._table.show(table)
                self._note = ""
            except OpenHCSError as error:
                self._table.show(None, visible(str(error)))
                self._note = ""
            get_app().invalidate()

        self._start("table", open_())

    def _reload(self) -> None:
        if self._query is not None:
            self._ask(self._query)

    def _sort(self, column: str) -> None:
        if self._query is not None:
            self._ask(replace(self._query, sort=(column, self._query.sort == (column, False))))

    def _next_table(self) -> None:
        tables = self._summary.tables if self._summary is not None else ()
        if self._query is not None and tables:
            at = tables.index(self._query.table) if self._query.table in tables else -1
            self._ask(replace(self._query, table=tables[(at + 1) % len(tables)], sort=None))

    def _next_kind(self) -> None:
        kinds = list(RowKind)
        if self._query is not None:
            kind = kinds[(kinds.index(self._query.kind) + 1) % len(kinds)]
            self._ask(replace(self._query, kind=kind, sort=None))

    async def _choose_wells(self) -> None:
        query, row = self._query, self._row
        if query is None:
            return
        words = f"Rows of {WELL_SYNTAX}; nothing for all"
        asked = await dialog_helpers.prompt_for_text_input("Choose wells", words, self._state)
        if asked is None:
            return
        wells: Sequence[str] = ()
        if asked.strip():
            known = self._summary.wells if self._summary is not None else ()
            try:
                wells = choose_wells(parse_wells(asked), known or [well.well for well in row.wells] if row else known)
            except InputError as error:
                await dialog_helpers.show_refusal(error, "choose wells", self._state)
                return
        self._ask(replace(query, wells=frozenset(wells)))

    async def _choose_columns(self) -> None:
        if self._table.table is not None:
            self._table.hidden = await choose_columns(
                self._table.table.columns, self._table.hidden, app_state=self._state, tasks=self._tasks
            )

    async def _export(self) -> None:
        if self._table.table is not None:
            self._tell(await self._reader.export(self._table.table))

    # -- failures ------------------------------------------------------------------------------------------------

    def _run_again(self, wells: WellChoice) -> None:
        self._effects.bring(self._folder, Goal.FINISHED, wells)
        self._note = "running again"

    def _run_cause(self) -> None:
        selected = self._failures.selected
        if selected is not None:
            wells = frozenset({selected.well} if selected.well is not None else selected.group.wells)
            self._run_again(WellChoice(WellKind.NAMED, wells))

    def _why_not_run(self) -> str | None:
        row = self._row
        if row is not None and row.busy:
            return f"{busy_text(row)}: it can be run again when that is over"
        if not self._state.workbench.editing.pipeline.steps:
            return "The pipeline has no steps: load the one that was run"
        return self._failures.why_none()

    async def _show_error(self) -> None:
        failure, selected = self._failures.failure, self._failures.selected
        if failure is not None and selected is not None:
            well = selected.well or selected.group.wells[0]
            text = "\n\n".join(part for part in (failure.message, failure.traceback) if part)
            await show_scrollable_error_dialog(f"Well {well} failed", text, app_state=self._state)

    def _copy_failure(self) -> None:
        failure = self._failures.failure
        if failure is not None:
            text = "\n\n".join(part for part in (failure.message, failure.traceback) if part)
            self._note = "copied" if copy_text(text) else "this terminal has no clipboard"

    # -- how it stands on the screen -----------------------------------------------------------------------------

    def _build(self) -> None:
        self._summary_page = _DrawnPage(self._summary_lines)
        self._plots_page = _DrawnPage(self._plot_lines)
        self._table = WideTable(
            self._reader.read_rows,
            self._sort,
            lambda well: self._open_well(self._folder, well),
            self._reload,
            lambda error: self._tell(str(error)),
            self._tasks,
        )
        self._table.note = "reading"
        self._failures = FailuresPage(
            lambda: self._progress, lambda well: self._open_well(self._folder, well), self._tasks
        )
        self._windows = {
            ResultPage.SUMMARY: self._summary_page.window,
            ResultPage.PLOTS: self._plots_page.window,
            ResultPage.TABLE: self._table.window,
            ResultPage.FAILURES: self._failures.window,
        }
        self._page_rows = {
            ResultPage.SUMMARY: (),
            ResultPage.PLOTS: self._plot_rows(),
            ResultPage.TABLE: self._table_rows(),
            ResultPage.FAILURES: self._failure_rows(),
        }
        self._common_rows = self._rows()

    def _dialog(self) -> AnyContainer:
        pages: Sequence[tuple[ResultPage, AnyContainer]] = (
            (ResultPage.SUMMARY, self._summary_page),
            (ResultPage.PLOTS, self._plots_page),
            (ResultPage.TABLE, HSplit([drawn_window(self._table_title), self._table])),
            (ResultPage.FAILURES, self._failures),
        )

        def bound(page: ResultPage, container: AnyContainer) -> AnyContainer:
            rows = self._page_rows[page]
            keys = key_bindings(rows, tasks=self._tasks, refuse=self._tell)
            return ConditionalContainer(HSplit([container], key_bindings=keys), Condition(partial(self._is_page, page)))

        body = HSplit(
            [
                drawn_window(self._tabs),
                Window(height=1, char="─", style="class:pane.border"),
                *(bound(page, container) for page, container in pages),
            ],
            key_bindings=key_bindings(self._common_rows, tasks=self._tasks, refuse=self._tell),
        )
        return whole_screen(
            body,
            self._title,
            self._rows_here,
            "Results",
            app_state=self._state,
            tasks=self._tasks,
            refuse=self._tell,
        )

    def _is_page(self, page: ResultPage) -> bool:
        return self._page is page

    def _focus_page(self) -> None:
        layout, window = get_app().layout, self._windows[self._page]
        if any(other is window for other in layout.find_all_windows()):
            layout.focus(window)

    def _title(self) -> str:
        row = self._row
        name = row.name if row is not None else self._folder.name
        return f"Results of {visible(name)}"

    def _tabs(self, width: int) -> StyleAndTextTuples:
        tabs = tab_fragments(ResultPage, self._page, self._page_title, self._turn_to)
        if self._note:
            room = max(0, width - fragment_list_width(tabs))
            tabs.append(("class:warning", cut(f" {self._note}", room)))
        return tabs

    def _page_title(self, page: ResultPage) -> str:
        failed = self._progress.failed if self._progress is not None and page is ResultPage.FAILURES else 0
        return f"{page.value} ({failed})" if failed else page.value

    def _turn_to(self, page: ResultPage) -> None:
        self._page, self._note = page, ""
        self._focus_page()

    def _turn(self, by: int) -> None:
        pages = list(ResultPage)
        self._turn_to(pages[(pages.index(self._page) + by) % len(pages)])

    def _summary_lines(self, width: int) -> Sequence[StyleAndTextTuples]:
        workbench, progress, summary = self._state.workbench, self._progress, self._summary
        lines: list[StyleAndTextTuples] = []
        if progress is not None:
            lines += result_text.run_lines(progress)
            lines += result_text.pace_lines(progress, workbench.now_s)
        if summary is None:
            lines.append([("class:muted", "  reading")])
        else:
            lines += result_text.slowest_lines(summary.seconds)
            lines += [result_text.counts_line(name, counts) for name, counts in summary.objects.items()]
            lines.append(result_text.named_line("Tables", visible(", ".join(summary.tables)) or "none yet"))
        lines.append(result_text.named_line("Folder", visible(str(self._reader.out))))
        if self._trouble:
            lines += [[], [("class:error", f"  X {visible(self._trouble)}")]]
        if summary is not None:
            # Shapes in their places say nothing to whoever has the screen read out; the plots have numbers.
            for name, counts in summary.objects.items() if not is_plain() else ():
                palette = palette_of_screen()
                lines += [[], *result_text.heat_lines(f"{visible(name)} of each well", counts, palette, width)]
            lines += [[], *_warning_lines(summary)]
        if progress is not None and progress.warnings:
            lines += [[], [("class:title", "  The run said")]]
            lines += [[("class:warning", f"  {visible(text)}")] for text in progress.warnings]
        return lines

    def _plot_lines(self, width: int) -> Sequence[StyleAndTextTuples]:
        if self._trouble:
            return [[("class:error", f" X {visible(self._trouble)}")]]
        if self._plot is None:
            return [[("class:muted", " There is nothing to plot yet.")]]
        number = f" {self._plot_at + 1} of {len(self._plots)}"
        title, *rest = drawn_plot(self._plot, width)
        return [[*title, ("class:muted", f"  ({number.strip()})")], *rest]

    def _table_title(self, width: int) -> StyleAndTextTuples:
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

    # -- keys ----------------------------------------------------------------------------------------------------

    def _start(self, what: str, work: Coroutine[Any, Any, None]) -> None:
        self._loading.start(what, work, f"read the {what} of the results")

    def _tell(self, text: str) -> None:
        self._note = visible(text)
        get_app().invalidate()

    def _close(self) -> None:
        self._opening.end()

    def _rows_here(self) -> Sequence[Binding]:
        close, *rest = self._common_rows
        return (close, *self._page_rows[self._page], *rest)

    def _rows(self) -> tuple[Binding, ...]:
        return (
            Binding(("escape", "q", "c-c"), self._close, "Close", "Close the results."),
            Binding(("tab",), lambda: self._turn(1), "Page", "Go to the next page."),
            Binding(("s-tab",), lambda: self._turn(-1), "Page back", "Go to the page before.", on_footer=False),
            Binding(("g",), self._show_log, "Log", "Show the log of the run, of a failed well what it has of it."),
            Binding(("y",), self._copy_path, "Copy path", "Copy the path of the results folder."),
            Binding(("o",), self._open_folder, "Open folder", "Show the results folder in the file manager."),
            Binding(("?", "f1"), self._show_help, "Help", "Show what every key does here."),
        )

    async def _show_log(self) -> None:
        row = self._row
        selected = self._failures.selected if self._page is ResultPage.FAILURES else None
        if row is not None:
            await self._log.show(row, (selected.well or "") if selected is not None else "")

    def _copy_path(self) -> None:
        self._note = self._reader.copy_path()

    async def _open_folder(self) -> None:
        self._tell(await self._reader.open_folder())

    def _plot_rows(self) -> tuple[Binding, ...]:
        def why_no_plot() -> str | None:
            return None if self._plots else "There is nothing to plot yet"

        return (
            Binding(("right", "c", "l"), lambda: self._next_plot(1), "Next", "Plot the next column.", why_no_plot),
            Binding(
                ("left", "C", "h"),
                lambda: self._next_plot(-1),
                "Previous",
                "Plot the column before.",
                why_no_plot,
                on_footer=False,
            ),
            Binding(("b",), self._next_grouping, "By", "Group by row, by column, by well, or not.", why_no_plot),
        )

    def _table_rows(self) -> tuple[Binding, ...]:
        def why_no_table() -> str | None:
            return None if self._table.table is not None else "There is no table yet"

        def row(key: str, run: Callable[[], Any], label: str, description: str) -> Binding:
            return Binding((key,), run, label, description, why_no_table)

        return (
            *(row for row in self._table.rows if row.label == "Sort"),
            row("m", self._next_table, "Table", "Show the next table."),
            row("b", self._next_kind, "By", "Show every row, or the mean or median of each well."),
            row("/", self._choose_wells, "Wells", "Show rows of some wells only."),
            row("c", self._choose_columns, "Columns", "Choose the columns that are shown."),
            row("e", self._export, "Export", "Write these rows to a CSV or parquet file."),
            row("r", self._reload, "Reload", "Read the table again."),
        )

    def _failure_rows(self) -> tuple[Binding, ...]:
        return (
            *self._failures.rows,
            Binding(("r",), self._run_cause, "Run these", "Run the wells of this cause again.", self._why_not_run),
            Binding(
                ("f",),
                lambda: self._run_again(WellChoice(WellKind.UNDONE)),
                "Run failed",
                "Run all wells again that failed or were cancelled.",
                self._why_not_run,
            ),
            Binding(("e",), self._show_error, "Error", "Show the error with its traceback.", self._failures.why_none),
            Binding(("y",), self._copy_failure, "Copy", "Copy the error.", self._failures.why_none),
        )

    async def _show_help(self) -> None:
        groups = [
            (f"{self._page.value}: the keys here", self._page_rows[self._page] or self._common_rows),
            ("Everywhere in the results", self._common_rows),
            *((page.value, rows) for page, rows in self._page_rows.items() if page is not self._page and rows),
        ]
        await show_text("The results", key_lines(groups), app_state=self._state, tasks=self._tasks)


def _warning_lines(summary: ResultSummary) -> list[StyleAndTextTuples]:
    if not summary.warnings:
        return [[("class:muted", "  No warnings.")]]
    lines: list[StyleAndTextTuples] = [[("class:title", f"  {count_of(len(summary.warnings), 'kind')} of warning")]]
    for group in summary.warnings:
        where = f"{count_of(len(group.wells), 'well')}, {count_of(group.times, 'time')}: "
        lines.append([("class:warning", f"  {where}"), ("", visible(group.text))])
    return lines
