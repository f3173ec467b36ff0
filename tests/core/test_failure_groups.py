"""Failed wells grouped by cause."""

from __future__ import annotations

from openhcs.core.failure_groups import group_failures
from openhcs.core.progress import Failure, RunProgress, WellProgress, WellState


def run_of(*failures: tuple[str, Failure | None]) -> RunProgress:
    wells = {well: WellProgress(well, WellState.FAILED, failure=failure) for well, failure in failures}
    return RunProgress(wells={**wells, "H12": WellProgress("H12", WellState.FINISHED)})


def unreadable(well: str) -> Failure:
    file = f"/plates/a/{well}_s1.tif"
    return Failure(f"image of {well}: {file} is cut short; expected 2048 bytes", "PlaneError", "Blur", "s1", file)


def test_wells_that_failed_of_one_cause_are_told_once() -> None:
    """Messages that differ in well, file and place only are one cause; what differs is a gap."""
    (group,) = group_failures(run_of(*[(well, unreadable(well)) for well in ("A01", "A02", "C07")]))
    assert group.wells == ("A01", "A02", "C07")
    assert group.cause == "image of … is cut short; expected 2048 bytes"
    assert group.step == "Blur"
    assert group.first == unreadable("A01")


def test_the_largest_group_comes_first() -> None:
    """Other kinds, steps or words are other causes, and the one with most wells leads."""
    memory = Failure("the worker ran out of memory", "MemoryError", "Segment")
    wells = [("A01", memory), ("A02", unreadable("A02")), ("A03", unreadable("A03")), ("A04", None)]
    groups = group_failures(run_of(*wells))
    assert [group.wells for group in groups] == [("A02", "A03"), ("A01",), ("A04",)]
    assert groups[1].cause == "the worker ran out of memory"


def test_one_well_is_told_in_full() -> None:
    """A cause of a single well keeps its message to the letter."""
    (group,) = group_failures(run_of(("B03", unreadable("B03"))))
    assert group.cause == unreadable("B03").message


def test_a_run_without_failures_has_no_groups() -> None:
    """Nothing failed, nothing to tell."""
    assert group_failures(run_of()) == ()
