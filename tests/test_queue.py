"""Runs that wait for their turn, from the command line: asked for, listed, moved, attached to and cancelled."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from openhcs.cli import app
from openhcs.core import paths
from openhcs.core.demo_plate import make_demo_plate
from openhcs.core.orchestrator import Run
from openhcs.core.pipeline_file import save_pipeline
from openhcs.core.progress import RunState, WellState
from openhcs.core.turns import turns_here
from tests.core.held_runs import HOLD, MODULE, PIPELINE, fill

PATIENCE_S = 120.0
NAMES = ("first", "second", "third")


@pytest.fixture
def plates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Path]]:
    """Plates of one small well that ends only when it is cancelled, and a home; whatever runs afterwards is ended."""
    monkeypatch.setenv(paths.HOME_VARIABLE, str(tmp_path / "home"))
    monkeypatch.setenv("OPENHCS_FUNCTION_MODULES", MODULE)
    monkeypatch.delenv(paths.SETTINGS_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    save_pipeline(PIPELINE, Path("held.yaml"))
    folders = [make_demo_plate(Path(name), wells=("B02",), sites=1, z_steps=1, size_px=128).folder for name in NAMES]
    for folder in folders:
        fill(folder, "B02", HOLD)
    yield folders
    for ticket in reversed(turns_here().look()):
        run = Run.attach(ticket.out)
        run.cancel()
        run.wait(PATIENCE_S)


def says(*arguments: str, code: int = 0) -> Result:
    said = CliRunner().invoke(app, arguments)
    assert said.exit_code == code, said.output
    return said


def ask(folder: Path, *options: str) -> Result:
    return says("run", str(folder), "-p", "held.yaml", "--out", f"{folder.name} out", "--workers", "1", *options)


def test_runs_are_queued_listed_moved_and_cancelled(plates: list[Path]) -> None:
    """`runs` lists those that wait in order, `move` changes it, a bare `attach` follows the one that goes on."""
    assert "goes on by itself" in ask(plates[0], "--queue", "--detach").stderr
    assert "waits for its turn" in ask(plates[1], "--queue", "--detach").stderr
    third = json.loads(ask(plates[2], "--queue", "--detach", "--json").stdout)
    assert (third["state"], third["total"]) == ("waiting", 1)
    runs = {name: Run.attach(Path(f"{name} out")) for name in NAMES}
    while runs["third"].poll().place != 2 or not runs["first"].poll().counts[WellState.RUNNING]:
        runs["third"].wait(0.05)

    assert says("move", "third out").stderr == "It is number 1 of those that wait.\n"
    while runs["second"].poll().place != 2 or runs["third"].poll().place != 1:
        runs["second"].wait(0.05)
    listed = json.loads(says("runs", "--json").stdout)["runs"]
    assert [(run["plate"], run["state"], run["place"]) for run in listed] == [
        ("first", "running", None),
        ("third", "waiting", 1),
        ("second", "waiting", 2),
    ]
    assert "waiting (2nd)  second with hold or fail: 0 of 1 wells done, 0 failed\n" in says("runs").stdout
    assert "first out does not wait for its turn" in says("move", "first out", "2", code=2).stderr

    attached = [sys.executable, "-m", "openhcs", "attach"]
    watcher = subprocess.Popen([*attached, "second out"], stderr=subprocess.PIPE, text=True)
    assert watcher.stderr is not None
    assert watcher.stderr.readline().startswith("Following the run in")
    assert watcher.stderr.readline() == "waiting for its turn (2nd): 1 well\n"
    watcher.terminate()
    assert "The run goes on." in watcher.communicate(timeout=PATIENCE_S)[1]
    watcher = subprocess.Popen(attached, stderr=subprocess.PIPE, text=True)
    assert watcher.stderr is not None
    assert watcher.stderr.readline().startswith("Following the run in")
    assert re.fullmatch(r"\d workers?:\n", watcher.stderr.readline())
    assert re.match(r"  B02 for .* s, \d+ MiB; process \d+ on ", watcher.stderr.readline())
    watcher.terminate()
    watcher.communicate(timeout=PATIENCE_S)

    assert says("cancel", "third out").stderr == "The run is cancelled.\n"
    assert [run["plate"] for run in json.loads(says("runs", "--json").stdout)["runs"]] == ["first", "second"]
    assert says("cancel", "first out").stderr == "The run is cancelled.\n"
    while runs["second"].poll().state is not RunState.RUNNING:
        assert not runs["second"].wait(0.05).state.has_ended
