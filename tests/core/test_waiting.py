"""Runs that wait for their turn, in real processes: whatever is killed, the next one goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from openhcs.core import paths
from openhcs.core.demo_plate import make_demo_plate
from openhcs.core.known_runs import find_runs
from openhcs.core.orchestrator import Orchestrator, Run
from openhcs.core.progress import RunProgress, RunState
from openhcs.core.turns import Turn, turns_here
from openhcs.errors import RunError, StoreError
from tests.core.held_runs import HOLD, MODULE, PIPELINE, fill, processes_of

PATIENCE_S = 120.0
WELL = "B02"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own for each test."""
    monkeypatch.setenv(paths.HOME_VARIABLE, str(tmp_path / "home"))
    monkeypatch.delenv(paths.SETTINGS_VARIABLE, raising=False)
    return tmp_path / "home"


def ask(folder: Path, name: str, runs: list[Run], *, held: bool = False, waits: bool = True) -> Run:
    """Ask for the run of a plate of one small well, which ends only when it is ended if it is `held`."""
    plate = make_demo_plate(folder / name, wells=(WELL,), sites=1, z_steps=1, size_px=128).folder
    if held:
        fill(plate, WELL, HOLD)
    orchestrator = Orchestrator(plate, modules=(MODULE,))
    orchestrator.initialise()
    orchestrator.compile(PIPELINE)
    run = orchestrator.run(folder / f"{name} out", workers=1, turn=Turn() if waits else None)
    runs.append(run)
    return run


def ask_by_who_is_killed(folder: Path, names: tuple[str, ...], runs: list[Run]) -> list[Run]:
    """Ask for runs, of which the first is held, in a process that is killed once it has."""
    asking = (
        "import sys, time; from pathlib import Path; from tests.core.test_waiting import ask\n"
        "for at, name in enumerate(sys.argv[2:]): ask(Path(sys.argv[1]), name, [], held=not at)\n"
        "print('asked', flush=True); time.sleep(600)"
    )
    program = subprocess.Popen([sys.executable, "-c", asking, str(folder), *names], stdout=subprocess.PIPE)
    assert program.stdout is not None
    assert program.stdout.readline() == b"asked\n"
    program.kill()
    program.wait()
    program.stdout.close()
    asked = [Run.attach(folder / f"{name} out") for name in names]
    runs += asked
    for run in asked:
        while not run.pid:
            assert not run.wait(0.02).state.has_ended
    return asked


def wait_for(run: Run, state: RunState, place: int | None = None) -> RunProgress:
    deadline = time.monotonic() + PATIENCE_S
    while (progress := run.poll()).state is not state or progress.place != place:
        assert time.monotonic() < deadline, progress
        assert not progress.state.has_ended, progress
        run.wait(0.02)
    return progress


def test_runs_go_on_one_after_the_other_whatever_happens_to_them(tmp_path: Path, home: Path, runs: list[Run]) -> None:
    """Who asked is killed, one is while it runs, one while it waits, one is cancelled: the last still has its turn.

    A cancelled one was never a run. Before its turn a runner has imported no science and started no process.
    """
    names = ("first", "killed", "cancelled", "last")
    first, killed, cancelled, last = ask_by_who_is_killed(tmp_path, names, runs)
    progress = wait_for(last, RunState.WAITING, place=3)
    assert (progress.plate, progress.pipeline, progress.total) == ("last", PIPELINE.name, 1)
    wait_for(first, RunState.RUNNING)
    assert [ticket.out for ticket in turns_here().look()] == [run.out for run in (first, killed, cancelled, last)]
    assert {run.out for run in find_runs(tmp_path / "no such folder")} == {run.out for run in runs}

    waiting = psutil.Process(last.pid)
    assert not [one.path for one in waiting.memory_maps() if "numpy" in one.path or "pydantic" in one.path]
    assert waiting.children() == []
    with pytest.raises(RunError, match="while the run waits for its turn"):
        last.cancel_well(WELL)
    assert (last.answers(10.0), last.workers()) == (True, ())

    os.kill(killed.pid, signal.SIGKILL)
    assert killed.wait(PATIENCE_S).state is RunState.FAILED
    wait_for(last, RunState.WAITING, place=2)
    cancelled.cancel()
    progress = cancelled.wait(PATIENCE_S)
    assert (progress.state, progress.message) == (RunState.CANCELLED, "cancelled before its turn came.")
    wait_for(last, RunState.WAITING, place=1)
    with pytest.raises(RunError):
        Run.attach(cancelled.out)

    os.kill(first.pid, signal.SIGKILL)
    progress = last.wait(PATIENCE_S)
    assert (progress.state, progress.finished, progress.waiting) == (RunState.FINISHED, 1, "")
    assert first.poll().state is RunState.FAILED
    psutil.wait_procs([process for run in runs for process in processes_of(run.pid)], timeout=PATIENCE_S)
    assert turns_here().look() == ()


def test_settings_and_places_are_looked_at_while_runs_wait(tmp_path: Path, home: Path, runs: list[Run]) -> None:
    """One that is put first is the next; as many go on as the settings come to say; wrong ones change nothing."""
    settings = home / "config" / "settings.yaml"
    settings.parent.mkdir(parents=True)
    settings.write_text("runs_at_once: 1\n")
    first = ask(tmp_path, "first", runs, held=True, waits=False)
    second, third = (ask(tmp_path, name, runs, held=True) for name in ("second", "third"))
    wait_for(second, RunState.WAITING, place=1)
    wait_for(third, RunState.WAITING, place=2)
    assert turns_here().put(third.run_id, 1) == 1
    settings.write_text("runs_at_once: many\n")
    deadline = time.monotonic() + PATIENCE_S
    while "expected" not in third.log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert third.poll().state is RunState.WAITING
    settings.write_text("runs_at_once: 2\n")
    wait_for(third, RunState.RUNNING)
    assert second.poll().state is RunState.WAITING
    third.cancel()
    wait_for(second, RunState.RUNNING)
    assert first.poll().state is RunState.RUNNING


def test_a_run_whose_ticket_is_gone_takes_another(tmp_path: Path, home: Path, runs: list[Run]) -> None:
    """Whoever clears the folder of tickets does not keep a run from its turn; SIGTERM ends one that waits."""
    first = ask(tmp_path, "first", runs, held=True)
    second = ask(tmp_path, "second", runs)
    wait_for(second, RunState.WAITING, place=1)
    wait_for(first, RunState.RUNNING)
    (ticket,) = (home / "state" / "turns").rglob("*.waits.*")
    ticket.unlink()
    deadline = time.monotonic() + PATIENCE_S
    while second.run_id not in {one.run_id for one in turns_here().look()}:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    (second.log.parent / "control.json").unlink()
    second.cancel()
    assert second.wait(PATIENCE_S).state is RunState.CANCELLED


def test_without_a_place_for_tickets_a_run_waits_for_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runs: list[Run]
) -> None:
    """One that is to wait is refused, and leaves no run behind; one that is not goes on as if nothing was."""
    monkeypatch.setenv(paths.HOME_VARIABLE, "/dev/null")
    with pytest.raises(StoreError, match="or run without waiting for a turn"):
        ask(tmp_path, "waits", runs)
    with pytest.raises(RunError):
        Run.attach(tmp_path / "waits out")
    run = ask(tmp_path, "runs", runs, held=True, waits=False)
    wait_for(run, RunState.RUNNING)
