"""A line of the list of plates: every state told by symbol and word, columns below each other at any width."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.formatted_text import fragment_list_to_text
from prompt_toolkit.utils import get_cwidth

from openhcs.core.model import Status
from openhcs.core.progress import RunProgress, RunState, WellProgress, WellState
from openhcs.tui.panes.plate_rows import Columns, batch_text, labels_of, plate_line, rate_text, short_duration
from openhcs.tui.plate_list import BatchProgress
from openhcs.tui.workbench import Activity, PlateRow
from tests.tui.panes.test_plate_text import FACTS, FAILED, PLATE, ROWS, RUNNING

NOW_S = 110.0
QUEUED = replace(PLATE, status=Status.COMPILED, activity=Activity.QUEUED)


def line(row: PlateRow, width: int = 60, *, place: int | None = None, marked: bool = False, plain: bool = False) -> str:
    columns = Columns.fitting(ROWS, width)
    return fragment_list_to_text(plate_line(row, columns, NOW_S, place=place, marked=marked, plain=plain))


def running(done: int, total: int, failed: int = 0) -> PlateRow:
    states = [WellState.FINISHED] * (done - failed) + [WellState.FAILED] * failed
    states += [WellState.PENDING] * (total - done)
    wells = {f"W{at}": WellProgress(f"W{at}", state) for at, state in enumerate(states)}
    return replace(PLATE, status=Status.RUNNING, progress=replace(RUNNING, wells=wells))


def test_a_plate_that_is_not_initialised_tells_of_its_last_run() -> None:
    """Whoever comes back sees how far a cancelled run came, without looking into the plate first."""
    cancelled = replace(RUNNING, state=RunState.CANCELLED)
    row = PlateRow(Path("/data/plate 7"), progress=cancelled)
    assert line(row).endswith("1 of 2 wells done")
    assert line(replace(row, progress=replace(cancelled, wells={}))).endswith("not initialised")


@pytest.mark.parametrize(
    ("row", "tail"),
    list(
        zip(
            ROWS,
            [
                "not initialised",
                "compiling",
                "2 wells",
                "2 wells, ready",
                "████▌░ 1/2       3 s",
                "cancelling 1/2",
                "1 well done",
                "1 of 2 failed",
                "2 problems",
            ],
            strict=True,
        )
    ),
    ids=str,
)
def test_a_plates_line_has_its_symbol_in_front_and_how_it_stands_behind(row: PlateRow, tail: str) -> None:
    """The symbol is the status's own, so it tells without colour."""
    text = line(row)
    assert text.startswith(f"{row.status.value} plate 7 ")
    assert text.endswith(tail)


def test_a_run_without_wells_yet_is_starting() -> None:
    """Before the runner has told its wells there is nothing to count."""
    assert line(replace(PLATE, status=Status.RUNNING, progress=RunProgress())).endswith("  starting")


def test_a_plate_that_waits_tells_how_many_go_first() -> None:
    """Its place in the line stands behind the words, and a mark between symbol and name."""
    assert line(QUEUED, place=2).endswith("waiting (2nd)")
    assert line(QUEUED, 100, place=113).rstrip().endswith("waiting (113th)")
    assert line(QUEUED, marked=True).startswith("o*plate 7")


@given(st.sampled_from(ROWS), st.integers(30, 300), st.integers(1, 2000), st.booleans())
def test_a_plates_line_fills_its_width_exactly(row: PlateRow, width: int, place: int, marked: bool) -> None:
    """Whatever the width, columns line up at the right."""
    assert get_cwidth(line(row, width, place=place, marked=marked)) == width


@pytest.mark.parametrize("width", [38, 60, 76, 108, 160])
def test_what_goes_on_stands_in_columns(width: int) -> None:
    """Wells done, failed and time left of one plate are below those of the other, however many digits they have."""
    rows = (running(3, 8, failed=1), running(1200, 1536, failed=117))
    columns = Columns.fitting(rows, width)
    one, other = (fragment_list_to_text(plate_line(row, columns, NOW_S)) for row in rows)
    assert one.index("3/8") + 3 == other.index("1200/1536") + 9
    assert get_cwidth(one) == get_cwidth(other) == width
    if width < 72:
        assert one.index(" X1 ") + 3 == other.index(" X117 ") + 5
    elif width > 100:
        assert one.index("1 failed") + 8 == other.index("117 failed") + 10


def test_a_wide_line_tells_rate_and_shape_too() -> None:
    """What there is room for is told, the most important first."""
    rows = (running(20, 96),)
    for width, told in ((76, "20/96"), (110, "/min"), (160, "ImageXpress")):
        columns = Columns.fitting(rows, width)
        assert told in fragment_list_to_text(plate_line(rows[0], columns, NOW_S + 50)), width


