"""Runs into a disk that is too small, and on a plate that goes away: named, early, and mended by the next run."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from openhcs.core.demo_plate import make_demo_plate
from openhcs.core.model import Component, FunctionCall, Pipeline, Step
from openhcs.core.orchestrator import Orchestrator
from openhcs.core.progress import RunProgress, RunState, WellState
from openhcs.core.results import ResultsFolder
from openhcs.errors import DiskFullError, PlateLostError

WELLS = ("B02", "B03", "B04", "B05", "C02", "C03")
Z = (Component.Z,)
PIPELINE = Pipeline(
    "count",
    (
        Step("Project", (FunctionCall("project_maximum"),), Z),
        Step("Find", {"1": (FunctionCall("segment_threshold_watershed"),)}, Z, output="nuclei"),
        Step("Count", {"1": (FunctionCall("count_objects", {"labels": "nuclei"}),)}, Z, output="counts"),
    ),
)


@pytest.fixture(scope="module")
def plate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo plate of six wells, 128 x 128 pixels."""
    return make_demo_plate(
        tmp_path_factory.mktemp("demo") / "plate", wells=WELLS, sites=1, z_steps=2, size_px=128
    ).folder


@pytest.fixture(scope="module")
def undisturbed(plate: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the results are if nothing is in the way."""
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    assert run(plate, out).state is RunState.FINISHED
    return contents(out)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 400 KiB, which is room for some wells."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small disk")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def nightly(request: pytest.FixtureRequest) -> None:
    """Two runs for each size are for the night."""
    if request.config.getoption("--explore-tier") == "commit":
        pytest.skip("--explore-tier=nightly runs it")


def run(plate: Path, out: Path) -> RunProgress:
    orchestrator = Orchestrator(plate)
    orchestrator.initialise()
    orchestrator.compile(PIPELINE)
    return orchestrator.run(out, workers=2, check_room=False).wait(timeout_s=120)


def contents(out: Path) -> dict[str, str]:
    """The digest of every file of the plate and of the tables."""
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in ("plate.zarr", "tables")
        for path in sorted((out / folder).rglob("*"))
        if path.is_file()
    }


def test_a_disk_that_fills_up_ends_the_run_and_spoils_nothing(
    plate: Path, undisturbed: dict[str, str], disk: Path
) -> None:
    """Wells done before stay, the one that met the end says so, others are not begun; with room again all is mended."""
    progress = run(plate, disk / "out")
    assert progress.state is RunState.FAILED
    assert "The disk is full, with" in progress.message
    assert "not begun, to fail in the same way" in progress.message
    done = ResultsFolder(disk / "out").done_wells()
    states = {name: well.state for name, well in progress.wells.items()}
    assert done == tuple(name for name in WELLS if states[name] is WellState.FINISHED) != ()
    failed = [well.failure for well in progress.wells.values() if well.failure is not None]
    assert {failure.kind for failure in failed} == {DiskFullError.__name__}
    assert WellState.CANCELLED in states.values()
    assert list((disk / "out" / ".tmp").iterdir()) == []
    finished = {
        file: digest
        for file, digest in undisturbed.items()
        if any(f"/{well[0]}/{well[1:]}/" in file or file.endswith(f"/{well}.parquet") for well in done)
    }
    assert finished.items() <= contents(disk / "out").items()

    subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
    again = run(plate, disk / "out")
    assert (again.state, again.failed) == (RunState.FINISHED, 0)
    assert again.counts[WellState.REUSED] == len(done)
    assert contents(disk / "out") == undisturbed


@pytest.mark.usefixtures("nightly")
@pytest.mark.parametrize("size", ["4k", "60k", "200k", "560k"])
def test_wherever_a_disk_fills_up_the_next_run_mends_it(
    plate: Path, undisturbed: dict[str, str], disk: Path, size: str
) -> None:
    """In the run's own files, the plate without wells, a well's images, its tables, the tables of all wells."""
    subprocess.run(["mount", "-o", f"remount,size={size}", str(disk)], check=True)
    try:
        progress = run(plate, disk / "out")
    except DiskFullError:
        pass  # not even begun
    else:
        assert progress.failed or progress.state is RunState.FAILED
    subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
    assert run(plate, disk / "out").state is RunState.FINISHED
    assert contents(disk / "out") == undisturbed


def test_a_plate_that_goes_away_ends_the_run(plate: Path, tmp_path: Path) -> None:
    """The plate's folder is named once, in place of a missing file for each well."""
    copy = shutil.copytree(plate, tmp_path / "plate")
    orchestrator = Orchestrator(copy)
    orchestrator.initialise()
    orchestrator.compile(PIPELINE)
    copy.rename(tmp_path / "elsewhere")
    progress = orchestrator.run(tmp_path / "out", workers=1, check_room=False).wait(timeout_s=120)
    assert progress.state is RunState.FAILED
    assert progress.message.startswith(f"the plate's folder is gone: {copy} (No such file or directory)")
    assert "5 wells were not begun" in progress.message
    (failure,) = [well.failure for well in progress.wells.values() if well.failure is not None]
    assert failure.kind == PlateLostError.__name__
