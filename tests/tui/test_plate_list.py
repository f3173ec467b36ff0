"""The list of plates as it is worked with: filtered, sorted, marked, removed several at once, summed up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from openhcs.core.model import Status
from openhcs.core.progress import RunProgress, RunState, WellProgress, WellState
from openhcs.tui import actions
from openhcs.tui.actions import Action
from openhcs.tui.plate_list import BatchProgress, batch_progress, shown_plates
from openhcs.tui.state import reduce
from openhcs.tui.workbench import Activity, PlateOrder, PlateRow, PlateView, Workbench

NAMES = ("plate 10", "plate 9", "Other", "plate 1")
DAYS = ("monday", "monday", "tuesday", "tuesday")
FOLDERS = tuple(Path("/run 1") / day / name for day, name in zip(DAYS, NAMES, strict=True))
TEN, NINE, OTHER, ONE = FOLDERS


def run(*states: WellState, state: RunState = RunState.FINISHED, took_s: float = 60.0) -> RunProgress:
    return RunProgress(
        state=state,
        started_s=0.0,
        ended_s=took_s if state.has_ended else None,
        wells={f"W{at}": WellProgress(f"W{at}", well) for at, well in enumerate(states)},
    )


DONE, BAD, LEFT = WellState.FINISHED, WellState.FAILED, WellState.PENDING
PLATES = (
    PlateRow(TEN, Status.FINISHED, progress=run(DONE, DONE)),
    PlateRow(NINE, Status.FAILED, progress=run(DONE, BAD, BAD)),
    PlateRow(OTHER),
    PlateRow(ONE, Status.RUNNING, progress=run(DONE, BAD, LEFT, LEFT, state=RunState.RUNNING)),
)
MANY = Workbench(plates=PLATES)


def after(*taken: Action, start: Workbench = MANY) -> Workbench:
    for action in taken:
        start = reduce(start, action)
    return start


def names(workbench: Workbench) -> list[str]:
    return [workbench.plates[at].name for at in shown_plates(workbench)]


def viewed(words: str = "", order: PlateOrder = PlateOrder.ADDED) -> actions.PlatesViewed:
    return actions.PlatesViewed(PlateView(words, order))


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (PlateOrder.ADDED, ["plate 10", "plate 9", "Other", "plate 1"]),
        (PlateOrder.NAME, ["Other", "plate 1", "plate 9", "plate 10"]),
        (PlateOrder.STATUS, ["plate 1", "plate 9", "Other", "plate 10"]),
        (PlateOrder.FAILED, ["plate 9", "plate 1", "plate 10", "Other"]),
        (PlateOrder.PROGRESS, ["plate 10", "plate 9", "plate 1", "Other"]),
    ],
)
def test_plates_are_sorted(order: PlateOrder, expected: list[str]) -> None:
    """Names as people count, by status what runs first, the most failed wells and the most progress first."""
    assert names(after(viewed(order=order))) == expected


def test_by_status_plates_that_wait_stand_in_the_order_of_their_turns() -> None:
    """Behind what runs and before what is idle."""
    plates = tuple(replace(row, activity=Activity.QUEUED) if row.folder in (TEN, OTHER) else row for row in PLATES)
    queued = replace(MANY, plates=plates, queue=(OTHER, TEN))
    assert names(after(viewed(order=PlateOrder.STATUS), start=queued)) == ["plate 1", "Other", "plate 10", "plate 9"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", list(NAMES)),
        ("PLATE 1", ["plate 10", "plate 1"]),
        ("failed", ["plate 9"]),
        ("tuesday run", ["plate 1"]),
        ("run 1", ["plate 1"]),
        ("not init", ["Other"]),
        ("nothing like this", []),
    ],
)
def test_plates_are_filtered_by_all_words(words: str, expected: list[str]) -> None:
    """In name, folder, format or status, whatever the case; of folders what not all plates have above them."""
    assert names(after(viewed(words))) == expected


def test_the_cursor_stays_on_its_plate_while_it_is_shown() -> None:
    """Sorting moves the row and not the choice; a filter that hides it selects the first that is shown."""
    chosen = after(actions.PlateSelected(1), viewed(order=PlateOrder.NAME))
    assert chosen.selected == PLATES[1]
    assert after(viewed("plate"), start=chosen).selected == PLATES[1]
    assert after(viewed("other"), start=chosen).selected == PLATES[2]


def test_a_plate_that_the_filter_comes_to_hide_gives_the_cursor_away() -> None:
    """What a run does to a status is not to leave the keys on a plate that nobody sees."""
    looking = after(viewed("running"), actions.PlateSelected(3))
    plates = (*PLATES[:2], replace(PLATES[2], status=Status.RUNNING), PLATES[3])
    ended = after(actions.RunProgressed(ONE, run(DONE)), start=replace(looking, plates=plates))
    assert ended.selected is not None
    assert ended.selected.folder == OTHER


def test_adding_a_plate_ends_a_filter_that_would_hide_it() -> None:
    """What was just added is seen."""
    added = after(viewed("failed"), actions.PlatesAdded((Path("/new"),)))
    assert added.plate_view.filter == ""
    assert added.selected == PlateRow(Path("/new"))


def test_several_plates_are_removed_and_come_back_together() -> None:
    """One undo for one removal, each plate at its place; what is at work stays, marks go."""
    marked = after(actions.PlatesMarked(frozenset(FOLDERS)), actions.PlateSelected(2))
    removed = after(actions.PlatesRemoved(FOLDERS), start=marked)
    assert [row.name for row in removed.plates] == ["plate 1"]
    assert removed.marked == {ONE}
    assert removed.plate == 0
    back = after(actions.PlatesRestored(), start=removed)
    assert back.plates == PLATES
    assert back.removed == ()


def test_after_a_removal_the_cursor_is_on_the_next_plate_that_is_shown() -> None:
    """In the order that is seen, which need not be that of the list."""
    by_name = after(viewed(order=PlateOrder.NAME), actions.PlateSelected(2))
    removed = after(actions.PlatesRemoved((OTHER,)), start=by_name)
    assert removed.selected == PLATES[3]
    last = after(actions.PlateSelected(0), actions.PlatesRemoved((TEN,)), start=by_name)
    assert last.selected == PLATES[1]


def test_only_plates_on_the_list_are_marked() -> None:
    """A mark is on a plate, and taken away by its folder."""
    marked = after(actions.PlatesMarked(frozenset({TEN, Path("/gone")})))
    assert marked.marked == {TEN}
    assert after(actions.PlatesMarked(frozenset({TEN}), False), start=marked).marked == frozenset()


def test_a_batch_is_all_that_ran_or_waited_since_there_was_nothing_to_do() -> None:
    """It is over when nothing runs or waits, stays to be looked at, and the next one begins anew."""
    queued = after(actions.PlatesQueued((NINE, TEN), frozenset({ONE})))
    assert queued.batch == {NINE, TEN, ONE}
    next_one = after(actions.PlatesQueued((TEN,), frozenset({NINE})), start=queued)
    assert next_one.batch == {NINE, TEN, ONE}
    over = after(actions.PlatesQueued((), frozenset()), start=after(actions.PlatesQueued((), FIRST), start=next_one))
    assert over.batch == {NINE, ONE, TEN}
    assert after(actions.PlatesQueued((), frozenset({OTHER})), start=over).batch == {OTHER}


FIRST = frozenset({TEN})


def test_a_plate_that_gives_up_its_place_is_no_part_of_the_batch() -> None:
    """Cancelling plates that wait leaves the sum to the others."""
    queued = after(actions.PlatesQueued((NINE, TEN), frozenset({ONE})))
    assert after(actions.PlatesQueued((TEN,), frozenset({ONE})), start=queued).batch == {TEN, ONE}


def test_a_batch_is_summed_up() -> None:
    """Plates that are over, wells that are, failures; the time left goes by the pace of what runs."""
    batch = after(actions.PlatesQueued((), frozenset({NINE})), actions.PlatesQueued((), frozenset({ONE})))
    assert batch_progress(MANY, 30.0) is None
    # plate 1 has done 2 of its 4 wells in 30 s
    assert batch_progress(batch, 30.0) == BatchProgress(1, 2, 5, 7, 3, pytest.approx(30.0))


def test_a_run_that_waits_counts_with_the_wells_it_is_to_do() -> None:
    """Two wells of many, to try them, take the time of two."""
    waiting = after(actions.PlatesQueued((NINE,), frozenset({ONE})), actions.RunWaits(NINE, 2))
    assert batch_progress(waiting, 30.0) == BatchProgress(0, 2, 2, 6, 1, pytest.approx(60.0))
    ended = after(actions.RunProgressed(NINE, run(DONE, DONE)), start=waiting).find(NINE)
    assert ended is not None
    assert not ended.to_do


def test_a_run_that_has_no_pace_yet_is_taken_to_have_that_of_the_runs_before() -> None:
    """Else there would be no time left to tell each time that the next plate begins."""
    new = replace(PLATES[3], progress=run(LEFT, LEFT, LEFT, LEFT, state=RunState.RUNNING))
    start = replace(MANY, plates=(*PLATES[:3], new))
    batch = after(actions.PlatesQueued((), frozenset({TEN})), actions.PlatesQueued((), frozenset({ONE})), start=start)
    # plate 10 did 2 wells in 60 s
    assert batch_progress(batch, 30.0) == BatchProgress(1, 2, 2, 6, 0, pytest.approx(120.0))
