"""kill -9 of anything at random moments, then the same run again: the outcome is that of an undisturbed run.

`OPENHCS_KILLS` says how often each kind of process is killed: once by default, ten times every night.
`OPENHCS_KILL_SEED` repeats the moments of a test that failed, which prints it.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pexpect
import psutil
import pytest

from openhcs.core.demo_plate import make_demo_plate
from openhcs.core.journal import EventKind, replay
from openhcs.core.model import Component, FunctionCall, Pipeline, Step
from openhcs.core.orchestrator import Orchestrator, Run
from openhcs.core.pipeline_file import save_pipeline
from openhcs.core.progress import RunProgress, RunState, WellState

KILLS = int(os.environ.get("OPENHCS_KILLS", "1"))
SEED = os.environ.get("OPENHCS_KILL_SEED", uuid.uuid4().hex[:8])
MODULE = "tests.core.killable"
MARK = "OPENHCS_KILL_TEST"
WELLS = ("B02", "B03", "B04", "C02", "C03", "C04")
GONE_WITHIN_S = 5.0
CIRCUMSTANCES = ("seconds", "step_seconds", "started", "ended", "peak_memory_bytes")
PATIENCE_S = 120.0

_SEGMENT = FunctionCall("segment_threshold_watershed")
PIPELINE = Pipeline(
    "killed",
    (
        Step("Leave a program", (FunctionCall("leave_program"),), (Component.Z,)),
        Step("Blur", (FunctionCall("gaussian_blur"),), (Component.Z,)),
        Step("Find", {"1": (_SEGMENT,)}, (Component.Z,), output="nuclei"),
        Step("Count", {"1": (FunctionCall("count_objects", {"labels": "nuclei"}),)}, (Component.Z,), output="counts"),
    ),
)


@dataclass(frozen=True)
class Undisturbed:
    """A run that nobody disturbed: its plate, its outcome and how long it took."""

    plate: Path
    outcome: dict[str, Any]
    seconds: float


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """What every disturbed run has to come to."""
    folder = tmp_path_factory.mktemp("undisturbed")
    plate = make_demo_plate(folder / "plate", wells=WELLS, sites=1, z_steps=2, size_px=128).folder
    began = time.monotonic()
    progress = start(plate, folder / "out").wait(PATIENCE_S)
    seconds = time.monotonic() - began
    assert (progress.state, progress.finished) == (RunState.FINISHED, len(WELLS)), progress
    return Undisturbed(plate, outcome_of(folder / "out"), seconds)


@pytest.fixture(autouse=True)
def mark(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A mark in the environment of all that a test starts; whatever has it afterwards is ended."""
    value = uuid.uuid4().hex
    monkeypatch.setenv(MARK, value)
    yield value
    for process in marked(value):
        process.kill()


@pytest.fixture
def moments(request: pytest.FixtureRequest) -> random.Random:
    """Where a test's moments come from."""
    sys.stdout.write(f"OPENHCS_KILL_SEED={SEED}\n")
    return random.Random(f"{SEED} {request.node.name}")


def marked(mark: str) -> list[psutil.Process]:
    """Every living process with the mark, whatever its parent, group and session."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and process.environ().get(MARK) == mark:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def start(plate: Path, out: Path) -> Run:
    orchestrator = Orchestrator(plate, modules=(MODULE,))
    orchestrator.initialise()
    orchestrator.compile(PIPELINE)
    return orchestrator.run(out, workers=2)


def outcome_of(out: Path) -> dict[str, Any]:
    """All files of the results but the runs', byte by byte; of provenance all but when, how long and in how much."""
    outcome: dict[str, Any] = {}
    for file in sorted(path for path in out.rglob("*") if path.is_file()):
        name = file.relative_to(out)
        if name.parts[0] == "runs":
            continue
        outcome[str(name)] = _content(file) if name.parts[0] == "provenance" else file.read_bytes()
    return outcome


def _content(provenance: Path) -> dict[str, Any]:
    content = json.loads(provenance.read_bytes())
    return {key: value for key, value in content.items() if key not in CIRCUMSTANCES}


def assert_as_undisturbed(out: Path, undisturbed: Undisturbed) -> None:
    outcome = outcome_of(out)
    assert sorted(outcome) == sorted(undisturbed.outcome)
    differing = [name for name, content in outcome.items() if content != undisturbed.outcome[name]]
    assert differing == []


def assert_gone(mark: str, since: float) -> None:
    """No process with the mark is there any more, within seconds of `since`."""
    while left := marked(mark):
        assert time.monotonic() - since < GONE_WITHIN_S, [process.cmdline() for process in left]
        time.sleep(0.02)


