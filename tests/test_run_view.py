"""The line that says how a run stands, at every width; and what is told of wells that fail."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from openhcs.core.journal import Event, EventKind
from openhcs.core.progress import RunProgress
from openhcs.run_view import FAILURES_TOLD, pace_text, progress_line, run_view

WELLS = [f"A{column:02d}" for column in range(1, 49)]


def progress_of(*events: tuple[float, EventKind, str | None]) -> RunProgress:
    progress = RunProgress().apply(Event(0.0, EventKind.RUN_STARTED, None, {"wells": list(WELLS), "plate": "p"}))
    for time_s, kind, well in events:
        data = {"message": "no good", "kind": "PlaneError", "step": "Blur"} if kind is EventKind.WELL_FAILED else {}
        progress = progress.apply(Event(time_s, kind, well, dict(data)))
    return progress


def stepping(well: str) -> Event:
    return Event(30.0, EventKind.STEP_STARTED, well, {"step": 3, "steps": 4, "name": "Segment"})


def some_way() -> RunProgress:
    done = [(20.0, EventKind.WELL_FINISHED, well) for well in WELLS[:10]]
    failed = [(20.0, EventKind.WELL_FAILED, WELLS[10])]
    progress = progress_of(*done, *failed, (20.0, EventKind.WELL_STARTED, "A12"), (20.0, EventKind.WELL_STARTED, "A13"))
    return progress.apply(stepping("A12"))


def test_what_matters_most_comes_first() -> None:
    """Wells done and failed, time left, pace, wells under way: as much as fits, cut between two of them."""
    whole = "11/48 wells, 1 failed, 3 min 10 s left, 11 wells/min  A12 50% Segment, A13"
    assert progress_line(some_way(), 60.0, 200, with_bar=False) == whole
    assert progress_line(some_way(), 60.0, 45, with_bar=False) == "11/48 wells, 1 failed, 3 min 10 s left"
    assert progress_line(some_way(), 60.0, 15, with_bar=False) == "11/48 wells"
    assert progress_line(some_way(), 60.0, 80, ascii=True).startswith("#####--------------- 11/48 wells")


def test_a_run_that_waits_says_its_place_and_in_a_log_only_when_it_changes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A night of waiting is not a thousand lines of it."""
    monkeypatch.setattr("openhcs.run_view.LINE_EVERY_S", 0.0)
    queued = RunProgress().apply(Event(0.0, EventKind.RUN_QUEUED, None, {"wells": list(WELLS)}))
    with run_view() as view:
        for place in (2, 2, 1, 1):
            view.show(queued.apply(Event(1.0, EventKind.RUN_WAITING, None, {"message": "", "place": place})))
    lines = [f"waiting for its turn ({place}): 48 wells" for place in ("2nd", "1st")]
    assert capsys.readouterr().err.splitlines() == lines


@pytest.mark.parametrize("width", [1, 2, 10, 39, 40, 41, 79, 80, 200])
def test_the_line_is_never_wider_than_the_terminal(width: int) -> None:
    """At any width, begun or not."""
    assert cell_len(progress_line(some_way(), 60.0, width)) <= width
    assert cell_len(progress_line(RunProgress(), 60.0, width)) <= width


def test_slow_runs_are_told_by_the_hour() -> None:
    """A pace below a well a minute is in wells an hour; without a well done there is none."""
    assert pace_text(progress_of((600.0, EventKind.WELL_FINISHED, "A01")), 600.0) == "6.0 wells/h"
    assert pace_text(progress_of((1.0, EventKind.WELL_REUSED, "A01")), 600.0) == ""


def test_a_plate_on_which_every_well_fails_does_not_flood_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    """The first failures are told as they come, each once; the others are counted."""
    progress = progress_of(*((1.0, EventKind.WELL_FAILED, well) for well in WELLS))
    with run_view() as view:
        view.show(progress)
        view.show(progress)
    told = capsys.readouterr().err.splitlines()
    assert [line for line in told if "failed: Blur: no good" in line] == told[:FAILURES_TOLD]
    assert "48/48 wells, 48 failed" in told[FAILURES_TOLD + 1]
    assert len(told) == FAILURES_TOLD + 2
