"""The left half of the workbench: the list of plates, and below it the selected plate with its wells.

The list is in `plate_list`, drawing in `plate_rows` and `plate_text`; what the keys start is in `effects.plates`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from prompt_toolkit.application import get_app
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.layout.containers import ConditionalContainer, Container, HSplit
from prompt_toolkit.layout.dimension import Dimension

from openhcs.core.model import Status
from openhcs.tui.effects.live_runs import find_workers
from openhcs.tui.effects.plates import Goal, PlateEffects
from openhcs.tui.effects.text_dialog import show_text
from openhcs.tui.effects.well_choices import TRIED, WellChoice, WellKind
from openhcs.tui.panes import plate_text
from openhcs.tui.panes.place import Place
from openhcs.tui.panes.plate_list import PlateList
from openhcs.tui.panes.results import ResultPage, ResultsView
from openhcs.tui.panes.run_log import RunLogView
from openhcs.tui.panes.wells import WellsPane
from openhcs.tui.state import AppState
from openhcs.tui.utils.daemon_thread import in_daemon_thread
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.utils.unified_task_manager import UnifiedTaskManager
from openhcs.tui.widgets.bindings import Binding, key_of
from openhcs.tui.widgets.keymap import Keymap
from openhcs.tui.workbench import Activity, PlateRow

__all__ = ["TRY_LABEL", "PlateManager"]

TRY_LABEL: Final = f"Try {TRIED}"

_FEW_LINES: Final = 10
"""Lines that the list of plates has on a large screen, however few there are."""
_OTHERS: Final = 10
"""Lines of the menu, the status and the smallest pane of wells."""

_WORKERS_EVERY_S: Final = 1.0

_JOBS: Final = frozenset({"Init", "Compile", "Run", "Run wells", "Results"})


class PlateManager:
    """Plates and wells (`panes.wells`); `plates` and `wells` are its two places for the focus.

    `has_screen(name)` says whether a place has the whole screen to itself. `open_well(folder, well)` shows a well.
    `job_rows` are those of `plate_rows` that are for every pane: their keys are free there, and the plate is selected.
    """

    def __init__(
        self,
        state: AppState,
        effects: PlateEffects,
        tasks: UnifiedTaskManager,
        refuse: Callable[[str], None],
        keymap: Keymap,
        has_screen: Callable[[str], bool],
    ) -> None:
        self._state = state
        self._effects = effects
        self._tasks = tasks
        self._has_screen = has_screen
        self.plate_rows = keymap.rows("Plates", self._plate_bindings())
        effects.news.results_hint = f"{key_of(self.plate_rows, 'Results')} shows the results"
        self.job_rows = tuple(row for row in self.plate_rows if row.label in _JOBS)
        self._list = PlateList(
            state,
            tasks,
            refuse,
            keymap,
            self.plate_rows,
            on_activate=self._show_details,
            height=self._plates_height,
        )
        self.view_rows = self._list.rows
        self._log = RunLogView(state, effects, tasks)
        self._wells = WellsPane(
            state,
            effects,
            tasks,
            refuse,
            keymap,
            self._no_wells,
            self._log,
        )
        self.open_well = self._wells.open_well
        self._results = ResultsView(state, effects, tasks, self._wells.open_well, self._log)
        self.well_rows = self._wells.rows
        self.plates = self._list.place
        self.container = HSplit(
            [
                ConditionalContainer(self._list, ~Condition(lambda: has_screen(self.wells.name))),
                ConditionalContainer(self._wells, ~Condition(lambda: has_screen(self.plates.name))),
            ],
            width=Dimension(weight=11),
        )

    def __pt_container__(self) -> Container:
        return self.container

    @property
    def wells(self) -> Place:
        """Where the focus stands among the wells."""
        return self._wells.place

    @property
    def hint(self) -> str:
        """What the keys do while the filter is typed."""
        return self._list.hint

    @property
    def _row(self) -> PlateRow | None:
        return self._state.workbench.selected

    @property
    def _targets(self) -> tuple[PlateRow, ...]:
        """What a key is for: in the list of plates the marked ones, elsewhere and without marks the selected one."""
        marked = self._list.marked if self.plates.has_focus else ()
        row = self._row if self._list.items() or not self.plates.has_focus else None
        return marked or ((row,) if row is not None else ())

    def _plates_height(self) -> Dimension:
        """As many lines as there are plates, up to half of the screen and at least a few; the wells get the rest."""
        if self._has_screen(self.plates.name):
            return Dimension()
        rows = get_app().output.get_size().rows
        return Dimension.exact(max(4, min(rows // 4, _FEW_LINES), min(self._list.lines, rows // 2 - 1, rows - _OTHERS)))

    # -- keys ----------------------------------------------------------------------------------------------------

    def _plate_bindings(self) -> tuple[Binding, ...]:
        effects = self._effects
        return (
            Binding(
                ("a",),
                effects.list.add,
                "Add",
                "Add plates, or folders that hold plates, found in the file browser; pasted paths are added too.",
            ),
            Binding(
                ("i",),
                self._for_each(lambda row: effects.bring(row.folder, Goal.INITIALISED), self._why_not_start),
                "Init",
                "Initialise: read what the plate's folder holds.",
                self._why_none(self._why_not_start),
            ),
            Binding(
                ("c",),
                self._for_each(lambda row: effects.bring(row.folder, Goal.COMPILED), self._why_not_compile),
                "Compile",
                "Compile: check the pipeline against the plate, and plan every well; initialises first if needed.",
                self._why_none(self._why_not_compile),
            ),
            Binding(
                ("r",),
                self._for_each(lambda row: effects.bring(row.folder, Goal.FINISHED), self._why_not_compile),
                "Run",
                "Run the pipeline on every well; initialises and compiles first if needed. Others wait their turn.",
                self._why_none(self._why_not_compile),
            ),
            Binding(
                ("t",),
                self._for_each(
                    lambda row: effects.bring(row.folder, Goal.FINISHED, WellChoice(WellKind.FEW)),
                    self._why_not_compile,
                ),
                TRY_LABEL,
                f"Try the pipeline on {TRIED} wells far apart on the plate; a run of all wells reuses them.",
                self._why_none(self._why_not_compile),
            ),
            Binding(
                ("f",),
                self._for_each(
                    lambda row: effects.bring(row.folder, Goal.FINISHED, WellChoice(WellKind.UNDONE)),
                    self._why_not_run_failed,
                ),
                "Run failed",
                "Run the wells again that failed or were cancelled when they were tried last.",
                self._why_none(self._why_not_run_failed),
            ),
            Binding(
                ("w",),
                lambda: effects.run_wells(self._row) if self._row else None,
                "Run wells",
                "Run the marked wells; without marks, the wells that you name.",
                self._why_not_run_wells,
            ),
            Binding(
                ("x",),
                lambda: effects.cancel([row.folder for row in self._targets if row.busy]),
                "Cancel",
                "Cancel what is going on with the plate, or take it out of the queue.",
                self._why_none(self._why_not_cancel),
            ),
            Binding(
                ("K",),
                lambda: effects.move_in_queue([row.folder for row in self._targets], -1),
                "Run sooner",
                "Let the plate have its turn before the one that waits in front of it.",
                self._why_none(self._why_not_move),
                on_footer=False,
            ),
            Binding(
                ("J",),
                lambda: effects.move_in_queue([row.folder for row in self._targets], 1),
                "Run later",
                "Let the plate that waits behind it go first.",
                self._why_none(self._why_not_move),
                on_footer=False,
            ),
            Binding(
                ("d", "delete"),
                lambda: effects.list.remove(self._targets, key_of(self.plate_rows, "Put back")),
                "Remove",
                "Take the plate off the list; nothing on disk is deleted.",
                self._why_none(self._why_not_remove),
            ),
            Binding(
                ("u",),
                effects.list.restore,
                "Put back",
                "Put the plates removed last back on the list.",
                lambda: None if self._state.workbench.removed else "No plate was removed",
                on_footer=False,
            ),
            Binding(
                ("enter",),
                lambda: self._show_details(self._row) if self._row else None,
                "Details",
                "Show everything known about the plate.",
                self._why_no_plate,
            ),
            Binding(
                ("o",),
                lambda: self._results.show(self._row) if self._row else None,
                "Results",
                "Open the results: the run at a glance, plots, tables, where they are.",
                self._why_no_plate,
            ),
            Binding(
                ("F",),
                lambda: self._results.show(self._row, ResultPage.FAILURES) if self._row else None,
                "Failures",
                "Show why wells failed, grouped by cause, and run them again.",
                self._why_no_failures,
            ),
            Binding(
                ("g",),
                lambda: self._log.show(self._row) if self._row else None,
                "Log",
                "Show the log of the last run, and follow it.",
                self._why_no_plate,
                on_footer=False,
            ),
        )

    def _for_each(
        self, do: Callable[[PlateRow], None], why_not: Callable[[PlateRow], str | None]
    ) -> Callable[[], None]:
        """What a key does with each plate it is for and that can be done with; the others are passed over."""

        def run() -> None:
            for row in self._targets:
                if why_not(row) is None:
                    do(row)

        return run

    def _why_none(self, why_not: Callable[[PlateRow], str | None]) -> Callable[[], str | None]:
        """Why a key can do nothing: the reason of the first plate it is for."""

        def why() -> str | None:
            targets = self._targets
            if not targets:
                return self._why_no_plate() or "No plate is shown"
            first = why_not(targets[0])
            return None if first is None or any(why_not(row) is None for row in targets[1:]) else first

        return why

    def _no_wells(self) -> StyleAndTextTuples:
        """What stands in place of the wells of a plate whose index is not there."""
        if (row := self._row) is None:
            return []
        if row.busy:
            return [("class:muted", f"{plate_text.busy_text(row)}.")]
        return [
            ("class:muted", "No wells known yet.\n"),
            ("class:key", key_of(self.plate_rows, "Init")),
            ("class:muted", " initialises the plate."),
        ]

    def _why_no_plate(self) -> str | None:
        return None if self._row else f"There is no plate yet: {key_of(self.plate_rows, 'Add')} adds one"

    def _why_not_start(self, row: PlateRow) -> str | None:
        if row.busy:
            return self._busy_until(row, "cancels that")
        return None

    def _busy_until(self, row: PlateRow, way_out: str) -> str:
        """What is being done to a busy plate, and which key ends it unless that has been pressed."""
        if row.activity is Activity.CANCELLING:
            return f"{plate_text.busy_text(row)}: wait until that is done"
        return f"{plate_text.busy_text(row)}: {key_of(self.plate_rows, 'Cancel')} {way_out}"

    def _why_not_compile(self, row: PlateRow) -> str | None:
        if not self._state.workbench.editing.pipeline.steps:
            return "The pipeline has no steps: add one to it, or load a pipeline"
        return self._why_not_start(row)

    def _why_not_run_failed(self, row: PlateRow) -> str | None:
        if row.progress is not None and not (row.progress.failed or row.progress.cancelled):
            return (
                self._why_not_compile(row) or f"No well of {visible(row.name)} failed or was cancelled in the last run"
            )
        return self._why_not_compile(row)

    def _why_not_run_wells(self) -> str | None:
        row = self._row
        if row is None:
            return self._why_no_plate()
        if row.facts is None and not row.busy:
            init = key_of(self.plate_rows, "Init")
            return f"The wells of {visible(row.name)} are not known yet: {init} initialises it"
        return self._why_not_compile(row)

    def _why_no_failures(self) -> str | None:
        row = self._row
        if row is not None and (row.progress is None or not row.progress.failed):
            return f"No well of {visible(row.name)} has failed"
        return self._why_no_plate()

    def _why_not_cancel(self, row: PlateRow) -> str | None:
        return None if row.busy else f"{visible(row.name)} is not running"

    def _why_not_move(self, row: PlateRow) -> str | None:
        queue = self._state.workbench.queue
        if row.folder not in queue:
            return f"{visible(row.name)} does not wait for its turn"
        return None if len(queue) > 1 else f"{visible(row.name)} is the only plate that waits"

    def _why_not_remove(self, row: PlateRow) -> str | None:
        if row.busy:
            return self._busy_until(row, "cancels that first")
        return None

    # -- what the keys do ----------------------------------------------------------------------------------------

    async def _show_details(self, row: PlateRow) -> None:
        lines = list(plate_text.detail_text(row))
        async with self._tasks.scope("details") as scope:
            if row.status is Status.RUNNING and row.out is not None:
                scope.create_task(
                    self._follow_workers(row.folder, row.out, lines), f"look at the workers of {row.name}"
                )
            await show_text(row.name, lines, app_state=self._state, tasks=self._tasks)

    async def _follow_workers(self, folder: Path, out: Path, lines: list[str]) -> None:
        """Keep `lines`, the details of the plate, as they are now, with what the workers of its run do."""
        row = self._state.workbench.find(folder)
        while row is not None and row.status is Status.RUNNING:
            workers = await in_daemon_thread(partial(find_workers, out), f"look at the workers of {folder.name}")
            row = self._state.workbench.find(folder) or row
            lines[:] = plate_text.detail_text(row, workers)
            get_app().invalidate()
            await asyncio.sleep(_WORKERS_EVERY_S)
