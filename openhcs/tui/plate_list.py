"""The list of plates as it is worked with: what is shown of it and in which order, marks, removal with undo, batches.

Pure functions of the `Workbench`; `state.reduce` calls those that change it. A plate's cursor is its position on the
whole list, whatever is shown of it: sorting and filtering never change which plate is meant.

Anybody in the workbench may import this; it imports the engine's values only.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from openhcs.core.model import Status
from openhcs.core.progress import WellState
from openhcs.core.wording import natural_key
from openhcs.tui.workbench import Activity, PlateOrder, PlateRow, PlateView, Workbench

__all__ = [
    "BatchProgress",
    "add_plates",
    "batch_progress",
    "change_view",
    "keep_cursor_in_sight",
    "mark_plates",
    "queue_plates",
    "remove_plates",
    "restore_plates",
    "select_plate",
    "shown_plates",
]

UNDO_LIMIT: Final = 200

_WORDS: Final = {
    Status.ADDED: "not initialised",
    Status.INITIALISED: "initialised",
    Status.COMPILED: "ready",
    Status.RUNNING: "running",
    Status.FINISHED: "finished",
    Status.FAILED: "failed",
}
_URGENCY: Final = {
    Status.RUNNING: 0,
    Status.FAILED: 3,
    Status.COMPILED: 4,
    Status.INITIALISED: 5,
    Status.ADDED: 6,
    Status.FINISHED: 7,
}


def _status_word(row: PlateRow) -> str:
    """How a plate stands, in the word that the filter knows."""
    return row.activity.value if row.activity is not None else _WORDS[row.status]


# -- what is shown -----------------------------------------------------------------------------------------------


def shown_plates(workbench: Workbench) -> tuple[int, ...]:
    """The positions of the plates that the filter lets through, in the order chosen."""
    view = workbench.plate_view
    words = view.filter.casefold().split()
    above = len(_folder_of_all(workbench.plates)) if words else 0
    shown = [at for at, row in enumerate(workbench.plates) if not words or _matches(row, words, above)]
    if view.order is not PlateOrder.ADDED:
        turns = {folder: turn for turn, folder in enumerate(workbench.queue)}
        key = _SORT_KEYS[view.order]
        shown.sort(key=lambda at: key(workbench.plates[at], turns.get(workbench.plates[at].folder, -1)))
    return tuple(shown)


def _folder_of_all(plates: Collection[PlateRow]) -> str:
    """The folder that all plates are in: what stands in its path tells none from another. Empty where there is none."""
    try:
        return os.path.commonpath([row.folder.parent for row in plates])
    except ValueError:
        return ""


def _matches(row: PlateRow, words: Collection[str], above: int) -> bool:
    folder = str(row.folder)[above:]
    text = f"{row.name} {folder} {row.facts.format if row.facts else ''} {_status_word(row)}".casefold()
    return all(word in text for word in words)


def _urgency(row: PlateRow) -> int:
    """What runs first, then what is at work or waits, then what wants to be looked at."""
    if row.activity is None or row.status is Status.RUNNING:
        return _URGENCY[row.status]
    return 2 if row.activity is Activity.QUEUED else 1


def _failed(row: PlateRow) -> int:
    return row.progress.failed if row.progress is not None else 0


def _fraction(row: PlateRow) -> float:
    progress = row.progress
    return (progress.finished + progress.failed) / progress.total if progress is not None and progress.total else -1.0


_SORT_KEYS: Final[dict[PlateOrder, Callable[[PlateRow, int], Any]]] = {
    PlateOrder.NAME: lambda row, turn: natural_key(row.name),
    PlateOrder.STATUS: lambda row, turn: (_urgency(row), turn),
    PlateOrder.FAILED: lambda row, turn: (-_failed(row), row.status is not Status.FAILED),
    PlateOrder.PROGRESS: lambda row, turn: (-_fraction(row), turn),
}


def change_view(workbench: Workbench, view: PlateView) -> Workbench:
    """Show the plates otherwise; where the filter hides the selected plate, the first of those shown is selected."""
    return keep_cursor_in_sight(replace(workbench, plate_view=view))


def keep_cursor_in_sight(workbench: Workbench) -> Workbench:
    """Select another plate where the filter has come to hide the selected one."""
    if not workbench.plate_view.filter:
        return workbench
    shown = shown_plates(workbench)
    return workbench if not shown or workbench.plate in shown else select_plate(workbench, shown[0])


def select_plate(workbench: Workbench, index: int) -> Workbench:
    """Put the cursor on the plate at `index` of the whole list, or the nearest there is."""
    plate = _clamp(index, len(workbench.plates))
    return workbench if plate == workbench.plate else replace(workbench, plate=plate, well=0)


# -- what is on it -----------------------------------------------------------------------------------------------


def add_plates(workbench: Workbench, folders: Collection[Path]) -> Workbench:
    """Append rows for folders that are not on the list, and select the first of those asked for that is new, or is."""
    known = {row.folder for row in workbench.plates}
    new = [folder for folder in dict.fromkeys(folders) if folder not in known]
    if not new:
        at = next((i for i, row in enumerate(workbench.plates) if row.folder in folders), workbench.plate)
        return _show_cursor(select_plate(workbench, at))
    first = len(workbench.plates)
    plates = (*workbench.plates, *(PlateRow(folder) for folder in new))
    removed = (tuple((at, row) for at, row in taken if row.folder not in new) for taken in workbench.removed)
    kept = tuple(taken for taken in removed if taken)
    return _show_cursor(replace(workbench, plates=plates, plate=first, well=0, removed=kept))


def _show_cursor(workbench: Workbench) -> Workbench:
    """End a filter that hides the plate which the cursor was put on."""
    if not workbench.plate_view.filter or not workbench.plates or workbench.plate in shown_plates(workbench):
        return workbench
    return replace(workbench, plate_view=replace(workbench.plate_view, filter=""))


def remove_plates(workbench: Workbench, folders: Collection[Path]) -> Workbench:
    """Take idle plates off the list; one undo brings all of them back."""
    taken = tuple((at, row) for at, row in enumerate(workbench.plates) if row.folder in folders and not row.busy)
    if not taken:
        return workbench
    gone = {at for at, _ in taken}
    plates = tuple(row for at, row in enumerate(workbench.plates) if at not in gone)
    # The cursor goes to the next plate that is shown and stays, else to the one before.
    shown = shown_plates(workbench)
    here = shown.index(workbench.plate) if workbench.plate in shown else 0
    stay = [at for at in (*shown[here:], *reversed(shown[:here])) if at not in gone]
    cursor = stay[0] if stay else 0
    plate = _clamp(cursor - sum(at < cursor for at in gone), len(plates))
    removed = (*workbench.removed, taken)[-UNDO_LIMIT:]
    marked = workbench.marked - {row.folder for _, row in taken}
    well = 0 if workbench.plate in gone else workbench.well
    return replace(workbench, plates=plates, plate=plate, well=well, removed=removed, marked=marked)


def restore_plates(workbench: Workbench, settle: Callable[[PlateRow], PlateRow]) -> Workbench:
    """Put the plates removed last back where they were; `settle` says what has changed for them meanwhile."""
    if not workbench.removed:
        return workbench
    *removed, taken = workbench.removed
    plates = list(workbench.plates)
    for at, row in taken:
        plates.insert(min(at, len(plates)), settle(row))
    plate = min(taken[0][0], len(plates) - 1)
    return _show_cursor(replace(workbench, plates=tuple(plates), plate=plate, well=0, removed=tuple(removed)))


def mark_plates(workbench: Workbench, folders: Collection[Path], on: bool) -> Workbench:
    """Mark plates that are on the list for what is to come, or take their marks away."""
    marks = {row.folder for row in workbench.plates if row.folder in folders}
    marked = workbench.marked | marks if on else workbench.marked - marks
    return workbench if marked == workbench.marked else replace(workbench, marked=marked)


# -- runs of many ------------------------------------------------------------------------------------------------


def queue_plates(workbench: Workbench, waiting: tuple[Path, ...], running: frozenset[Path]) -> Workbench:
    """Plates that wait for their turn to run, in order, and those that run: a batch, until none of either is left.

    Plates that do not wait any more and never had their turn are no part of it. A batch that is over stays to be looked
    at until the next one begins.
    """
    now = frozenset((*waiting, *running))
    was_over = not workbench.queue and not workbench.having_turn
    given_up = frozenset(workbench.queue) - now
    batch = now if was_over and now else (workbench.batch | now) - given_up
    return replace(workbench, queue=waiting, having_turn=running, batch=batch)


@dataclass(frozen=True, slots=True)
class BatchProgress:
    """How far the plates are that run, wait, or ran since there was nothing to do; `left_s` is None without a pace."""

    plates_done: int
    plates: int
    wells_done: int
    wells: int
    failed: int
    left_s: float | None

    @property
    def is_over(self) -> bool:
        """Whether nothing runs or waits."""
        return self.plates_done == self.plates


def batch_progress(workbench: Workbench, now_s: float) -> BatchProgress | None:
    """The sum over the batch; None where there is none.

    The time left is that of the wells to be done at the pace of those that run; a run that has no pace yet is taken to
    have that of the runs before.
    """
    rows = [row for row in workbench.plates if row.folder in workbench.batch]
    if not rows:
        return None
    wells = done = to_do = over = failed = 0
    paces: list[float] = []  # of runs that are over, in wells a second
    pace, without_pace = 0.0, 0
    for row in rows:
        runs, waits = row.folder in workbench.having_turn, row.folder in workbench.queue
        total, ended = _wells_of(row, waits=waits)
        wells += total
        done += ended
        to_do += total - ended if runs or waits else 0
        over += not (runs or waits)
        progress = row.progress
        if progress is None or waits:
            continue
        failed += progress.failed
        left_s = progress.eta_s(now_s)
        if runs and left_s:
            pace += (total - ended) / left_s
        elif runs:
            without_pace += 1
        elif progress.took_s and ended > progress.counts[WellState.REUSED]:
            paces.append((ended - progress.counts[WellState.REUSED]) / progress.took_s)
    if paces:
        pace += without_pace * sum(paces) / len(paces)
    return BatchProgress(over, len(rows), done, wells, failed, to_do / pace if pace and to_do else None)


def _wells_of(row: PlateRow, *, waits: bool) -> tuple[int, int]:
    """How many wells the plate has to do, and how many of them are over."""
    progress = row.progress
    if progress is None or waits or not progress.total:
        known = len(row.facts.wells) if row.facts is not None else 0
        return row.to_do if waits and row.to_do else known, 0
    return progress.total, progress.total - progress.counts[WellState.PENDING] - progress.counts[WellState.RUNNING]


def _clamp(index: int, length: int) -> int:
    return max(0, min(index, length - 1))
