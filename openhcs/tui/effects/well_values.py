"""What the plate map is coloured by: the user's choice, and the numbers read for it while results come in.

Counts of objects come with the run's progress and cost nothing. Columns of tables are read in a thread, a file a well,
each well once a run; a run that goes on is looked at again when wells have finished.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from openhcs.core.progress import WellState
from openhcs.errors import OpenHCSError
from openhcs.tui import actions
from openhcs.tui.effects.pick_dialog import Choice, pick
from openhcs.tui.state import AppState
from openhcs.tui.utils.daemon_thread import in_daemon_thread
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.utils.unified_task_manager import UnifiedTaskManager
from openhcs.tui.workbench import Measure, PlateRow, Severity, WellValues

__all__ = ["WellValueEffects", "measure_text", "values_shown"]

_BATCH_S: Final = 0.3
"""How long wells are read before the map is told; a plate of 1536 wells takes some seconds."""

_UNITS: Final = (("_um2", "µm²"), ("_mm2", "per mm²"), ("_um", "µm"), ("_px", "px"), ("_s", "s"))
_DONE: Final = frozenset({WellState.FINISHED, WellState.REUSED})


def measure_text(measure: Measure | None) -> str:
    """What a measure is called on the screen, with its unit where the column's name tells one."""
    if measure is None:
        return "state"
    if measure.table is None:
        return f"{visible(measure.name)} (objects in the well)"
    unit = next((unit for ending, unit in _UNITS if measure.name.endswith(ending)), "")
    return f"{visible(measure.table)}: mean {visible(measure.name)}{f' [{unit}]' if unit else ''}"


def values_shown(row: PlateRow | None, measure: Measure | None, values: WellValues | None) -> Mapping[str, float]:
    """The number of each well of `row` that has one."""
    if row is None or measure is None:
        return {}
    if measure.table is None:
        ran = row.progress.wells.values() if row.progress is not None else ()
        return {well.well: float(well.objects[measure.name]) for well in ran if measure.name in well.objects}
    return values.by_well if values is not None and (values.folder, values.measure) == (row.folder, measure) else {}


class WellValueEffects:
    """Lets the user choose a measure, and reads it for the plate that is selected."""

    def __init__(self, state: AppState, tasks: UnifiedTaskManager) -> None:
        self._state = state
        self._tasks = tasks
        self._asked: object = None
        state.subscribe(self._look)

    async def choose(self) -> None:
        """Let the user choose what the map is coloured by."""
        row = self._state.workbench.selected
        out = row.out if row is not None else None
        columns: Sequence[tuple[str, str]] = ()
        if out is not None:
            try:
                columns = await in_daemon_thread(lambda: _columns(out), "list the measurements")
            except OpenHCSError as error:
                self._state.dispatch(actions.MessageShown(visible(str(error)), Severity.ERROR))
        names = dict.fromkeys(name for well in (row.wells if row is not None else ()) for name in well.objects)
        choices: list[Choice[Measure | None]] = [Choice("State", "how each well stands", None)]
        choices += [Choice(name, "objects in the well", Measure(name)) for name in names]
        choices += [Choice(name, f"mean over {table}", Measure(name, table)) for table, name in columns]
        chosen = await pick("Colour the wells by", choices, app_state=self._state, tasks=self._tasks)
        if chosen is not None:
            self._state.dispatch(actions.MeasureChosen(chosen.value))
            self._state.dispatch(actions.WellsShownAsMap(True))

    def _look(self) -> None:
        """Read where there is something new to read; a comparison of a few numbers at every change of state."""
        workbench = self._state.workbench
        row, measure = workbench.selected, workbench.measure
        if row is None or measure is None or measure.table is None or not workbench.wells_as_map:
            return
        progress = row.progress
        if progress is None or row.out is None:
            return
        asked = (row.folder, measure, progress.started_s, progress.finished)
        if asked != self._asked:
            self._asked = asked
            self._tasks.exclusive("values of the plate map", self._read(row, measure, row.out), f"read {measure.name}")

    async def _read(self, row: PlateRow, measure: Measure, out: Path) -> None:
        known = self._state.workbench.values
        progress = row.progress
        assert progress is not None
        done = [well.well for well in progress.wells.values() if well.state in _DONE]
        values: dict[str, float] = {}
        run = row.folder, measure, progress.started_s
        if known is not None and (known.folder, known.measure, known.started_s) == run:
            finished = set(done)
            values = {well: value for well, value in known.by_well.items() if well in finished}
        left = [well for well in done if well not in values]
        while left:
            try:
                read, left = await in_daemon_thread(partial(_means, out, measure, left), "read measurements")
            except OpenHCSError as error:
                self._state.dispatch(actions.MessageShown(visible(str(error)), Severity.ERROR))
                break
            values = {**values, **read}
            self._state.dispatch(actions.ValuesRead(WellValues(*run, values)))


def _columns(out: Path) -> Sequence[tuple[str, str]]:
    from openhcs.core.well_tables import numeric_columns  # polars: 0.2 s

    return numeric_columns(out)


def _means(out: Path, measure: Measure, wells: Sequence[str]) -> tuple[Mapping[str, float], list[str]]:
    """The means of the wells that can be read in a moment, and the wells left to read."""
    from openhcs.core.well_tables import well_mean

    until_s = time.monotonic() + _BATCH_S
    values: dict[str, float] = {}
    for number, well in enumerate(wells, start=1):
        mean = well_mean(out, measure.table or "", measure.name, well)
        if mean is not None:
            values[well] = mean
        if time.monotonic() > until_s:
            return values, list(wells[number:])
    return values, []
