from __future__ import annotations

import time
from functools import reduce

import pytest

from openhcs.core.journal import Event, EventKind, Json
from openhcs.core.model import well_name
from openhcs.core.progress import Failure, RunProgress, RunState, WellState

WELLS: list[Json] = ["A01", "A02", "B01", "B02"]
STARTED = Event(100.0, EventKind.RUN_STARTED, data={"plate": "P", "pipeline": "nuclei", "out": "/out", "wells": WELLS})


def after(*events: Event) -> RunProgress:
    return reduce(RunProgress.apply, events, RunProgress())


def well(time_s: float, kind: EventKind, name: str, /, **data: Json) -> Event:
    return Event(time_s, kind, name, data)


def test_a_run_begins_with_all_wells_pending() -> None:
    """Once started, a run knows its plate, pipeline and wells, none of which has begun."""
    progress = after(STARTED)
    assert (progress.state, progress.plate, progress.pipeline) == (RunState.RUNNING, "P", "nuclei")
    assert list(progress.wells) == WELLS
    assert progress.counts == {WellState.PENDING: 4}
    assert progress.fraction == 0
    assert progress.eta_s(110.0) is None


def test_a_run_is_starting_until_a_well_was_begun() -> None:
    """However long its workers take; not while it waits for its turn, and not where there is nothing to do."""
    reused = [Event(101.0, EventKind.WELL_REUSED, name) for name in WELLS]
    begun = Event(102.0, EventKind.WELL_STARTED, WELLS[-1])
    retried = Event(103.0, EventKind.WELL_RETRIED, WELLS[-1], {"message": "the worker died"})
    queued = Event(99.0, EventKind.RUN_QUEUED, data={"wells": WELLS})

    assert RunProgress().is_starting
    assert not RunProgress().apply(queued).is_starting
    assert RunProgress().apply_all([queued, STARTED, *reused[:-1]]).is_starting
    assert not RunProgress().apply_all([STARTED, *reused]).is_starting
    assert not RunProgress().apply_all([STARTED, begun]).is_starting
    assert not RunProgress().apply_all([STARTED, begun, retried]).is_starting
    assert not RunProgress().apply_all([STARTED, Event(104.0, EventKind.RUN_FAILED)]).is_starting


def test_fraction_counts_steps_and_the_pace_leaves_reused_wells_out() -> None:
    """A well in its third of four steps is half done; reused wells are done but say nothing about the pace."""
    progress = after(
        STARTED,
        well(100.0, EventKind.WELL_REUSED, "A01", objects={"nuclei": 7}),
        well(101.0, EventKind.WELL_STARTED, "A02"),
        well(101.0, EventKind.STEP_STARTED, "A02", step=3, steps=4, name="Project"),
    )
    assert progress.wells["A02"].step_name == "Project"
    assert progress.wells["A01"].objects == {"nuclei": 7}
    assert progress.fraction == pytest.approx((1 + 0.5) / 4)
    assert progress.eta_s(110.0) == pytest.approx(10.0 * 2.5 / 0.5)


def test_the_end_counts_every_well_once() -> None:
    """Finished, failed and cancelled wells are counted, and a failure keeps its place and cause."""
    progress = after(
        STARTED,
        well(101.0, EventKind.WELL_STARTED, "A01"),
        well(103.5, EventKind.WELL_FINISHED, "A01", objects={"nuclei": 3}),
        well(104.0, EventKind.WELL_STARTED, "A02"),
        well(
            105.0, EventKind.WELL_FAILED, "A02", message="cut short", kind="PlaneError", plane="A02, z 1", file="a.tif"
        ),
        well(105.0, EventKind.WELL_REUSED, "B01"),
        well(106.0, EventKind.WELL_CANCELLED, "B02"),
        Event(107.0, EventKind.RUN_FINISHED, data={"message": ""}),
    )
    assert (progress.state, progress.ended_s) == (RunState.FINISHED, 107.0)
    assert (progress.finished, progress.failed, progress.cancelled, progress.total) == (2, 1, 1, 4)
    assert progress.wells["A01"].seconds == pytest.approx(2.5)
    assert progress.wells["A02"].failure == Failure("cut short", "PlaneError", None, "A02, z 1", "a.tif")
    assert progress.fraction == 1
    assert progress.eta_s(108.0) is None


