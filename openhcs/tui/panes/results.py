"""The results of a plate, over the whole screen: the run at a glance, plots, tables, and why wells failed.

It may be opened while the run goes on: the glance and the failures follow it, a table stays as it was read until it is
asked for again. All reading is done in threads, in exclusive groups of tasks; a key never waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from prompt_toolkit.application import get_app
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import StyleAndTextTuples, fragment_list_width
from prompt_toolkit.layout.containers import AnyContainer, ConditionalContainer, HSplit
from prompt_toolkit.utils import get_cwidth

from openhcs.core.progress import RunProgress
from openhcs.errors import OpenHCSError
from openhcs.tui.effects.plates import Goal, PlateEffects
from openhcs.tui.effects.results import ResultReader
from openhcs.tui.effects.text_dialog import show_text
from openhcs.tui.effects.well_choices import WellChoice
from openhcs.tui.panes import result_text
from openhcs.tui.panes.drawn_page import DrawnPage
from openhcs.tui.panes.failures import FailuresPage
from openhcs.tui.panes.help import key_lines
from openhcs.tui.panes.plate_text import busy_text
from openhcs.tui.panes.result_plot_page import ResultPlotPage
from openhcs.tui.panes.result_plots import Plotted
from openhcs.tui.panes.result_table_page import ResultTablePage
from openhcs.tui.panes.run_log import RunLogView
from openhcs.tui.panes.whole_screen import LatestTasks, Opening, whole_screen
from openhcs.tui.state import AppState
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.utils.unified_task_manager import UnifiedTaskManager
from openhcs.tui.widgets.bindings import Binding, key_bindings, start_effect
from openhcs.tui.widgets.drawn_text import drawn_window, fit, tab_fragments
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


class ResultsView:
    """Shows the results of a plate in a dialog; `open_well(folder, well)` shows one of its wells above it."""

    def __init__(
        self,
        state: AppState,
        effects: PlateEffects,
        tasks: UnifiedTaskManager,
        open_well: OpenWell,
        log: RunLogView,
    ) -> None:
        self._state = state
        self._effects = effects
        self._tasks = tasks
        self._open_well = open_well
        self._log = log
        self._opening = Opening()

    async def show(self, row: PlateRow, page: ResultPage = ResultPage.SUMMARY) -> None:
        """Show the results of the last run of `row`, be it of an earlier session, until the user closes them."""
        if self._opening:
            return
        with self._opening.begin() as closed:
            reader = ResultReader(await self._effects.results_folder(row), self._state)
            earlier = await reader.read_progress() if row.progress is None else None
            if row.progress is None and earlier is None:
                await self._effects.tell_results(row)
                return
            results = _OpenResults(
                row.folder,
                page,
                reader,
                earlier,
                self._opening.end,
                self._state,
                self._effects,
                self._tasks,
                partial(self._open_well, row.folder),
                self._log,
            )
            await results.show(closed)


class _OpenResults:
    """The results of the plate in `folder` while they are open; `earlier` is its last run where the row has none."""

    def __init__(
        self,
        folder: Path,
        page: ResultPage,
        reader: ResultReader,
        earlier: RunProgress | None,
        close: Callable[[], None],
        state: AppState,
        effects: PlateEffects,
        tasks: UnifiedTaskManager,
        open_well: Callable[[str], Coroutine[Any, Any, None]],
        log: RunLogView,
    ) -> None:
        self._folder = folder
        self._page = page
        self._reader = reader
        self._earlier = earlier
        self._close = close
        self._state = state
        self._effects = effects
        self._tasks = tasks
        self._log = log
        self._open_well = open_well
        self._loading = LatestTasks("results", tasks)
        self._being_read: list[str] = []
        self._summary: ResultSummary | None = None
        self._note = self._trouble = ""
        self._stale = True
        self._summary_page = DrawnPage(self._summary_lines)
        self._plots = ResultPlotPage(reader, self._loading, self._counts, self._reading)
        self._table = ResultTablePage(
            reader, self._loading, open_well, self._tell, self._reading, app_state=state, tasks=tasks
        )
        self._failures = FailuresPage(
            lambda: self._progress,
            open_well,
            self._run_again,
            self._why_not_run,
            self._tell,
            app_state=state,
            tasks=tasks,
        )
        self._windows = {
            ResultPage.SUMMARY: self._summary_page.window,
            ResultPage.PLOTS: self._plots.window,
            ResultPage.TABLE: self._table.window,
            ResultPage.FAILURES: self._failures.window,
        }
        self._page_rows = {
            ResultPage.SUMMARY: (),
            ResultPage.PLOTS: self._plots.rows,
            ResultPage.TABLE: self._table.rows,
            ResultPage.FAILURES: self._failures.rows,
        }
        self._common_rows = self._rows()

    async def show(self, closed: asyncio.Future[None]) -> None:
        """Show them until `closed` is done, and keep up with the run meanwhile."""
        unsubscribe = self._state.subscribe(self._look)
        try:
            async with self._tasks.scope("results") as scope:
                scope.create_task(self._keep_summary(), "sum up the results")
                await self._state.show_dialog(self._dialog(), closed)
        finally:
            unsubscribe()
            self._loading.cancel_all()
            self._table.forget()

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
            if self._is_page(ResultPage.PLOTS):
                self._plots.keep_up()
            await asyncio.sleep(REFRESH_S)

    async def _read_summary(self) -> None:
        before = self._summary
        try:
            self._summary, self._trouble = await self._reader.read_summary(), ""
        except OpenHCSError as error:
            self._trouble = str(error)
        if self._summary is not None and self._summary != before:
            row, tables = self._row, self._summary.tables
            self._table.offer(tables, self._summary.wells or [well.well for well in (row.wells if row else ())])
            if before is None or before.tables != tables:
                await self._find_plots(self._summary)
            self._plots.note_change()
        self._summary_page.change()
        get_app().invalidate()

    async def _find_plots(self, summary: ResultSummary) -> None:
        """Find out what can be plotted."""
        try:
            measured = await self._reader.measured_columns(summary.tables)
        except OpenHCSError as error:
            self._trouble, measured = str(error), ()
        counted = (Plotted(name) for name in summary.objects)
        self._plots.offer((*counted, *(Plotted(name, table) for table, name in measured)))

    def _counts(self, name: str) -> Mapping[str, int]:
        return self._summary.objects.get(name, {}) if self._summary is not None else {}

    def _run_again(self, wells: WellChoice) -> None:
        self._effects.bring(self._folder, Goal.FINISHED, wells)
        self._note = "running again"

    def _why_not_run(self) -> str | None:
        row = self._row
        if row is not None and row.busy:
            return f"{busy_text(row)}: it can be run again when that is over"
        if not self._state.workbench.editing.pipeline.steps:
            return "The pipeline has no steps: load the one that was run"
        return None

    # -- how it stands on the screen -----------------------------------------------------------------------------

    def _dialog(self) -> AnyContainer:
        pages: Sequence[tuple[ResultPage, AnyContainer]] = (
            (ResultPage.SUMMARY, self._summary_page),
            (ResultPage.PLOTS, self._plots),
            (ResultPage.TABLE, self._table),
            (ResultPage.FAILURES, self._failures),
        )

        def bound(page: ResultPage, container: AnyContainer) -> AnyContainer:
            rows = self._page_rows[page]
            keys = key_bindings(rows, tasks=self._tasks, refuse=self._tell)
            return ConditionalContainer(HSplit([container], key_bindings=keys), Condition(partial(self._is_page, page)))

        body = HSplit(
            [
                drawn_window(self._tabs),
                drawn_window(self._rule),
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

    @contextmanager
    def _reading(self, what: str) -> Iterator[None]:
        """Tell for the time of the block that `what` is being read, unless there is something else to tell."""
        self._being_read.append(what)
        get_app().invalidate()
        try:
            yield
        finally:
            self._being_read.remove(what)
            get_app().invalidate()

    @property
    def _told(self) -> str:
        return self._note or (f"reading {visible(self._being_read[-1])}" if self._being_read else "")

    def _tabs(self, width: int) -> StyleAndTextTuples:
        tabs = tab_fragments(ResultPage, self._page, self._page_title, self._turn_to)
        if self._told and self._fits_beside(tabs, width):
            tabs.append(("class:warning", f" {self._told}"))
        return tabs

    def _rule(self, width: int) -> StyleAndTextTuples:
        """The line below the tabs; in its place what is told, where there is no room for that beside them."""
        tabs = tab_fragments(ResultPage, self._page, self._page_title, self._turn_to)
        if self._told and not self._fits_beside(tabs, width):
            return [("class:warning", fit(f" {self._told}", width))]
        return [("class:pane.border", "─" * width)]

    def _fits_beside(self, tabs: StyleAndTextTuples, width: int) -> bool:
        return fragment_list_width(tabs) + get_cwidth(self._told) < width

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
        return result_text.summary_lines(
            self._progress,
            self._summary,
            self._reader.out,
            self._trouble,
            self._state.workbench.now_s,
            width,
            lambda well: start_effect(lambda: self._open_well(well), f"well {well}", self._tasks),
        )

    # -- keys ----------------------------------------------------------------------------------------------------

    def _tell(self, text: str) -> None:
        self._note = visible(text)
        get_app().invalidate()

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

    async def _show_help(self) -> None:
        groups = [
            (f"{self._page.value}: the keys here", self._page_rows[self._page] or self._common_rows),
            ("Everywhere in the results", self._common_rows),
            *((page.value, rows) for page, rows in self._page_rows.items() if page is not self._page and rows),
        ]
        await show_text("The results", key_lines(groups), app_state=self._state, tasks=self._tasks)
