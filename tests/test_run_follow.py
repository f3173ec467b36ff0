"""Runs followed from the command line: terminals that are lost, runners that do not answer, runs found again."""

from __future__ import annotations

import json
import os
import shlex
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from openhcs.core import paths
from openhcs.core.demo_plate import make_demo_plate
from openhcs.core.orchestrator import Run
from openhcs.core.progress import RunState

OPENHCS = (sys.executable, "-m", "openhcs")
PATIENCE_S = 120.0


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own for each test, which is the current directory as well."""
    monkeypatch.setenv(paths.HOME_VARIABLE, str(tmp_path / "home"))
    monkeypatch.delenv(paths.SETTINGS_VARIABLE, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def plate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo plate of two small wells."""
    folder = tmp_path_factory.mktemp("plates") / "two-wells"
    return make_demo_plate(folder, wells=("B02", "C03"), sites=2, z_steps=1, size_px=128).folder


@pytest.fixture
def command(plate: Path) -> Iterator[list[str]]:
    """The run that most tests follow; whatever is left of it afterwards is ended."""
    yield ["run", str(plate), "--pipeline", "nuclei", "--out", "out"]
    if Path("out").exists():
        run = Run.attach(Path("out"))
        run.cancel()
        run.wait(PATIENCE_S)


def in_terminal(*arguments: str) -> pexpect.spawn[str]:
    """Start the program in a terminal of its own."""
    return pexpect.spawn(
        OPENHCS[0], [*OPENHCS[1:], *arguments], dimensions=(24, 100), encoding="utf-8", timeout=PATIENCE_S
    )


def says(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the program to its end, expecting an exit code."""
    done = subprocess.run(
        [*OPENHCS, *arguments], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=300
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def exit_code_of(child: pexpect.spawn[str]) -> int:
    """Wait for a program whose terminal is gone, as pexpect itself would not."""
    _, status = os.waitpid(child.pid, 0)
    child.closed = child.ptyproc.closed = child.terminated = child.ptyproc.terminated = True
    return os.waitstatus_to_exitcode(status)


@pytest.mark.terminal
def test_a_terminal_that_is_lost_does_not_end_the_run(command: list[str]) -> None:
    """The window is closed, or SSH breaks: the command ends with the code of SIGHUP, the run goes on, its log tells."""
    child = in_terminal(*command)
    child.expect_exact("0/2 wells")
    child.ptyproc.fileobj.close()
    assert exit_code_of(child) == 128 + signal.SIGHUP
    run = Run.attach(Path("out"))
    assert run.wait(PATIENCE_S).state is RunState.FINISHED
    assert run.progress.finished == 2
    assert f"the terminal of process {child.pid}, which followed the run, was lost" in run.log.read_text()


@pytest.mark.terminal
def test_ctrl_c_cancels_and_a_second_one_leaves_at_once(command: list[str]) -> None:
    """Also a runner that cannot answer does not keep whoever presses Ctrl-C twice."""
    child = in_terminal(*command)
    child.expect_exact("0/2 wells")
    run = Run.attach(Path("out"))
    assert not run.poll().state.has_ended
    os.kill(run.pid, signal.SIGSTOP)
    child.sendintr()
    child.expect_exact("Cancelling")
    child.sendintr()
    began = time.monotonic()
    child.expect_exact("Run cancelled")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 128 + signal.SIGINT
    assert time.monotonic() - began < 20


def test_under_nohup_the_terminal_is_nothing_to_wait_for(command: list[str]) -> None:
    """Where SIGHUP is ignored it stays ignored: the command follows its run to the end."""
    ignoring = ["sh", "-c", f"trap '' HUP; exec {shlex.join([*OPENHCS, *command])}"]
    started = subprocess.Popen(ignoring, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert started.stderr is not None
    assert "2 wells" in started.stderr.readline()
    started.send_signal(signal.SIGHUP)
    printed, told = started.communicate(timeout=PATIENCE_S)
    assert started.returncode == 0, told
    assert "2 of 2 wells finished" in printed


def test_a_detached_run_is_found_followed_and_its_own(command: list[str], plate: Path) -> None:
    """`--detach` returns; `runs` and a bare `attach` find the run; nobody else may write what belongs to it.

    Afterwards there is nothing to run again, and wells to try are those that are done, of which `--quiet` says nothing.
    """
    shell = f"umask 0; exec {shlex.join([*OPENHCS, *command, '--detach', '--json'])}"
    detached = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=True, timeout=PATIENCE_S)
    assert "openhcs attach" in detached.stderr
    assert json.loads(detached.stdout)["state"] in ("running", "finished")
    run = Run.attach(Path("out"))
    os.kill(run.poll() and run.pid, signal.SIGSTOP)
    try:
        _assert_nobody_else_may_write(run)
        (listed,) = json.loads(says("runs", "--json").stdout)["runs"]
        assert (listed["results"], listed["live"], listed["answers"]) == (str(Path("out").absolute()), True, False)
        assert "running, does not answer  two-wells with nuclei: " in says("runs").stdout
        watcher = in_terminal("attach")
        watcher.expect_exact("does not answer")
        watcher.sendintr()
        watcher.expect_exact("The run goes on.")
        watcher.expect(pexpect.EOF)
        watcher.close()
        assert watcher.exitstatus == 128 + signal.SIGINT
    finally:
        os.kill(run.pid, signal.SIGCONT)
    assert "2 of 2 wells finished" in says("attach").stdout
    assert "finished  two-wells with nuclei: 2 of 2 wells done, 0 failed" in says("runs").stdout

    again = says(*command, "--failed", "--json")
    assert "Nothing to run again" in again.stderr
    assert json.loads(again.stdout)["finished"] == 2
    tried = json.loads(says(*command, "--try", "1", "--json").stdout)
    assert [(well["well"], well["state"]) for well in tried["wells"]] == [("B02", "reused")]
    quiet = says(*command, "--try", "1", "--quiet")
    assert (quiet.stdout, quiet.stderr) == ("", "")
    assert "holds results of all sites; expected sites 2" in says(*command, "--sites", "2", code=2).stderr


def _assert_nobody_else_may_write(run: Run) -> None:
    """Of a live run that was started under umask 0."""
    folder = run.log.parent
    socket = Path(json.loads((folder / "control.json").read_text())["socket"])
    for path in (folder, *folder.iterdir()):
        assert not path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH), path
    assert stat.S_IMODE(socket.stat().st_mode) == stat.S_IRUSR | stat.S_IWUSR
    assert stat.S_IMODE(socket.parent.stat().st_mode) == stat.S_IRWXU


def test_without_a_run_attach_says_where_it_looked() -> None:
    """A bare `attach` that finds nothing names what it expected; `runs` says that there is none."""
    assert "attach: no run is known" in says("attach", code=2).stderr
    assert "No run is known" in says("runs").stdout
    assert json.loads(says("runs", "--json").stdout)["runs"] == []