def wait_for(run: Run, condition: Any) -> RunProgress:
    deadline = time.monotonic() + PATIENCE_S
    while not condition(progress := run.poll()):
        assert time.monotonic() < deadline, progress
        run.wait(0.01)
    return progress


def done_in(run: Run) -> set[str]:
    """The wells that a run says it has finished, now or before."""
    kinds = (EventKind.WELL_FINISHED, EventKind.WELL_REUSED)
    return {event.well for event in replay(run.log.parent / "journal.jsonl") if event.kind in kinds and event.well}


def test_a_killed_runner_costs_nothing_that_was_done(
    undisturbed: Undisturbed, tmp_path: Path, mark: str, moments: random.Random
) -> None:
    """Killed at random moments, again and again, a run leaves no process, and the next one goes on where it was."""
    out, done = tmp_path / "out", set[str]()
    for number in range(KILLS):
        if number % 2 == 0:
            shutil.rmtree(out, ignore_errors=True)
            done = set()
        run = start(undisturbed.plate, out)
        run.wait(moments.uniform(0, undisturbed.seconds))
        killed = time.monotonic()
        with suppress(ProcessLookupError):  # it may just have finished
            os.kill(run.pid, signal.SIGKILL)
        assert run.wait(PATIENCE_S).state.has_ended
        assert_gone(mark, killed)
        assert done <= done_in(run) or not run.poll().wells
        done |= done_in(run)
        if number % 2 == 1 or number == KILLS - 1:
            again = start(undisturbed.plate, out)
            progress = again.wait(PATIENCE_S)
            assert (progress.state, progress.finished) == (RunState.FINISHED, len(WELLS)), progress
            assert {well for well in WELLS if progress.wells[well].state is WellState.REUSED} >= done
            assert_gone(mark, time.monotonic())
            assert_as_undisturbed(out, undisturbed)


def test_killed_workers_cost_their_wells_at_most(
    undisturbed: Undisturbed, tmp_path: Path, mark: str, moments: random.Random
) -> None:
    """Workers are killed at random moments: the others' wells finish, and the next run does what is left."""
    for number in range(0, KILLS, 5):
        run = start(undisturbed.plate, tmp_path / f"out{number}")
        killed: set[str] = set()
        wait_for(run, lambda progress: progress.counts[WellState.RUNNING] or progress.state.has_ended)
        for _ in range(min(5, KILLS - number)):
            run.wait(moments.uniform(0, undisturbed.seconds / 10))
            running = [well for well, one in run.poll().wells.items() if one.state is WellState.RUNNING]
            workers = workers_of(mark)
            if not running or not workers:
                break
            killed.update(running)
            os.kill(moments.choice(workers).pid, signal.SIGKILL)
        progress = run.wait(PATIENCE_S)
        assert progress.state is RunState.FINISHED, progress
        assert {well for well, one in progress.wells.items() if one.state is WellState.FAILED} <= killed
        assert_gone(mark, time.monotonic())
        again = start(undisturbed.plate, tmp_path / f"out{number}").wait(PATIENCE_S)
        assert (again.state, again.finished) == (RunState.FINISHED, len(WELLS)), again
        assert_as_undisturbed(tmp_path / f"out{number}", undisturbed)
        assert_gone(mark, time.monotonic())


def workers_of(mark: str) -> list[psutil.Process]:
    """The processes that wells are in: the children of the fork server."""
    return [process for server in fork_servers(mark) for process in server.children()]


def fork_servers(mark: str) -> list[psutil.Process]:
    """The processes that workers are forked from, and not the workers themselves, whose command line is the same."""
    same = [process for process in marked(mark) if "forkserver" in " ".join(process.cmdline())]
    pids = {process.pid for process in same}
    return [process for process in same if process.ppid() not in pids]


@pytest.mark.skipif("OPENHCS_KILLS" not in os.environ, reason="takes long; set OPENHCS_KILLS=10")
def test_a_killed_fork_server_ends_the_run_in_order(undisturbed: Undisturbed, tmp_path: Path, mark: str) -> None:
    """Without the process that workers are forked from the run comes to an end, and the next one does what is left."""
    run = start(undisturbed.plate, tmp_path / "out")
    wait_for(run, lambda progress: progress.counts[WellState.RUNNING])
    for server in fork_servers(mark):
        server.kill()
    assert run.wait(PATIENCE_S).state.has_ended
    assert_gone(mark, time.monotonic())
    again = start(undisturbed.plate, tmp_path / "out").wait(PATIENCE_S)
    assert (again.state, again.finished) == (RunState.FINISHED, len(WELLS)), again
    assert_as_undisturbed(tmp_path / "out", undisturbed)