def test_how_long_a_run_took_is_told_whole() -> None:
    """Minutes and seconds in brackets have the room they need, as has the time that is left."""
    progress = replace(RUNNING, state=RunState.FINISHED, started_s=0.0, ended_s=59 * 60 + 58.0)
    assert "(59 min 58 s)" in line(replace(PLATE, status=Status.FINISHED, progress=progress), 160)


def test_for_a_screen_reader_there_are_words_alone() -> None:
    """No symbol, no bar, and no time that passes: each change is read out."""
    assert line(ROWS[4], plain=True) == "plate 7: running, 1 of 2 wells done"
    assert line(QUEUED, place=1, marked=True, plain=True) == "plate 7: waiting (1st), marked"


def test_a_long_name_leaves_room_for_how_its_plate_stands() -> None:
    """For a screen reader too the name is cut, and not what is told of it."""
    told = line(replace(ROWS[0], folder=Path("/data") / f"{'plate ' * 20}end"), plain=True, marked=True)
    assert told.endswith("end: not initialised, marked")
    assert get_cwidth(told) <= 60


def test_a_screen_reader_is_told_of_a_large_run_ten_times() -> None:
    """The line of a run changes with every tenth of its wells, and with every well that fails."""
    assert line(running(0, 384), plain=True) == "plate 7: starting"
    told = {line(running(done, 384), plain=True) for done in range(1, 384)}
    assert len(told) == 10
    assert "plate 7: running, 30 percent of 384 wells done" in told
    assert line(running(100, 384, failed=2), plain=True) == "plate 7: running, 20 percent of 384 wells done, 2 failed"


def test_names_from_metadata_are_shown_and_not_executed() -> None:
    """Escape sequences reach the screen as visible characters."""
    evil = replace(FACTS, name="\x1b[2J\x07", format="\x1b[2J")
    for width in (40, 200):
        assert line(replace(PLATE, facts=evil), width).isprintable()


def test_plates_of_one_name_are_told_with_their_folders() -> None:
    """So that they can be told apart; a name that no other has stands by itself."""
    rows = [PlateRow(Path(folder)) for folder in ("/a/plate 1", "/b/plate 1", "/b/plate 2")]
    assert labels_of(rows) == {rows[0].folder: "a/plate 1", rows[1].folder: "b/plate 1"}
    assert "b/plate 1" in fragment_list_to_text(
        plate_line(rows[1], Columns.fitting(rows, 60), NOW_S, label="b/plate 1")
    )


def test_plates_of_one_name_are_told_apart_by_as_much_as_it_takes() -> None:
    """Folders above that have one name too are no help, and a name that is not the folder's keeps its own."""
    alike = [PlateRow(Path(folder)) for folder in ("/data/x/day 1/plate", "/data/y/day 1/plate")]
    assert list(labels_of(alike).values()) == ["x/day 1/plate", "y/day 1/plate"]
    results = replace(PLATE, folder=Path("/results/plate 7/nuclei"))
    assert labels_of([PLATE, results]) == {PLATE.folder: "plate 7", results.folder: "plate 7 (nuclei)"}


def test_the_rate_counts_what_was_done_and_not_what_was_taken_over() -> None:
    """Wells a minute, or an hour where they are few; without a clock or a well there is none."""
    assert rate_text(RUNNING, 130.0) == "2.0/min"
    assert rate_text(RUNNING, 100.0 + 1800.0) == "2/h"
    assert rate_text(FAILED, 1e9) == "1.8/min"
    reused = {"A01": WellProgress("A01", WellState.REUSED), "A02": WellProgress("A02", WellState.RUNNING)}
    assert rate_text(replace(RUNNING, wells=reused), 130.0) == ""
    assert rate_text(replace(RUNNING, started_s=None), 130.0) == ""


@given(st.floats(0, 1e9))
def test_a_short_duration_takes_six_cells(seconds: float) -> None:
    """So that times stand below each other on a narrow screen."""
    assert len(short_duration(seconds)) <= 6


def test_durations_are_told_in_the_unit_that_people_would_use() -> None:
    """Seconds, minutes, hours, days."""
    assert [short_duration(s) for s in (3.2, 59.6, 754, 7500, 400_000)] == ["3 s", "1 min", "13 min", "2.1 h", "5 d"]


def test_all_that_runs_is_summed_up() -> None:
    """Plates, wells, failures and time left, the shorter the less room there is; nothing for a single plate."""
    batch = BatchProgress(12, 30, 3100, 11520, 2, 7800.0)
    assert batch_text(batch, 100) == "12 of 30 plates, 3,100 of 11,520 wells, 2 failed, 2 h 10 min left"
    assert batch_text(batch, 50) == "12/30 plates, 3100/11520 wells, 2.2 h left"
    assert batch_text(batch, 34) == "12/30 plates, 3100/11520 wells"
    over = BatchProgress(30, 30, 11520, 11520, 0, None)
    assert batch_text(over, 100) == "30 plates, 11,520 of 11,520 wells"
    assert batch_text(replace(batch, plates=1), 100) == ""
    assert batch_text(None, 100) == ""
