"""How plates and wells read: every state told by a symbol, every line in its width, nothing from outside executed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.formatted_text import fragment_list_to_text
from prompt_toolkit.utils import get_cwidth

from openhcs.core.model import Channel, Discrepancy, Status
from openhcs.core.progress import Failure, RunProgress, RunState, WellProgress, WellState
from openhcs.errors import Problem
from openhcs.tui.panes import plate_text
from openhcs.tui.workbench import Activity, PlateFacts, PlateRow

FACTS = PlateFacts(
    name="plate 7",
    format="ImageXpress",
    rows=8,
    columns=12,
    wells=("A01", "A02"),
    sites=4,
    channels=(Channel(1, "DAPI", 452.0), Channel(2, "GFP")),
    z_planes=3,
    time_points=1,
    images=48,
    has_projections=False,
    pixel_size_um=0.65,
    discrepancies=(Discrepancy("HTD says 4 waves, 2 found", "A02"), Discrepancy("another")),
)
FAILURE = Failure(
    "x.tif is truncated", kind="PlaneError", step="Blur", plane="A02, site 1", file="x.tif", traceback="T"
)
RUNNING = RunProgress(
    state=RunState.RUNNING,
    plate="plate 7",
    pipeline="nuclei",
    out="/results/plate_7/nuclei",
    started_s=100.0,
    wells={
        "A01": WellProgress("A01", WellState.FINISHED, 2, 2, "Count", 100.0, 9.0, {"nuclei": 34}),
        "A02": WellProgress("A02", WellState.RUNNING, 2, 2, "Count", 100.0),
    },
)
FAILED = replace(
    RUNNING,
    state=RunState.FINISHED,
    ended_s=165.0,
    wells={**RUNNING.wells, "A02": WellProgress("A02", WellState.FAILED, 1, 2, "Blur", 100.0, 3.0, failure=FAILURE)},
)
PLATE = PlateRow(Path("/data/plate 7"), Status.INITIALISED, facts=FACTS)
ROWS = (
    PlateRow(Path("/data/plate 7")),
    replace(PLATE, activity=Activity.COMPILING),
    PLATE,
    replace(PLATE, status=Status.COMPILED),
    replace(PLATE, status=Status.RUNNING, progress=RUNNING),
    replace(PLATE, status=Status.RUNNING, progress=RUNNING, activity=Activity.CANCELLING),
    replace(PLATE, status=Status.FINISHED, progress=replace(FAILED, wells={"A01": RUNNING.wells["A01"]})),
    replace(PLATE, status=Status.FAILED, progress=FAILED),
    replace(PLATE, status=Status.FAILED, problems=(Problem("no such function", step="Blur"), Problem("b"))),
)
WELLS = tuple(WellProgress("A01", state, 1, 2, "Blur", 100.0, 1.0, {"nuclei": 3}, FAILURE) for state in WellState)


@given(st.sampled_from(WELLS), st.integers(20, 120))
def test_a_wells_line_fills_its_width_exactly(well: WellProgress, width: int) -> None:
    """Whatever the width, times line up at the right."""
    assert get_cwidth(fragment_list_to_text(plate_text.well_fragments(well, width))) == width


def test_every_state_of_a_well_has_a_symbol_of_its_own() -> None:
    """Wells are told apart without colour."""
    symbols = [fragment_list_to_text(plate_text.well_fragments(well, 40))[0] for well in WELLS]
    assert len(set(symbols)) == len(WellState)


def test_a_running_well_tells_its_step_and_how_far_it_is() -> None:
    """A share, and not a number of steps: a well of several sites goes through the pipeline once for each."""
    well = WellProgress("A01", WellState.RUNNING, 6, 10, "Project", 100.0)
    assert "50% Project" in fragment_list_to_text(plate_text.well_fragments(well, 40))
    assert "Step     Project; 50% of the well is done" in plate_text.well_detail_text(well)


def test_for_a_screen_reader_a_wells_line_is_words_with_the_number_of_the_map() -> None:
    """State, number, what there is to tell and mark stand behind each other; a state is not told twice."""
    well = WellProgress("B03", WellState.PENDING)
    told = plate_text.well_fragments(well, 60, marked=True, plain=True, number="area_px 411")
    assert fragment_list_to_text(told) == "B03: pending, area_px 411, marked"


def test_a_failed_well_tells_step_and_cause_and_its_detail_the_rest() -> None:
    """The line has the step and the message; the details add plane, file, kind and traceback."""
    well = FAILED.wells["A02"]
    assert "Blur: x.tif is truncated" in fragment_list_to_text(plate_text.well_fragments(well, 60))
    detail = "\n".join(plate_text.well_detail_text(well))
    for part in ("A02, site 1", "PlaneError", "Blur", "x.tif is truncated"):
        assert part in detail


def test_the_summary_says_what_the_plate_is_and_how_its_run_went() -> None:
    """Shape, format, outcome, results and the first discrepancy, a line each."""
    row = replace(PLATE, status=Status.FAILED, progress=FAILED)
    lines = fragment_list_to_text(plate_text.summary_fragments(row, 80, 200.0)).splitlines()
    assert lines == [
        "2 wells × 4 sites × 2 channels × 3 z",
        "ImageXpress, 0.65 µm/px: DAPI, GFP",
        "1 of 2 wells failed, 1 finished in 1 min 05 s",
        "Results /results/plate_7/nuclei",
        "Note: well A02: HTD says 4 waves, 2 found (+1, Enter)",
    ]


def test_a_run_under_way_says_what_it_does_and_since_when() -> None:
    """Before its turn, while its workers start, and from then on; a time that passes is not read out."""
    untouched = replace(RUNNING, wells={"A01": WellProgress("A01")})
    waits = replace(untouched, state=RunState.WAITING, started_s=None, waiting="for its turn, number 2")

    def told(progress: RunProgress, *, plain: bool = False) -> str:
        row = replace(PLATE, facts=None, status=Status.RUNNING, progress=progress)
        return fragment_list_to_text(plate_text.summary_fragments(row, 80, 137.0, plain=plain)).splitlines()[-1]

    assert told(waits) == "nuclei: waiting for its turn, number 2"
    assert told(RunProgress()) == "starting workers"
    assert told(untouched) == "nuclei: starting workers, 37 s so far"
    assert told(untouched, plain=True) == "nuclei: starting workers"
    assert told(RUNNING) == "nuclei: 37 s so far"
    assert told(RUNNING, plain=True) == "nuclei: running"
    assert told(replace(RUNNING, waiting="no workers")) == "nuclei: 37 s so far; no workers"


def test_what_is_cut_says_which_key_shows_the_rest() -> None:
    """A problem or a note that is longer than the pane, or is one of several, ends with the key for it."""
    long = Problem("x" * 50)
    for problems, end in (((Problem("short"),), "X short"), ((long,), "… (Enter)"), ((long, long), "… (+1, Enter)")):
        row = replace(PLATE, facts=None, status=Status.FAILED, problems=problems)
        assert fragment_list_to_text(plate_text.summary_fragments(row, 40, 0.0)).splitlines()[-1].endswith(end)


def test_what_a_run_takes_is_told_in_full() -> None:
    """A narrow pane has it in several lines: half of it would be of no use."""
    takes = "up to 335 MiB a worker, about 39 MiB of results (at most 51 MiB)"
    row = replace(PLATE, status=Status.COMPILED, takes=takes)
    shown = fragment_list_to_text(plate_text.summary_fragments(row, 42, 0.0))
    assert f"Takes {takes}" in shown.replace("\n", " ")


@given(st.sampled_from(ROWS), st.integers(20, 120))
def test_no_line_of_the_summary_is_wider_than_its_pane(row: PlateRow, width: int) -> None:
    """Long messages are cut, never wrapped over the wells."""
    text = fragment_list_to_text(plate_text.summary_fragments(row, width, 110.0))
    assert all(get_cwidth(line) <= width for line in text.splitlines())


def test_text_from_metadata_is_shown_and_not_executed() -> None:
    """Escape sequences in names and messages reach the screen as visible characters."""
    evil = "\x1b[2J\x07"
    facts = replace(FACTS, name=evil, format=evil, channels=(Channel(1, evil),), discrepancies=(Discrepancy(evil),))
    row = replace(PLATE, facts=facts, status=Status.FAILED, problems=(Problem(evil),))
    well = WellProgress("A01", WellState.FAILED, failure=replace(FAILURE, message=evil, traceback=evil))
    shown = [
        fragment_list_to_text(plate_text.summary_fragments(row, 120, 0.0)),
        fragment_list_to_text(plate_text.well_fragments(well, 120)),
        *plate_text.detail_text(row),
        *plate_text.well_detail_text(well),
    ]
    assert all(line.isprintable() for text in shown for line in text.split("\n"))


def test_details_hold_everything_known() -> None:
    """The details name folder, format, every channel, every well, problems and all discrepancies."""
    row = replace(PLATE, status=Status.FAILED, problems=(Problem("no such function", step="Blur"),), progress=FAILED)
    text = "\n".join(plate_text.detail_text(row))
    for part in (
        "/data/plate 7",
        "ImageXpress",
        "GFP",
        "A01, A02",
        "step Blur: no such function",
        "another",
        "0.65 µm",
    ):
        assert part in text