def test_a_well_that_is_tried_again_is_pending_and_says_why() -> None:
    """The tries are counted, what the well had done is done anew, and the run's warnings and waiting are kept."""
    progress = after(
        STARTED,
        Event(100.5, EventKind.RUN_WARNED, data={"message": "a worker is left out"}),
        well(101.0, EventKind.WELL_STARTED, "A01"),
        well(101.0, EventKind.STEP_STARTED, "A01", step=3, steps=4, name="Project"),
        well(102.0, EventKind.WELL_RETRIED, "A01", message="the worker was killed", tries=1),
        Event(103.0, EventKind.RUN_WAITING, data={"message": "no workers"}),
    )
    again = progress.wells["A01"]
    assert (again.state, again.retries, again.retried) == (WellState.PENDING, 1, "the worker was killed")
    assert progress.fraction == 0
    assert (progress.waiting, progress.warnings) == ("no workers", ("a worker is left out",))
    assert progress.apply(Event(104.0, EventKind.RUN_WAITING, data={"message": ""})).waiting == ""
    assert progress.apply(Event(104.0, EventKind.RUN_FAILED, data={"message": "none came"})).waiting == ""


def test_a_run_that_fails_takes_its_wells_with_it() -> None:
    """When the run itself fails, wells that were running failed and those that had not begun were cancelled."""
    progress = after(
        STARTED,
        well(101.0, EventKind.WELL_STARTED, "A01"),
        Event(102.0, EventKind.RUN_FAILED, data={"message": "the disk is gone"}),
    )
    assert (progress.state, progress.message) == (RunState.FAILED, "the disk is gone")
    assert progress.wells["A01"].failure == Failure("the disk is gone")
    assert progress.counts == {WellState.FAILED: 1, WellState.CANCELLED: 3}


def test_a_run_that_is_cancelled_leaves_no_well_failed() -> None:
    """A well that was running when its run was cancelled, or killed while cancelling, is cancelled as well."""
    progress = after(
        STARTED, well(101.0, EventKind.WELL_STARTED, "A01"), Event(102.0, EventKind.RUN_CANCELLED, data={"message": ""})
    )
    assert progress.counts == {WellState.CANCELLED: 4}


def test_events_of_unknown_wells_change_nothing() -> None:
    """An event of a well that the run does not have is ignored."""
    assert after(STARTED, well(101.0, EventKind.WELL_STARTED, "H12")) == after(STARTED)


def story_of(wells: int) -> list[Event]:
    """A whole run of that many wells of ten steps."""
    names = [well_name(number // 48, number % 48) for number in range(wells)]
    story = [Event(0.0, EventKind.RUN_STARTED, data={"wells": list(names)})]
    for name in names:
        story.append(Event(1.0, EventKind.WELL_STARTED, name))
        steps: list[dict[str, Json]] = [{"step": step, "steps": 10, "name": "Project"} for step in range(1, 11)]
        story += [Event(1.0, EventKind.STEP_STARTED, name, data) for data in steps]
        story.append(Event(2.0, EventKind.WELL_FINISHED, name, {"objects": {"nuclei": 3}}))
    return [*story, Event(3.0, EventKind.RUN_FINISHED)]


def test_events_at_once_add_up_to_the_same() -> None:
    """However the events come, in one go or one by one, they add up to the same progress."""
    story = story_of(12)
    one_by_one = RunProgress()
    for event in story:
        one_by_one = one_by_one.apply(event)
    assert RunProgress().apply_all(story) == one_by_one
    assert (one_by_one.state, one_by_one.finished) == (RunState.FINISHED, 12)


def test_following_grows_as_the_plate_does() -> None:
    """An event of a run of 1,536 wells costs at most three times what one of 96 wells costs."""

    def cpu_s_per_event(wells: int) -> float:
        story = story_of(wells)
        spent = []
        for _ in range(3):
            started = time.process_time()
            RunProgress().apply_all(story)
            spent.append(time.process_time() - started)
        return min(spent) / len(story)

    assert cpu_s_per_event(1536) < 3 * cpu_s_per_event(96)
