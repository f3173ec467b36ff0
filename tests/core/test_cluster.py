"""Runs on workers of a Dask scheduler that was started by hand, in real processes on loopback."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import polars as pl
import psutil
import pytest
from distributed import Client

from openhcs.core.demo_plate import make_demo_plate
from openhcs.core.execution import Execution
from openhcs.core.model import Pipeline
from openhcs.core.orchestrator import Orchestrator, Run
from openhcs.core.progress import RunState, WellState
from tests.core.held_runs import CALL, HOLD, MODULE, PIPELINE, fill, program_of, states, wait_until

WELLS = ("B02", "B03", "B04", "B05")
nightly = pytest.mark.skipif("OPENHCS_NIGHTLY" not in os.environ, reason="every night: OPENHCS_NIGHTLY=1")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


class ByHand:
    """A scheduler and workers as somebody starts them in shells."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []
        port = free_port()
        self.address = f"tcp://127.0.0.1:{port}"
        self.scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard")

    def start_worker(self, *more: str, path: Path | None = None) -> subprocess.Popen[bytes]:
        """Start a worker, with its nanny unless told otherwise; `path` is where Python looks first."""
        options = ("--host", "127.0.0.1", "--nthreads", "2", "--death-timeout", "60", "--no-dashboard", *more)
        return self._start("worker", self.address, *options, path=path)

    def wait_for_workers(self, count: int) -> None:
        """Return when the scheduler knows of so many: on a busy machine a worker is there only after a while."""
        with Client(self.address, set_as_default=False, timeout=60) as client:
            client.wait_for_workers(count, timeout=120)

    def log(self) -> str:
        return "\n".join(file.read_text() for file in sorted(self._folder.glob("*.log")))

    def stop(self) -> None:
        for process in self._processes:
            try:
                tree = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
            except psutil.NoSuchProcess:
                tree = []
            for one in tree:
                one.kill()
            process.wait(10)

    def _start(self, command: str, *options: str, path: Path | None = None) -> subprocess.Popen[bytes]:
        paths = [*([str(path)] if path is not None else []), *filter(None, sys.path)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        with (self._folder / f"{command}-{len(self._processes)}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.dask_{command}", *options],
                stdout=log,
                stderr=log,
                env=environment,
                cwd=self._folder,
            )
        self._processes.append(process)
        return process


@pytest.fixture
def by_hand(tmp_path: Path) -> Iterator[ByHand]:
    folder = tmp_path / "dask"
    folder.mkdir()
    cluster = ByHand(folder)
    yield cluster
    cluster.stop()


@pytest.fixture
def plate(tmp_path: Path) -> Path:
    """A demo plate of four wells, 128 x 128 pixels."""
    return make_demo_plate(tmp_path / "plate", wells=WELLS, sites=1, z_steps=2, size_px=128).folder


def start(
    plate: Path,
    out: Path,
    runs: list[Run],
    execution: Execution,
    *,
    workers: int | None = None,
    pipeline: Pipeline = PIPELINE,
) -> Run:
    orchestrator = Orchestrator(plate, modules=(MODULE,))
    orchestrator.initialise()
    orchestrator.compile(pipeline)
    run = orchestrator.run(out, workers, execution=execution)
    runs.append(run)
    return run


def counts(out: Path) -> dict[str, int]:
    table = pl.read_parquet(out / "tables" / "counts.parquet")
    return dict(zip(table["well"], table["count"], strict=True))


def worker_at(run: Run, well: str) -> int:
    (pid,) = (worker.pid for worker in run.workers() if worker.well == well)
    return pid


def test_a_killed_worker_costs_its_well_a_try_and_results_equal_those_of_the_embedded_run(
    plate: Path, tmp_path: Path, runs: list[Run], by_hand: ByHand
) -> None:
    """One of two workers is killed in mid-run: its well is tried again, a worker comes back, and all wells end."""
    by_hand.start_worker()
    by_hand.start_worker()
    fill(plate, "B05", HOLD)
    run = start(plate, tmp_path / "out", runs, Execution(scheduler=by_hand.address))
    wait_until(run, lambda now: states(now).get("B05") is WellState.RUNNING and now.wells["B05"].step == 1)
    workers = run.workers()
    assert all(worker.memory_bytes > 1 << 20 and worker.host for worker in workers)
    os.kill(worker_at(run, "B05"), signal.SIGKILL)
    progress = wait_until(run, lambda now: now.wells["B05"].retries == 1)
    assert "is gone" in progress.wells["B05"].retried
    wait_until(run, lambda now: now.finished == 3 and now.wells["B05"].state is WellState.RUNNING)
    run.cancel_well("B05")
    progress = run.wait(60)
    assert (progress.state, states(progress)["B05"]) == (RunState.FINISHED, WellState.CANCELLED), by_hand.log()

    embedded = start(plate, tmp_path / "embedded", runs, Execution(), workers=2)
    wait_until(embedded, lambda now: now.finished == 3)
    embedded.cancel()
    embedded.wait(60)
    assert counts(tmp_path / "out") == counts(tmp_path / "embedded")


