"""Whole runs in real processes, on small plates whose wells misbehave on purpose."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
import psutil
import pytest
from distributed.security import Security
from typer.testing import CliRunner

from openhcs.cli import app
from openhcs.core.control import request
from openhcs.core.demo_plate import make_demo_plate
from openhcs.core.execution import Execution
from openhcs.core.journal import EventKind, replay
from openhcs.core.model import Component, FunctionCall, Pipeline, Status, Step
from openhcs.core.orchestrator import Orchestrator, Run
from openhcs.core.progress import RunProgress, RunState, WellState
from openhcs.core.results import ResultsFolder
from openhcs.errors import RunError
from tests.core.held_runs import (
    CALL,
    FAIL,
    HOLD,
    MODULE,
    PIPELINE,
    fill,
    images_of,
    processes_of,
    program_of,
    states,
    wait_until,
)

WELLS = ("B02", "B03", "B04", "B05", "C02", "C03")


@pytest.fixture
def plate(tmp_path: Path) -> Path:
    """A demo plate of six wells, 128 x 128 pixels."""
    return make_demo_plate(tmp_path / "plate", wells=WELLS, sites=1, z_steps=2, size_px=128).folder


def compiled(plate: Path) -> Orchestrator:
    orchestrator = Orchestrator(plate, modules=(MODULE,))
    orchestrator.initialise()
    orchestrator.compile(PIPELINE)
    return orchestrator


def test_bad_wells_fail_by_name_and_the_others_finish(plate: Path, tmp_path: Path, runs: list[Run]) -> None:
    """A truncated image, a raising function and a killed worker fail one well each; the others have their results.

    Run again, the finished wells are reused and the repaired ones done.
    """
    shutil.copytree(plate, tmp_path / "intact")
    before = set(plate.rglob("*"))
    truncated = images_of(plate, "B03")[0]
    os.truncate(truncated, truncated.stat().st_size // 2)
    fill(plate, "B04", FAIL)
    fill(plate, "B05", HOLD)
    orchestrator = compiled(plate)
    run = orchestrator.run(tmp_path / "out", workers=2, execution=Execution(retries=0))
    runs.append(run)
    assert (orchestrator.status, (tmp_path / "out").is_dir()) == (Status.RUNNING, True)

    wait_until(run, lambda now: states(now).get("B05") is WellState.RUNNING and now.wells["B05"].step == 1)
    running = request(run.log.parent, {"do": "status"})["running"]
    assert isinstance(running, dict)
    os.kill(int(str(running["B05"])), signal.SIGKILL)
    progress = run.wait(timeout_s=120)

    assert progress.state is RunState.FINISHED, progress.message
    assert orchestrator.status is Status.FAILED
    failures = {name: well.failure for name, well in progress.wells.items() if well.failure}
    assert set(failures) == {"B03", "B04", "B05"}, failures
    assert (failures["B03"].kind, failures["B03"].step) == ("PlaneError", "Hold or fail")
    assert failures["B03"].file == str(truncated.relative_to(plate))
    assert "cut short" in failures["B03"].message
    assert failures["B04"].kind == "ZeroDivisionError"
    assert failures["B04"].message == "hold_or_fail: ZeroDivisionError: a plane of nines"
    assert failures["B04"].plane == "B04, site 1, channel 1, z 1, t 1 to B04, site 1, channel 1, z 2, t 1"
    assert "misbehaving.py" in failures["B04"].traceback
    assert "probably out of memory" in failures["B05"].message
    assert_results(tmp_path / "out", progress, ("B02", "C02", "C03"))
    assert not list((tmp_path / "out").glob(".tmp/*"))

    shutil.rmtree(plate)
    (tmp_path / "intact").rename(plate)
    again = compiled(plate).run(tmp_path / "out", workers=2)
    runs.append(again)
    progress = again.wait(timeout_s=120)
    assert states(progress) == {well: WellState.FINISHED if well in failures else WellState.REUSED for well in WELLS}, (
        progress
    )
    assert_results(tmp_path / "out", progress, WELLS)
    assert set(plate.rglob("*")) == before
    assert Run.attach(tmp_path / "out").poll().wells == progress.wells


def assert_results(out: Path, progress: RunProgress, wells: tuple[str, ...]) -> None:
    """Read results back as others would: the plate by ngio, the tables by polars."""
    ngio = pytest.importorskip("ngio")
    plate = ngio.open_ome_zarr_plate(out / "plate.zarr", mode="r")
    images = plate.get_images(max_workers=1)
    assert set(images) == {f"{well[0]}/{well[1:]}/1" for well in wells}
    for path, container in images.items():
        image = container.get_image()
        assert (image.shape, image.pixel_size.x) == ((2, 128, 128), pytest.approx(0.6838))
        assert container.channel_labels == ["DAPI", "GFP"]
        labels = container.get_label("nuclei").get_as_numpy()
        assert len(np.unique(labels)) - 1 == progress.wells[path[0] + path[2:4]].objects["nuclei"]
        assert image.get_as_numpy().max() > 0
    counts = pl.read_parquet(out / "tables" / "counts.parquet")
    assert counts.columns[:6] == ["plate", "well", "site", "channel", "z", "t"]
    assert dict(zip(counts["well"], counts["count"], strict=True)) == {
        well: progress.wells[well].objects["nuclei"] for well in wells
    }
    assert pl.read_parquet(out / "tables" / "counts.parquet").height == len(wells)
    provenance = json.loads((out / "provenance" / f"{wells[0]}.json").read_text())
    assert provenance["recipe"]["steps"][0]["name"] == "Hold or fail"
    assert ResultsFolder(out).done_wells() == wells


def test_cancel_ends_running_wells_and_leaves_nothing(
    plate: Path, tmp_path: Path, runs: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cancelled well gives its worker to the next; a cancelled run ends within seconds, its processes with it.

    Nothing of it is left in the system's temporary folder.
    """
    # Short enough for sockets, which a test's own folder is not.
    temporary = Path(tempfile.mkdtemp(dir="/tmp"))
    monkeypatch.setenv("TMPDIR", str(temporary))
    for well in WELLS[:4]:
        fill(plate, well, HOLD)
    orchestrator = compiled(plate)
    run = orchestrator.run(tmp_path / "out", workers=2)
    runs.append(run)
    wait_until(run, lambda now: now.counts[WellState.RUNNING] == 2)

    with pytest.raises(RunError, match="has a run going on"):
        compiled(plate).run(tmp_path / "out")
    with pytest.raises(RunError, match="A01 is neither running nor pending"):
        run.cancel_well("A01")
    cancelled = CliRunner().invoke(app, ["cancel", str(tmp_path / "out"), "b2", "B05"])
    assert (cancelled.exit_code, cancelled.stderr) == (0, "B02 is cancelled.\nB05 is cancelled.\n")
    progress = wait_until(run, lambda now: states(now)["B04"] is WellState.RUNNING)
    assert states(progress)["B02"] is states(progress)["B05"] is WellState.CANCELLED

    assert len(processes_of(run.pid)) >= 3
    asked = replay(run.log.parent / "journal.jsonl")[-1].time_s
    Run.attach(tmp_path / "out").cancel()
    progress = run.wait(timeout_s=30)
    assert (progress.state, set(states(progress).values())) == (RunState.CANCELLED, {WellState.CANCELLED})
    assert progress.ended_s is not None
    assert progress.ended_s - asked < 5
    psutil.wait_procs(processes_of(run.pid), timeout=2)
    assert processes_of(run.pid) == []
    assert list(temporary.iterdir()) == []
    temporary.rmdir()
    assert orchestrator.status is Status.COMPILED
    assert not list((tmp_path / "out" / "provenance").glob("*"))
    assert CliRunner().invoke(app, ["cancel", str(tmp_path / "out")]).exit_code == 2


