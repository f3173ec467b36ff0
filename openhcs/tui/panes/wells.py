"""The wells of the selected plate: a list, or a map where they lie; both show the same cursor and the same marks.

Drawing is in `plate_text` and `well_looks`; a well opened is shown by `well_view`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Final

from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.layout.containers import ConditionalContainer, Container, HSplit, Window
from prompt_toolkit.layout.dimension import Dimension
from prompt_toolkit.mouse_events import MouseEvent, MouseModifier

from openhcs.core.model import Status, well_position
from openhcs.core.progress import WellProgress, WellState
from openhcs.tui import actions
from openhcs.tui.effects.plates import PlateEffects
from openhcs.tui.effects.well_values import WellValueEffects, values_shown
from openhcs.tui.effects.wells import WellReader
from openhcs.tui.panes import plate_text, well_looks
from openhcs.tui.panes.place import Place
from openhcs.tui.panes.run_log import RunLogView
from openhcs.tui.panes.well_view import WellView
from openhcs.tui.state import AppState
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.utils.screen_output import is_plain
from openhcs.tui.utils.unified_task_manager import UnifiedTaskManager
from openhcs.tui.widgets.bindings import Binding
from openhcs.tui.widgets.colour_scale import Palette, Scale, number_text, palette_of_screen
from openhcs.tui.widgets.drawn_text import drawn_window
from openhcs.tui.widgets.kept import Kept
from openhcs.tui.widgets.keymap import Keymap
from openhcs.tui.widgets.map_cells import WellLook
from openhcs.tui.widgets.map_layout import Grid
from openhcs.tui.widgets.pane_frame import PaneFrame
from openhcs.tui.widgets.plate_map import PlateMap
from openhcs.tui.widgets.selectable_list import SelectableList
from openhcs.tui.workbench import PlateRow

__all__ = ["WellsPane"]

SUMMARY_LINES: Final = 5


class WellsPane:
    """Wells under a summary of their plate; `place` is where the focus stands in it, `rows` are its keys."""

    def __init__(
        self,
        state: AppState,
        effects: PlateEffects,
        tasks: UnifiedTaskManager,
        refuse: Callable[[str], None],
        keymap: Keymap,
        empty: Callable[[], StyleAndTextTuples],
        log: RunLogView,
    ) -> None:
        self._state = state
        self._effects = effects
        self._values = WellValueEffects(state, tasks)
        self._log = log
        self._view = WellView(state, WellReader(effects), tasks)
        self._items: Kept[tuple[WellProgress, ...]] = Kept()
        self._names: Kept[tuple[str, ...]] = Kept()
        self._grid: tuple[object, Grid] = (None, Grid.of(0, 0, ()))
        self._numbers: Kept[tuple[Mapping[str, float], Scale | None]] = Kept()
        self.rows = keymap.rows("Wells", self._bindings())
        well_list = SelectableList[WellProgress](
            self.items,
            self._list_row,
            index=lambda: state.workbench.well,
            on_select=lambda index: state.dispatch(actions.WellSelected(index)),
            on_activate=lambda well: self._view.show(),
            on_click=self._click,
            empty=empty,
            bindings=self.rows,
            tasks=tasks,
            refuse=refuse,
            name="well details",
        )
        well_map = PlateMap(
            self._plate_grid,
            self._look,
            index=lambda: state.workbench.well,
            on_select=lambda index: state.dispatch(actions.WellSelected(index)),
            on_activate=self._view.show,
            is_marked=lambda number: self.items()[number].well in self._marked,
            on_mark=self._mark,
            may_stack=lambda: self._palette is not Palette.SHAPES,
            empty=empty,
            bindings=self.rows,
            tasks=tasks,
            refuse=refuse,
            name="well details",
        )
        well_list.window.height = Dimension(min=3)
        well_map.window.height = Dimension(min=3)
        self._as_list = Place("Wells", well_list.window, well_list.rows)
        self._as_map = Place("Wells", well_map.window, well_map.rows)
        summary = drawn_window(
            lambda width: plate_text.summary_fragments(self._row, width, state.workbench.now_s, plain=is_plain()),
            height=Dimension(min=1, max=SUMMARY_LINES),
        )
        shows_map = Condition(self._shows_map)
        # A map needs every line: 1536 wells just fit into 80 x 24, two rows a line.
        map_and_words = HSplit([well_map, drawn_window(self._told), drawn_window(self._legend)])
        summary_and_list = HSplit([summary, Window(height=1, char="─", style="class:pane.border"), well_list])
        self.container = PaneFrame(
            HSplit(
                [
                    ConditionalContainer(summary_and_list, ~shows_map),
                    ConditionalContainer(map_and_words, shows_map),
                ]
            ),
            self._title,
            lambda: self.place.has_focus,
        )

    def __pt_container__(self) -> Container:
        return self.container.container

    def _list_row(self, well: WellProgress, width: int) -> StyleAndTextTuples:
        marked = well.well in self._marked
        if not is_plain():
            return plate_text.well_fragments(well, width, marked=marked)
        measure, number = self._state.workbench.measure, ""
        if measure is not None and measure.table is not None:  # what the map would show; objects are told anyway
            value = self._measured()[0].get(well.well)
            number = f"{visible(measure.name)} {'unknown' if value is None else number_text(value)}"
        return plate_text.well_fragments(well, width, marked=marked, plain=True, number=number)

    @property
    def place(self) -> Place:
        """Where the focus stands: the list, or the map."""
        return self._as_map if self._shows_map() else self._as_list

    def _shows_map(self) -> bool:
        # Where something lies is told by its name to whoever has the screen read out.
        return self._state.workbench.wells_as_map and not is_plain()

    async def open_well(self, folder: Path, well: str) -> None:
        """Select a well of the plate in `folder`, and open it."""
        plates = self._state.workbench.plates
        at = next((number for number, row in enumerate(plates) if row.folder == folder), None)
        if at is None:
            return
        self._state.dispatch(actions.PlateSelected(at))
        names = [item.well for item in self.items()]
        if well in names:
            self._state.dispatch(actions.WellSelected(names.index(well)))
            await self._view.show()

    # -- what is shown -------------------------------------------------------------------------------------------

    @property
    def _row(self) -> PlateRow | None:
        return self._state.workbench.selected

    @property
    def _marked(self) -> frozenset[str]:
        return self._row.marked if self._row is not None else frozenset()

    @property
    def _well(self) -> WellProgress | None:
        wells = self.items()
        return wells[min(self._state.workbench.well, len(wells) - 1)] if wells else None

    @property
    def _palette(self) -> Palette:
        return palette_of_screen()

    def items(self) -> Sequence[WellProgress]:
        """The wells of the selected plate, waiting ones before there is a run; made once for each snapshot."""
        row = self._row
        if row is None:
            return ()
        return self._items.made_from((row.progress, row.facts), lambda: row.wells)

    def _plate_grid(self) -> Grid:
        """Where the wells lie; made anew only for other wells."""
        row = self._row
        items = self.items()
        names = self._names.made_from((items,), lambda: tuple(well.well for well in items))
        facts = row.facts if row is not None else None
        size = (facts.rows, facts.columns) if facts is not None else (0, 0)
        if self._grid[0] != (size, names):
            self._grid = ((size, names), Grid.of(*size, [well_position(name) for name in names]))
        return self._grid[1]

    def _measured(self) -> tuple[Mapping[str, float], Scale | None]:
        """What the wells are coloured by, and its range; made once for each snapshot."""
        workbench = self._state.workbench
        row = workbench.selected

        def make() -> tuple[Mapping[str, float], Scale | None]:
            values = values_shown(row, workbench.measure, workbench.values)
            return values, Scale.of(values.values())

        sources = (row.folder if row else None, row.progress if row else None, workbench.measure, workbench.values)
        return self._numbers.made_from(sources, make)

    def _look(self, number: int) -> WellLook:
        well = self.items()[number]
        if self._state.workbench.measure is None:
            return well_looks.state_look(well, self._palette)
        values, scale = self._measured()
        return well_looks.value_look(values.get(well.well), scale, self._palette)

    def _title(self) -> str:
        marked = f", {len(self._marked)} marked" if self._marked else ""
        return f"Wells of {visible(self._row.name)}{marked}" if self._row else "Wells"

    def _told(self, width: int) -> StyleAndTextTuples:
        """The well under the cursor in words, so that nothing is told by colour alone."""
        well = self._well
        if well is None:
            return []
        measure = self._state.workbench.measure
        value = self._measured()[0].get(well.well)
        return well_looks.told_fragments(well, measure, value, width, marked=well.well in self._marked)

    def _legend(self, width: int) -> StyleAndTextTuples:
        measure = self._state.workbench.measure
        if measure is None:
            return well_looks.state_legend((well.state for well in self.items()), self._palette, width)
        return well_looks.measure_legend(measure, self._measured()[1], self._palette, width)

    # -- keys ----------------------------------------------------------------------------------------------------

    def _bindings(self) -> tuple[Binding, ...]:
        def why_no_well() -> str | None:
            return None if self._well else "No well is selected"

        return (
            Binding(
                ("enter",),
                self._view.show,
                "Open",
                "Open the well: its pictures, measurements, provenance and log.",
                why_no_well,
            ),
            Binding(
                ("m",),
                self._switch,
                "Map/list",
                "Show the wells where they lie on the plate, or as a list.",
                lambda: "A plain screen has the wells as a list only" if is_plain() else None,
            ),
            Binding(("space",), self._toggle, "Mark", "Mark the well for what is to come, or unmark it.", why_no_well),
            Binding(
                ("u",),
                lambda: self._mark(range(len(self.items())), False),
                "Unmark all",
                "Take all marks away.",
                lambda: None if self._marked else "No well is marked",
                on_footer=False,
            ),
            Binding(
                ("v",),
                self._values.choose,
                "Colour by",
                "Colour the map by state, by objects counted or by a measurement.",
                lambda: None if self._row else "There is no plate",
            ),
            Binding(
                ("g",),
                lambda: self._log.show(self._row, self._well.well) if self._row and self._well else None,
                "Log",
                "Show what the log of the last run has about this well.",
                why_no_well,
                on_footer=False,
            ),
            Binding(
                ("x",),
                self._cancel_well,
                "Cancel well",
                "Cancel this well; the others go on.",
                self._why_not_cancel_well,
            ),
            Binding(
                ("n", "F"),
                self._next_failed,
                "Next failed",
                "Go to the next well that failed.",
                lambda: None if self._failed() else "No well has failed",
            ),
        )

    def _switch(self) -> None:
        had_focus = self.place.has_focus
        self._state.dispatch(actions.WellsShownAsMap(not self._state.workbench.wells_as_map))
        if had_focus:
            self.place.take_focus()

    def _mark(self, numbers: Collection[int], on: bool) -> None:
        row, wells = self._row, self.items()
        if row is not None:
            names = frozenset(wells[number].well for number in numbers)
            self._state.dispatch(actions.WellsMarked(row.folder, names, on))

    def _click(self, index: int, mouse_event: MouseEvent) -> bool:
        """A click with Control marks a well, as on the map."""
        if MouseModifier.CONTROL not in mouse_event.modifiers:
            return False
        self._state.dispatch(actions.WellSelected(index))
        self._toggle()
        return True

    def _toggle(self) -> None:
        well = self._well
        if well is not None:
            self._mark((self._state.workbench.well,), well.well not in self._marked)

    def _why_not_cancel_well(self) -> str | None:
        row, well = self._row, self._well
        if row is None or well is None:
            return "No well is selected"
        if row.status is not Status.RUNNING:
            return f"{visible(row.name)} is not running"
        return f"Well {visible(well.well)} is over" if well.state.has_ended else None

    async def _cancel_well(self) -> None:
        if self._row is not None and self._well is not None:
            await self._effects.runs.cancel_well(self._row.folder, self._well.well)

    def _failed(self) -> list[int]:
        return [i for i, well in enumerate(self.items()) if well.state is WellState.FAILED]

    def _next_failed(self) -> None:
        failed = self._failed()
        here = self._state.workbench.well
        if failed:
            self._state.dispatch(actions.WellSelected(next((i for i in failed if i > here), failed[0])))
