"""Which wells an earlier run left undone, from what it wrote; and the part of a plate that some sites are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from openhcs.core.compiler import compile_plate
from openhcs.core.demo_plate import make_demo_plate
from openhcs.core.formats import index_plate
from openhcs.core.journal import Event, EventKind, JournalWriter
from openhcs.core.model import PlateIndex, WellPlan
from openhcs.core.orchestrator import default_results_folder
from openhcs.core.pipeline_file import load_pipeline, shipped_pipelines
from openhcs.core.rerun import only_sites, unfinished_wells
from openhcs.core.results import ResultsFolder
from openhcs.core.run_folder import RunFolder, RunRequest
from openhcs.errors import InputError, RunError

PIPELINE = load_pipeline(shipped_pipelines()["nuclei"])
WELLS = ("B02", "B03", "B04", "C02")


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> PlateIndex:
    """A demo plate of four wells with three sites."""
    folder = tmp_path_factory.mktemp("plates") / "demo"
    return index_plate(make_demo_plate(folder, wells=WELLS, sites=3, z_steps=1, size_px=128).folder)


@pytest.fixture(scope="module")
def plans(index: PlateIndex) -> tuple[WellPlan, ...]:
    return compile_plate(index, PIPELINE)


def leave_run(out: Path, plans: tuple[WellPlan, ...], *events: tuple[EventKind, str | None]) -> RunFolder:
    """A run's folder as a runner that is gone leaves it, its journal with these events."""
    request = RunRequest(plate="demo", pipeline="nuclei", out=out, workers=1)
    folder = RunFolder.create(ResultsFolder(out), request, plans)
    with JournalWriter(folder.journal) as journal:
        for kind, well in events:
            wells = [plan.well for plan in plans]
            journal.append(Event(1.0, kind, well, {"wells": list(wells)} if kind is EventKind.RUN_STARTED else {}))
    return folder


STARTED, ENDED = (EventKind.RUN_STARTED, None), (EventKind.RUN_FINISHED, None)


def test_each_well_counts_by_the_last_run_it_was_in(plans: tuple[WellPlan, ...], tmp_path: Path) -> None:
    """A well that failed and was then done is not undone; one that the later run left out still is."""
    failed, finished = EventKind.WELL_FAILED, EventKind.WELL_FINISHED
    first = [(failed, "B02"), (failed, "B03"), (EventKind.WELL_CANCELLED, "B04"), (finished, "C02")]
    leave_run(tmp_path, plans, STARTED, *first, ENDED)
    assert unfinished_wells(tmp_path, plans) == ("B02", "B03", "B04")
    leave_run(tmp_path, plans[1:2], STARTED, (finished, "B03"), ENDED)
    assert unfinished_wells(tmp_path, plans) == ("B02", "B04")
    assert unfinished_wells(tmp_path, plans[2:]) == ("B04",)


def test_a_runner_that_was_killed_leaves_its_wells_undone(plans: tuple[WellPlan, ...], tmp_path: Path) -> None:
    """Wells under way and wells that waited are undone, also where not even the first event was written."""
    leave_run(tmp_path / "a", plans, STARTED, (EventKind.WELL_FINISHED, "B02"), (EventKind.WELL_STARTED, "B03"))
    assert unfinished_wells(tmp_path / "a", plans) == ("B03", "B04", "C02")
    leave_run(tmp_path / "b", plans)
    assert unfinished_wells(tmp_path / "b", plans) == WELLS


def test_another_version_of_the_pipeline_is_refused(plans: tuple[WellPlan, ...], tmp_path: Path) -> None:
    """Wells of an edited pipeline are not done beside those of the old one, whose runs a new one hides."""
    edited = tuple(replace(plan, steps=plan.steps[:-1], hash=f"0{plan.hash}") for plan in plans)
    leave_run(tmp_path, edited, STARTED, *((EventKind.WELL_FAILED, well) for well in WELLS), ENDED)
    with pytest.raises(RunError, match="another version of the pipeline"):
        unfinished_wells(tmp_path, plans)
    leave_run(tmp_path, plans[:2], STARTED, *((EventKind.WELL_FINISHED, well) for well in WELLS[:2]), ENDED)
    assert unfinished_wells(tmp_path, plans) == ()


def test_without_a_run_that_has_ended_there_is_nothing_to_run_again(
    plans: tuple[WellPlan, ...], tmp_path: Path
) -> None:
    """A folder without a run, and one whose run goes on, are refused by name."""
    with pytest.raises(RunError, match="no run has been in"):
        unfinished_wells(tmp_path / "absent", plans)
    alive = leave_run(tmp_path, plans, STARTED).lock()
    with pytest.raises(RunError, match="a run is going on"):
        unfinished_wells(tmp_path, plans)
    assert alive


def test_sites_are_a_plate_of_their_own(index: PlateIndex) -> None:
    """A plan of some sites has their planes only and another hash, and its results another folder."""
    part = only_sites(index, (1, 3))
    assert {key.site for key in part.planes} == {1, 3}
    assert part.wells == index.wells
    whole = {plan.well: plan.hash for plan in compile_plate(index, PIPELINE)}
    assert all(plan.hash != whole[plan.well] for plan in compile_plate(part, PIPELINE))
    with pytest.raises(InputError, match=r"sites: 4, 9; expected sites that the plate has: 1, 2, 3\."):
        only_sites(index, (1, 4, 9))
    folders = {str(default_results_folder("demo", "nuclei", Path(), sites)) for sites in ((), (1,), (1, 3))}
    assert folders == {"demo/nuclei", "demo/nuclei_sites_1", "demo/nuclei_sites_1_3"}