def test_a_cancelled_well_takes_with_it_what_its_functions_started(
    plate: Path, tmp_path: Path, runs: list[Run]
) -> None:
    """A program that a function waits for is gone as soon as the well is cancelled, long before the run ends."""
    orchestrator = Orchestrator(plate, modules=(MODULE,))
    orchestrator.initialise()
    orchestrator.compile(CALL, WELLS[:2])
    run = orchestrator.run(tmp_path / "out", workers=1)
    runs.append(run)
    left = program_of(run, "B02")
    run.cancel_well("B02")
    assert psutil.wait_procs(left, timeout=10)[1] == []
    left = program_of(run, "B03")
    run.cancel()
    assert run.wait(30).state is RunState.CANCELLED
    assert psutil.wait_procs(left, timeout=10)[1] == []


def test_a_run_can_be_cancelled_before_it_has_begun(plate: Path, tmp_path: Path, runs: list[Run]) -> None:
    """Cancelled at once, a run ends as cancelled without a well begun, and leaves no process."""
    run = compiled(plate).run(tmp_path / "out")
    runs.append(run)
    run.cancel()
    progress = run.wait(timeout_s=10)
    assert (progress.state, set(states(progress).values())) == (RunState.CANCELLED, {WellState.CANCELLED})
    psutil.wait_procs(processes_of(run.pid), timeout=2)
    assert processes_of(run.pid) == []


