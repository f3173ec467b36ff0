"""One plate's life without running it: order, ways back, refusals. Whole runs are in `test_runner`."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from openhcs.core.demo_plate import make_demo_plate
from openhcs.core.model import Component, FunctionCall, Pipeline, Status, Step
from openhcs.core.orchestrator import Orchestrator, Run, default_results_folder
from openhcs.core.progress import RunState
from openhcs.core.results import ResultsFolder
from openhcs.core.run_folder import RunFolder, RunRequest
from openhcs.errors import PipelineError, PlateError, PlateLostError, RunError, StoreError

PIPELINE = Pipeline("project", (Step("Project", (FunctionCall("project_maximum"),), (Component.Z,)),))


@pytest.fixture
def plate(tmp_path: Path) -> Path:
    return make_demo_plate(tmp_path / "plate", wells=("B02", "B03"), sites=1, z_steps=1, size_px=128).folder


def test_a_plate_goes_from_added_to_compiled_and_back(plate: Path) -> None:
    """Each step moves the status on; doing an earlier one again goes back to it."""
    orchestrator = Orchestrator(plate)
    seen = [orchestrator.status]
    index = orchestrator.initialise()
    seen.append(orchestrator.status)
    assert orchestrator.index is index
    plans = orchestrator.compile(PIPELINE, ["B03"])
    seen.append(orchestrator.status)
    assert [plan.well for plan in orchestrator.plans] == [plan.well for plan in plans] == ["B03"]
    orchestrator.initialise()
    seen.append(orchestrator.status)
    assert orchestrator.plans == ()
    assert seen == [Status.ADDED, Status.INITIALISED, Status.COMPILED, Status.INITIALISED]


def test_the_wrong_order_says_what_to_do_first(plate: Path, tmp_path: Path) -> None:
    """Compiling before initialising, and running before compiling, are refused with the next step."""
    orchestrator = Orchestrator(plate)
    with pytest.raises(RunError, match=r"not initialised; .* Initialise it"):
        orchestrator.compile(PIPELINE)
    with pytest.raises(RunError, match=r"not compiled; .* Compile a pipeline first"):
        orchestrator.run(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_fails_leaves_the_plate_where_it_can_go_on(plate: Path) -> None:
    """A pipeline that does not compile leaves an initialised plate, a folder that is no plate an added one."""
    orchestrator = Orchestrator(plate)
    orchestrator.initialise()
    orchestrator.compile(PIPELINE)
    with pytest.raises(PipelineError):
        orchestrator.compile(Pipeline("wrong", (Step("Wrong", (FunctionCall("no_such_function"),)),)))
    after_compile = orchestrator.status
    orchestrator.folder = plate / "nowhere"
    with pytest.raises(PlateError):
        orchestrator.initialise()
    assert (after_compile, orchestrator.status) == (Status.INITIALISED, Status.ADDED)


def test_a_plate_that_has_gone_meanwhile_is_not_compiled(plate: Path) -> None:
    """It is told before a run is started for nothing, and compiled again when its drive is back."""
    orchestrator = Orchestrator(plate)
    orchestrator.initialise()
    gone = plate.rename(plate.with_name("elsewhere"))
    with pytest.raises(PlateLostError, match=r"the plate's folder is gone: .*network drive"):
        orchestrator.compile(PIPELINE)
    assert orchestrator.status is Status.INITIALISED
    gone.rename(plate)
    assert len(orchestrator.compile(PIPELINE)) == 2


def test_a_run_that_cannot_begin_leaves_the_plate_compiled(plate: Path, tmp_path: Path) -> None:
    """Results that cannot be written are refused before anything starts."""
    orchestrator = Orchestrator(plate)
    orchestrator.initialise()
    orchestrator.compile(PIPELINE)
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="results cannot be written"):
        orchestrator.run(tmp_path / "file" / "out")
    with pytest.raises(StoreError, match="nothing is ever written into a plate"):
        orchestrator.run(plate / "out")
    assert orchestrator.status is Status.COMPILED
    assert not (plate / "out").exists()


def test_there_is_no_run_to_attach_to(tmp_path: Path) -> None:
    """A folder without runs is refused by name."""
    with pytest.raises(RunError, match=f"none in {tmp_path}"):
        Run.attach(tmp_path)


def test_a_runner_that_dies_before_its_first_word_has_failed(plate: Path, tmp_path: Path) -> None:
    """A run whose runner is gone without a word is failed, and tells the end of its log."""
    results = ResultsFolder(tmp_path / "out")
    results.claim("demo", plate)
    folder = RunFolder.create(results, RunRequest(plate="demo", pipeline="p", out=results.path, workers=1), ())
    folder.log.write_text("ImportError: no such thing\n")
    progress = Run.attach(results.path).poll()
    assert progress.state is RunState.FAILED
    assert progress.message.endswith("ImportError: no such thing")


def test_the_default_results_folder_is_plain(tmp_path: Path) -> None:
    """Plate and pipeline name the folder, whatever characters they have."""
    assert default_results_folder("Plate 1/2", "nuclei", tmp_path) == tmp_path / "Plate_1_2" / "nuclei"
    assert default_results_folder("..", "Zellkerne ä", tmp_path) == tmp_path / "unnamed" / "Zellkerne_ä"
    long = [default_results_folder("plate", f"{'漢' * 300}{number}", tmp_path).name for number in (1, 2)]
    assert [len(name.encode()) <= 100 for name in long] == [True, True]
    assert long[0] != long[1]


def test_plates_of_one_name_have_results_of_their_own(tmp_path: Path) -> None:
    """The first has the plain folder, the next the folders that it lies in before its name, each the same next time."""
    base = tmp_path / "results"
    first, second, third = (tmp_path / where / "plate" for where in ("a", "b", "x/b"))
    for folder in (first, second, third):
        folder.mkdir(parents=True)

    def out(folder: Path) -> Path:
        return default_results_folder("plate", "nuclei", base, root=folder)

    for folder, name in ((first, "plate"), (second, "b_plate"), (third, "x_b_plate")):
        assert out(folder) == base / name / "nuclei"
        ResultsFolder(out(folder)).claim("plate", folder)
        assert out(folder) == base / name / "nuclei"
    shutil.rmtree(first)
    moved = tmp_path / "moved" / "plate"
    moved.mkdir(parents=True)
    assert out(moved) == base / "plate" / "nuclei"


def test_front_ends_import_it_without_the_heavy_libraries() -> None:
    """Importing the orchestrator imports none of dask, ngio, polars, skimage and zarr."""
    code = (
        "import sys, openhcs.core.orchestrator as _\n"
        "print({'dask', 'distributed', 'ngio', 'polars', 'skimage', 'zarr'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "set()"