def test_a_worker_of_another_making_is_left_out_and_the_run_says_why(
    plate: Path, tmp_path: Path, runs: list[Run], by_hand: ByHand
) -> None:
    """A worker with another openhcs, or that cannot even tell its versions, gets no well: warnings name host and cause,
    and a run that has no other fails."""
    other = tmp_path / "other" / "openhcs-0.0.9.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: openhcs\nVersion: 0.0.9\n")
    by_hand.start_worker(path=other.parent)
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "sitecustomize.py").write_text(
        "import distributed.node\n"
        "def refuse(packages):\n    raise ValueError('no versions here')\n"
        "distributed.node.get_versions = refuse\n"
    )
    by_hand.start_worker(path=broken)
    by_hand.wait_for_workers(2)
    progress = start(plate, tmp_path / "out", runs, Execution(scheduler=by_hand.address, wait_for_workers_s=6)).wait(60)
    told = "\n".join(progress.warnings)
    assert "127.0.0.1" in told
    for why in (f"it has openhcs 0.0.9, here it is {version('openhcs')}", "it cannot do what wells need"):
        assert f"is left out: {why}" in told, by_hand.log()
        assert why in progress.message
    assert "no versions here" in told
    assert progress.state is RunState.FAILED


def test_without_workers_a_run_waits_and_says_so_and_a_lost_scheduler_ends_it(
    plate: Path, tmp_path: Path, runs: list[Run], by_hand: ByHand
) -> None:
    """What a run waits for is in its progress; a scheduler that dies is named as the cause of the failure."""
    run = start(plate, tmp_path / "out", runs, Execution(scheduler=by_hand.address))
    progress = wait_until(run, lambda now: bool(now.waiting))
    assert progress.waiting == "no workers: waiting up to 300 s for one"
    assert run.workers() == ()
    by_hand.scheduler.kill()
    progress = run.wait(30)
    assert (progress.state, progress.waiting) == (RunState.FAILED, "")
    assert f"scheduler: {by_hand.address} is lost" in progress.message


def test_an_unreachable_scheduler_is_named(
    plate: Path, tmp_path: Path, runs: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no scheduler listens the run fails with the address."""
    monkeypatch.setenv("DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT", "1s")
    address = f"tcp://127.0.0.1:{free_port()}"
    progress = start(plate, tmp_path / "out", runs, Execution(scheduler=address)).wait(30)
    assert progress.state is RunState.FAILED
    assert f"scheduler: {address} cannot be reached" in progress.message


@nightly
def test_a_cancelled_well_is_gone_from_its_worker_within_2_s_with_what_it_started(
    plate: Path, tmp_path: Path, runs: list[Run], by_hand: ByHand
) -> None:
    """Cancelling a well ends the worker's process and the program that a function started there; others go on."""
    by_hand.start_worker()
    run = start(plate, tmp_path / "out", runs, Execution(scheduler=by_hand.address), pipeline=CALL)
    left = program_of(run, "B02")
    run.cancel_well("B02")
    assert psutil.wait_procs(left, timeout=2)[1] == []
    wait_until(run, lambda now: states(now)["B02"] is WellState.CANCELLED)
    left = program_of(run, "B03")
    run.cancel()
    assert run.wait(10).state is RunState.CANCELLED
    assert psutil.wait_procs(left, timeout=2)[1] == []


@nightly
def test_a_well_whose_runner_was_killed_is_ended_on_its_worker(
    plate: Path, tmp_path: Path, runs: list[Run], by_hand: ByHand
) -> None:
    """After kill -9 of the runner nobody goes on with the well, which might be begun again elsewhere."""
    by_hand.start_worker()
    fill(plate, "B02", HOLD)
    run = start(plate, tmp_path / "out", runs, Execution(scheduler=by_hand.address))
    wait_until(run, lambda now: "B02" in now.wells and now.wells["B02"].step == 1)
    worker = psutil.Process(worker_at(run, "B02"))
    os.kill(run.pid, signal.SIGKILL)
    assert psutil.wait_procs([worker], timeout=10)[1] == []


@nightly
def test_a_run_goes_on_when_workers_come_back(plate: Path, tmp_path: Path, runs: list[Run], by_hand: ByHand) -> None:
    """With its only worker and the nanny gone the run waits and says so; a new worker has a try of the well."""
    fill(plate, "B02", HOLD)
    first = by_hand.start_worker()
    run = start(plate, tmp_path / "out", runs, Execution(scheduler=by_hand.address))
    wait_until(run, lambda now: "B02" in now.wells and now.wells["B02"].step == 1)
    worker = worker_at(run, "B02")
    first.kill()
    os.kill(worker, signal.SIGKILL)
    progress = wait_until(run, lambda now: bool(now.waiting))
    assert progress.wells["B02"].retries == 1
    by_hand.start_worker("--no-nanny")
    wait_until(run, lambda now: not now.waiting and now.finished == 3 and now.wells["B02"].step == 1)
    worker = worker_at(run, "B02")
    run.cancel_well("B02")
    progress = run.wait(60)
    assert (progress.state, states(progress)["B02"]) == (RunState.FINISHED, WellState.CANCELLED)
    assert not psutil.pid_exists(worker) or psutil.Process(worker).status() == psutil.STATUS_ZOMBIE


@nightly
def test_runs_share_a_scheduler_with_each_other_and_with_others(
    plate: Path, tmp_path: Path, runs: list[Run], by_hand: ByHand
) -> None:
    """Two runs of the same wells and somebody's own tasks on one scheduler do not get in each other's way."""
    by_hand.start_worker()
    by_hand.start_worker()
    with Client(by_hand.address, set_as_default=False) as client:
        others = client.map(abs, range(-40, 0), pure=False)
        both = [start(plate, tmp_path / name, runs, Execution(scheduler=by_hand.address)) for name in ("one", "two")]
        for run in both:
            progress = run.wait(120)
            assert (progress.state, progress.finished, progress.warnings) == (RunState.FINISHED, len(WELLS), ())
        assert client.gather(others) == list(range(40, 0, -1))
    assert counts(tmp_path / "one") == counts(tmp_path / "two")