def test_all_processes_of_a_run_give_way(plate: Path, tmp_path: Path, runs: list[Run]) -> None:
    """Runner, workers and what they started let others go first, as far as the request says."""
    fill(plate, "B02", HOLD)
    run = compiled(plate).run(tmp_path / "out", workers=1, execution=Execution(niceness=7))
    runs.append(run)
    wait_until(run, lambda now: states(now).get("B02") is WellState.RUNNING)
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert {process.nice() for process in processes_of(run.pid)} == {max(7, own)}


def test_a_runner_that_is_killed_takes_its_workers_with_it(plate: Path, tmp_path: Path, runs: list[Run]) -> None:
    """After kill -9 of the runner no process of it is left, the run has failed, and the next one may begin."""
    fill(plate, "B02", HOLD)
    orchestrator = compiled(plate)
    run = orchestrator.run(tmp_path / "out", workers=2)
    runs.append(run)
    wait_until(run, lambda now: states(now).get("B02") is WellState.RUNNING and now.finished >= 1)
    left = processes_of(run.pid)
    os.kill(run.pid, signal.SIGKILL)
    progress = run.wait(timeout_s=10)
    assert progress.state is RunState.FAILED
    assert "the runner process vanished" in progress.message
    assert orchestrator.status is Status.FAILED
    _, alive = psutil.wait_procs(left, timeout=5)
    assert alive == []
    run.cancel()  # nothing to cancel any more

    orchestrator.compile(PIPELINE, ["C02"])
    again = orchestrator.run(tmp_path / "out")
    runs.append(again)
    assert again.wait(timeout_s=120).state is RunState.FINISHED


def test_a_run_killed_while_it_cancels_is_cancelled(plate: Path, tmp_path: Path, runs: list[Run]) -> None:
    """Whoever asked for the end is not told of a failure when the runner had to be killed."""
    fill(plate, "B02", HOLD)
    run = compiled(plate).run(tmp_path / "out", workers=1)
    runs.append(run)
    wait_until(run, lambda now: states(now).get("B02") is WellState.RUNNING)
    os.kill(run.pid, signal.SIGSTOP)  # a runner that does not answer
    (run.log.parent / "cancel").touch()
    for process in processes_of(run.pid):
        process.kill()
    progress = run.wait(timeout_s=10)
    assert (progress.state, set(states(progress).values())) == (RunState.CANCELLED, {WellState.CANCELLED})
    assert "killed" in progress.message


