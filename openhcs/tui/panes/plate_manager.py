"""The left half of the workbench: the list of plates, and below it the selected plate with its wells.

Drawing is in `plate_text`; what the keys start is in `effects.plates`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from prompt_toolkit.application import get_app
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.layout.containers import Container, HSplit, Window
from prompt_toolkit.layout.dimension import Dimension

from openhcs.core.model import Status
from openhcs.core.progress import WellProgress, WellState
from openhcs.tui import actions
from openhcs.tui.effects.plates import Goal, PlateEffects
from openhcs.tui.effects.text_dialog import show_text
from openhcs.tui.panes import plate_text
from openhcs.tui.panes.place import Place
from openhcs.tui.ports import TaskSpawner
from openhcs.tui.state import AppState
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.widgets.bindings import Binding, key_of
from openhcs.tui.widgets.drawn_text import drawn_window
from openhcs.tui.widgets.keymap import Keymap
from openhcs.tui.widgets.pane_frame import PaneFrame
from openhcs.tui.widgets.selectable_list import SelectableList
from openhcs.tui.workbench import PlateRow

__all__ = ["PlateManager"]

SUMMARY_LINES: Final = 5
_JOBS: Final = frozenset({"Init", "Compile", "Run", "Results"})


class PlateManager:
    """Plates and wells; `plates` and `wells` are its two places for the focus.

    `job_rows` are those of `plate_rows` that are for every pane: their keys are free there, and the plate is selected.
    """

    def __init__(
        self,
        state: AppState,
        effects: PlateEffects,
        tasks: TaskSpawner,
        refuse: Callable[[str], None],
        keymap: Keymap,
    ) -> None:
        self._state = state
        self._effects = effects
        self._tasks = tasks
        self._wells: tuple[object, tuple[WellProgress, ...]] = (None, ())
        self.plate_rows = keymap.rows("Plates", self._plate_bindings())
        self.well_rows = keymap.rows("Wells", self._well_bindings())
        self.job_rows = tuple(row for row in self.plate_rows if row.label in _JOBS)
        plate_list = SelectableList[PlateRow](
            lambda: state.workbench.plates,
            lambda row, width: plate_text.plate_fragments(row, width, state.workbench.now_s),
            index=lambda: state.workbench.plate,
            on_select=lambda index: state.dispatch(actions.PlateSelected(index)),
            on_activate=self._show_details,
            empty=lambda: _no_plates(key_of(self.plate_rows, "Add")),
            bindings=self.plate_rows,
            tasks=tasks,
            refuse=refuse,
            name="plate details",
        )
        well_list = SelectableList[WellProgress](
            self._well_items,
            plate_text.well_fragments,
            index=lambda: state.workbench.well,
            on_select=lambda index: state.dispatch(actions.WellSelected(index)),
            on_activate=self._show_well,
            empty=lambda: _no_wells(key_of(self.plate_rows, "Init")) if self._row else [],
            bindings=self.well_rows,
            tasks=tasks,
            refuse=refuse,
            name="well details",
        )
        well_list.window.height = Dimension(min=3)
        self.plates = Place("Plates", plate_list.window, plate_list.rows)
        self.wells = Place("Wells", well_list.window, well_list.rows)
        summary = drawn_window(
            lambda width: plate_text.summary_fragments(self._row, width, state.workbench.now_s),
            height=Dimension(min=1, max=SUMMARY_LINES),
        )
        self.container = HSplit(
            [
                PaneFrame(plate_list, self._plates_title, lambda: self.plates.has_focus, height=self._plates_height),
                PaneFrame(
                    HSplit([summary, Window(height=1, char="─", style="class:pane.border"), well_list]),
                    self._wells_title,
                    lambda: self.wells.has_focus,
                ),
            ],
            width=Dimension(weight=11),
        )

    def __pt_container__(self) -> Container:
        return self.container

    @property
    def _row(self) -> PlateRow | None:
        return self._state.workbench.selected

    @property
    def _well(self) -> WellProgress | None:
        wells = self._well_items()
        return wells[min(self._state.workbench.well, len(wells) - 1)] if wells else None

    def _well_items(self) -> Sequence[WellProgress]:
        """The wells of the selected plate, waiting ones before there is a run; made once for each snapshot."""
        row = self._row
        if row is None:
            return ()
        source = row.progress if row.progress is not None else row.facts
        if self._wells[0] is not source:
            self._wells = (source, row.wells)
        return self._wells[1]

    def _plates_height(self) -> Dimension:
        """The list is as high as it has plates, within a quarter and a half of the screen; the wells get the rest."""
        rows = get_app().output.get_size().rows
        wanted = len(self._state.workbench.plates) + 3
        return Dimension.exact(max(4, rows // 4, min(wanted, rows // 2 - 1)))

    def _plates_title(self) -> str:
        count = len(self._state.workbench.plates)
        return f"Plates ({count})" if count else "Plates"

    def _wells_title(self) -> str:
        return f"Wells of {visible(self._row.name)}" if self._row else "Wells"

    # -- keys ----------------------------------------------------------------------------------------------------

    def _plate_bindings(self) -> tuple[Binding, ...]:
        effects = self._effects
        return (
            Binding(("a",), effects.add, "Add", "Add plate folders, found in the file browser."),
            Binding(
                ("i",),
                self._on_plate(lambda row: effects.bring(row.folder, Goal.INITIALISED)),
                "Init",
                "Initialise: read what the plate's folder holds.",
                self._why_not_start,
            ),
            Binding(
                ("c",),
                self._on_plate(lambda row: effects.bring(row.folder, Goal.COMPILED)),
                "Compile",
                "Compile: check the pipeline against the plate, and plan every well; initialises first if needed.",
                self._why_not_compile,
            ),
            Binding(
                ("r",),
                self._on_plate(lambda row: effects.bring(row.folder, Goal.FINISHED)),
                "Run",
                "Run the pipeline on every well; initialises and compiles first if needed.",
                self._why_not_compile,
            ),
            Binding(
                ("x",),
                lambda: effects.cancel(self._row.folder) if self._row else None,
                "Cancel",
                "Cancel what is going on with the plate.",
                self._why_not_cancel,
            ),
            Binding(
                ("d", "delete"),
                self._on_plate(effects.remove),
                "Remove",
                "Take the plate off the list; nothing on disk is deleted.",
                self._why_not_remove,
            ),
            Binding(
                ("u",),
                effects.restore,
                "Put back",
                "Put the plate removed last back on the list.",
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
                lambda: effects.tell_results(self._row) if self._row else None,
                "Results",
                "Tell where the results are, or will be.",
                self._why_no_plate,
            ),
        )

    def _well_bindings(self) -> tuple[Binding, ...]:
        return (
            Binding(
                ("enter",),
                lambda: self._show_well(self._well) if self._well else None,
                "Details",
                "Show how the well stands, or why it failed.",
                lambda: None if self._well else "No well is selected",
            ),
            Binding(
                ("x",),
                self._cancel_well,
                "Cancel well",
                "Cancel this well; the others go on.",
                self._why_not_cancel_well,
            ),
            Binding(
                ("n",),
                self._next_failed,
                "Next failed",
                "Go to the next well that failed.",
                lambda: None if self._failed() else "No well has failed",
            ),
        )

    def _on_plate(self, do: Callable[[PlateRow], None]) -> Callable[[], None]:
        def run() -> None:
            if self._row is not None:
                do(self._row)

        return run

    def _why_no_plate(self) -> str | None:
        return None if self._row else f"There is no plate yet: {key_of(self.plate_rows, 'Add')} adds one"

    def _why_not_start(self) -> str | None:
        row = self._row
        if row is None:
            return self._why_no_plate()
        if row.busy:
            return f"{self._what_goes_on(row)}: {key_of(self.plate_rows, 'Cancel')} cancels that"
        return None

    def _what_goes_on(self, row: PlateRow) -> str:
        return f"{visible(row.name)} is {row.activity.value if row.activity else 'running'}"

    def _why_not_compile(self) -> str | None:
        if not self._state.workbench.editing.pipeline.steps:
            return "The pipeline has no steps: add one to it, or load a pipeline"
        return self._why_not_start()

    def _why_not_cancel(self) -> str | None:
        row = self._row
        return self._why_no_plate() if row is None else None if row.busy else f"{visible(row.name)} is not running"

    def _why_not_remove(self) -> str | None:
        row = self._row
        if row is not None and row.busy:
            return f"{self._what_goes_on(row)}: {key_of(self.plate_rows, 'Cancel')} cancels that first"
        return self._why_no_plate()

    def _why_not_cancel_well(self) -> str | None:
        row, well = self._row, self._well
        if row is None or well is None:
            return "No well is selected"
        if row.status is not Status.RUNNING:
            return f"{visible(row.name)} is not running"
        return f"Well {visible(well.well)} is over" if well.state.has_ended else None

    # -- what the keys do ----------------------------------------------------------------------------------------

    async def _show_details(self, row: PlateRow) -> None:
        await show_text(row.name, plate_text.detail_text(row), app_state=self._state, tasks=self._tasks)

    async def _show_well(self, well: WellProgress) -> None:
        lines = plate_text.well_detail_text(well)
        await show_text(f"Well {well.well}", lines, app_state=self._state, tasks=self._tasks)

    async def _cancel_well(self) -> None:
        if self._row is not None and self._well is not None:
            await self._effects.cancel_well(self._row.folder, self._well.well)

    def _failed(self) -> list[int]:
        return [i for i, well in enumerate(self._well_items()) if well.state is WellState.FAILED]

    def _next_failed(self) -> None:
        failed = self._failed()
        here = self._state.workbench.well
        if failed:
            self._state.dispatch(actions.WellSelected(next((i for i in failed if i > here), failed[0])))


def _no_plates(add: str) -> StyleAndTextTuples:
    return [
        ("class:muted", " No plates yet.\n\n "),
        ("class:key", add),
        ("class:muted", " adds the folder of a plate as the\n microscope wrote it. It is only read."),
    ]


def _no_wells(initialise: str) -> StyleAndTextTuples:
    return [
        ("class:muted", "No wells known yet.\n"),
        ("class:key", initialise),
        ("class:muted", " initialises the plate."),
    ]