@pytest.mark.terminal
def test_a_killed_workbench_does_not_touch_the_run(
    undisturbed: Undisturbed, tmp_path: Path, mark: str, moments: random.Random
) -> None:
    """The workbench is killed at random moments in a real terminal: the run goes on to the end as if nothing was.

    The plate that waits behind it has its turn.
    """
    shutil.copytree(undisturbed.plate, tmp_path / "next")
    settings = tmp_path / "home" / "config" / "settings.yaml"
    settings.parent.mkdir(parents=True)
    settings.write_text(f"workers: 2\nfunction_modules: [{MODULE}]\n")
    save_pipeline(PIPELINE, tmp_path / "killed.yaml")
    environment = {
        **os.environ,
        "TERM": "xterm-256color",
        "OPENHCS_HOME": str(tmp_path / "home"),
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    environment.pop("OPENHCS_SETTINGS", None)
    plates = [str(undisturbed.plate), str(tmp_path / "next")]
    arguments = ["-m", "openhcs", "tui", *plates, "--pipeline", str(tmp_path / "killed.yaml")]
    for number in range(KILLS):
        here = tmp_path / str(number)
        here.mkdir()
        out = here / "openhcs-results" / "plate" / "killed"
        terminal = pexpect.spawn(
            sys.executable, arguments, env=environment, cwd=here, dimensions=(24, 100), timeout=PATIENCE_S
        )
        terminal.expect_exact("2 plates added")
        terminal.send("*")
        terminal.expect_exact("2 marked")
        terminal.send("r")
        deadline = time.monotonic() + PATIENCE_S
        while len(list(here.glob("openhcs-results/*/killed/runs/*/journal.jsonl"))) < 2:
            assert time.monotonic() < deadline, terminal.before
            _drain(terminal)
        run, behind = Run.attach(out), Run.attach(out.parents[1] / "next" / "killed")
        _drain(terminal, moments.uniform(0, undisturbed.seconds))
        os.kill(terminal.pid, signal.SIGKILL)
        terminal.close(force=True)
        progress = run.wait(PATIENCE_S)
        assert (progress.state, progress.finished) == (RunState.FINISHED, len(WELLS)), progress
        assert_as_undisturbed(out, undisturbed)
        progress = behind.wait(PATIENCE_S)
        assert (progress.state, progress.finished) == (RunState.FINISHED, len(WELLS)), progress
        assert_gone(mark, time.monotonic())


def _drain(terminal: pexpect.spawn[bytes], seconds: float = 0.02) -> None:
    """Read what the workbench draws for some time: one that nobody reads from would stand still."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            terminal.read_nonblocking(1 << 16, timeout=0.02)
        except pexpect.TIMEOUT:
            continue


def test_a_runner_is_stopped_continued_and_its_machine_goes_down(
    undisturbed: Undisturbed, tmp_path: Path, mark: str
) -> None:
    """A runner that is stopped does not answer, and goes on later; SIGHUP is nothing to it.

    A machine that goes down leaves a lock that nobody holds, the address of a socket that is gone, a process id that is
    another's by now. Such a run has ended, cancelling it ends nobody else, and the next run begins.
    """
    run = start(undisturbed.plate, tmp_path / "out")
    wait_for(run, lambda progress: progress.state is RunState.RUNNING)
    assert run.answers(timeout_s=PATIENCE_S)
    os.kill(run.pid, signal.SIGSTOP)
    assert not run.answers(timeout_s=0.2)
    assert run.poll().state is RunState.RUNNING
    os.kill(run.pid, signal.SIGHUP)
    os.kill(run.pid, signal.SIGCONT)
    wait_for(run, lambda progress: progress.finished)
    folder = run.log.parent
    control = (folder / "control.json").read_bytes()
    os.kill(run.pid, signal.SIGKILL)
    run.wait(PATIENCE_S)
    assert_gone(mark, time.monotonic())
    (folder / "control.json").write_bytes(control)
    bystander = psutil.Popen(["sleep", "600"], start_new_session=True)
    try:
        _say_another_pid(folder / "journal.jsonl", bystander.pid)
        found = Run.attach(tmp_path / "out")
        assert found.poll().state is RunState.FAILED
        assert found.pid == bystander.pid
        found.cancel()
        progress = start(undisturbed.plate, tmp_path / "out").wait(PATIENCE_S)
        assert (progress.state, progress.finished) == (RunState.FINISHED, len(WELLS)), progress
        assert bystander.is_running()
        assert bystander.status() != psutil.STATUS_ZOMBIE
    finally:
        bystander.kill()
        bystander.wait()
    assert_as_undisturbed(tmp_path / "out", undisturbed)


def _say_another_pid(journal: Path, pid: int) -> None:
    first, *rest = journal.read_text().splitlines(keepends=True)
    event = json.loads(first)
    assert event["kind"] == EventKind.RUN_STARTED
    event["data"]["pid"] = pid
    journal.write_text(f"{json.dumps(event)}\n{''.join(rest)}")