def test_a_run_whose_folder_is_gone_says_so(plate: Path, tmp_path: Path, runs: list[Run]) -> None:
    """Results deleted under a run end it with words about the folder, not about an empty log."""
    fill(plate, "B02", HOLD)
    run = compiled(plate).run(tmp_path / "out", workers=1)
    runs.append(run)
    wait_until(run, lambda now: states(now).get("B02") is WellState.RUNNING)
    shutil.rmtree(tmp_path / "out", ignore_errors=True)
    for process in processes_of(run.pid):
        process.kill()
    progress = run.wait(timeout_s=10)
    assert progress.state is RunState.FAILED
    assert "is gone" in progress.message


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("exit_process", "ended itself with exit code 3"),
        ("crash_process", "crashed (SIGSEGV)"),
        ("exit_politely", "exit_politely: SystemExit: 3"),
    ],
)
def test_a_function_that_ends_its_process_is_told_from_want_of_memory(
    plate: Path, tmp_path: Path, runs: list[Run], function: str, words: str
) -> None:
    """A worker that leaves or crashes fails its well with how it ended, and the step it was at."""
    orchestrator = Orchestrator(plate, modules=(MODULE,))
    orchestrator.initialise()
    orchestrator.compile(Pipeline("leave", (Step("Leave", (FunctionCall(function),), (Component.Z,)),)), ["B02"])
    run = orchestrator.run(tmp_path / "out", workers=1)
    runs.append(run)
    failure = run.wait(timeout_s=60).wells["B02"].failure
    assert failure is not None
    assert words in failure.message
    assert failure.step == "Leave"


def test_a_well_that_takes_too_long_is_killed_and_tried_again_and_nobody_else_can_talk_to_workers(
    plate: Path, tmp_path: Path, runs: list[Run]
) -> None:
    """A well beyond its time is tried as often as allowed, then it has failed; the journal tells each try.

    Meanwhile its worker listens on the loopback to those alone who have the run's certificate.
    """
    fill(plate, "B02", HOLD)
    orchestrator = Orchestrator(plate, modules=(MODULE,))
    orchestrator.initialise()
    orchestrator.compile(PIPELINE, ["B02"])
    run = orchestrator.run(tmp_path / "out", workers=1, execution=Execution(retries=1, well_timeout_s=2))
    runs.append(run)
    wait_until(run, lambda now: "B02" in now.wells and now.wells["B02"].step == 1)
    (worker,) = run.workers()
    assert (worker.well, worker.pid in psutil.pids(), worker.memory_bytes > 0) == ("B02", True, True)
    assert worker.address.startswith("tls://127.0.0.1:")
    host, port = worker.address.removeprefix("tls://").split(":")
    strangers = Security.temporary().get_connection_args("client")["ssl_context"]
    plain = socket.create_connection((host, int(port)), timeout=10)
    with pytest.raises(OSError, match=r"(?i)ssl"), strangers.wrap_socket(plain) as encrypted:
        encrypted.recv(1)
    plain.close()

    progress = run.wait(timeout_s=60)
    failure = progress.wells["B02"].failure
    assert failure is not None
    assert (failure.kind, failure.step, progress.wells["B02"].retries) == ("TimeoutError", "Hold or fail", 1)
    assert "more than 2 s" in failure.message
    kinds = [event.kind for event in replay(run.log.parent / "journal.jsonl") if event.well == "B02"]
    tries = [EventKind.WELL_STARTED, EventKind.STEP_STARTED]
    assert kinds == [*tries, EventKind.WELL_RETRIED, *tries, EventKind.WELL_FAILED]


def test_every_event_of_a_run_is_in_its_journal(plate: Path, tmp_path: Path, runs: list[Run]) -> None:
    """The journal tells each well's steps in order, and SIGTERM ends a run as cancelled."""
    fill(plate, "B03", HOLD)
    orchestrator = Orchestrator(plate, modules=(MODULE,))
    orchestrator.initialise()
    orchestrator.compile(PIPELINE, ["B02", "B03"])
    run = orchestrator.run(tmp_path / "out", workers=1)
    runs.append(run)
    wait_until(run, lambda now: states(now).get("B03") is WellState.RUNNING)
    os.kill(run.pid, signal.SIGTERM)
    assert run.wait(timeout_s=30).state is RunState.CANCELLED
    events = replay(run.log.parent / "journal.jsonl")
    of_first = [(event.kind, event.data.get("name")) for event in events if event.well == "B02"]
    assert of_first == [
        (EventKind.WELL_STARTED, None),
        *((EventKind.STEP_STARTED, step.name) for step in PIPELINE.steps),
        (EventKind.WELL_FINISHED, None),
    ]
    assert [event.kind for event in events if event.well is None] == [EventKind.RUN_STARTED, EventKind.RUN_CANCELLED]
