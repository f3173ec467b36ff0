"""The command `openhcs cluster` as a shell sees it; slurm is played by `made_slurm`."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pexpect
import psutil
import pytest
from typer.testing import CliRunner

from openhcs.cli import app
from openhcs.core import paths
from tests.core.made_plates import write_plane
from tests.core.made_slurm import MadeSlurm, made_slurm

CLUSTER = (sys.executable, "-m", "openhcs", "cluster")
PATIENCE_S = 120.0


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current directory, and a home of its own."""
    monkeypatch.setenv(paths.HOME_VARIABLE, str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def slurm(tmp_path: Path) -> Iterator[MadeSlurm]:
    """Programs in slurm's place."""
    with made_slurm(tmp_path / "slurm") as made:
        yield made


class Cluster:
    """A cluster in the foreground of some terminal."""

    def __init__(self, process: subprocess.Popen[bytes], said: Path) -> None:
        self.process = process
        self._said = said

    @property
    def said(self) -> str:
        """All it has said so far."""
        return self._said.read_text()

    def wait_said(self, words: str) -> None:
        """Wait until it has said something."""
        self._wait(lambda: words in self.said)

    def end(self, number: signal.Signals) -> int:
        """Send a signal, and wait for the end; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)

    def _wait(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert self.process.poll() is None, self.said
            assert time.monotonic() < deadline, self.said
            time.sleep(0.05)


@contextmanager
def cluster(*arguments: str) -> Iterator[Cluster]:
    """Start `openhcs cluster` with arguments; killed at the end if it is still there."""
    said = Path("said.txt")
    with said.open("wb") as output:
        process = subprocess.Popen([*CLUSTER, *arguments], stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        yield Cluster(process, said)
    finally:
        process.kill()
        process.wait()


def says(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the command to its end, expecting an exit code."""
    done = subprocess.run([*CLUSTER, *arguments], capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_cluster_and_its_jobs(slurm: MadeSlurm, here: Path, number: signal.Signals) -> None:
    """Ctrl-C, a batch system's wish and a lost terminal cancel the jobs, also those that still wait, and say so."""
    (slurm.folder / "waiting").write_text("Priority")
    with cluster("slurm", "--workers", "2", "--interface", "lo", "--poll", "1", "--name", "lab") as lab:
        lab.wait_said("2 wanted, 0 ready, 2 pending (Priority)")
        assert (here / "lab.json").exists()
        assert lab.end(number) == 0
    assert [ending.stem for ending in sorted(slurm.folder.glob("*.ending"))] == ["1001", "1002"]
    assert "Ending 2 jobs (1001, 1002)." in lab.said
    assert lab.said.endswith("The cluster has ended.\n")
    assert not list(here.glob("lab.*.pem"))


def test_a_lost_terminal_leaves_no_jobs(slurm: MadeSlurm, here: Path) -> None:
    """When the connection breaks nothing can be told any more; the jobs are cancelled all the same."""
    (slurm.folder / "waiting").write_text("Priority")
    arguments = ["-m", "openhcs", "cluster", "slurm", "--workers", "1", "--interface", "lo", "--name", "lab"]
    terminal = pexpect.spawn(sys.executable, arguments, timeout=PATIENCE_S, encoding="utf-8")
    terminal.expect_exact("1 pending (Priority)")
    process = psutil.Process(terminal.pid)
    terminal.close(force=False)
    assert psutil.wait_procs([process], timeout=PATIENCE_S)[1] == []
    assert [ending.name for ending in slurm.folder.glob("*.ending")] == ["1001.ending"]
    assert "Ending 1 job (1001)." in (here / "lab.logs" / "scheduler.log").read_text()


def test_a_second_interrupt_does_not_wait_for_slurm(slurm: MadeSlurm) -> None:
    """While scancel hangs one can leave, and is told which jobs to look after."""
    (slurm.folder / "waiting").write_text("Priority")
    hanging = slurm.broken("scancel", "exec sleep 1000")
    with hanging, cluster("slurm", "--workers", "1", "--interface", "lo") as lab:
        lab.wait_said("1 pending (Priority)")
        lab.process.send_signal(signal.SIGINT)
        lab.wait_said("Ending 1 job (1001).")
        assert lab.end(signal.SIGINT) == 130
    assert "It is not known whether all have ended; see 1 job (1001)." in lab.said


def test_a_run_uses_the_workers_of_slurm_jobs(slurm: MadeSlurm, here: Path) -> None:
    """From `openhcs cluster slurm` to results: a run finds the workers by the scheduler file, and leaves them there."""
    plate = here / "small_Plate_1"
    for well in ("A01", "B02"):
        write_plane(plate, np.full((64, 64), 7), well=well, pixel_size_um=0.5)
    Path("project.yaml").write_text("name: project\nsteps: [{name: Project, functions: project_maximum}]\n")
    run = (sys.executable, "-m", "openhcs", "run", str(plate), "--pipeline", "project.yaml", "--json")
    with cluster("slurm", "--workers", "1", "--interface", "lo", "--poll", "1", "--name", "lab") as lab:
        lab.wait_said("1 wanted, 1 ready")
        done = subprocess.run(
            [*run, "--scheduler", "lab.json"], capture_output=True, text=True, check=False, timeout=PATIENCE_S
        )
        assert done.returncode == 0, done.stdout + done.stderr + lab.said
        assert {well["well"]: well["state"] for well in json.loads(done.stdout)["wells"]} == dict.fromkeys(
            ("A01", "B02"), "finished"
        )
        assert "0 ready, 1 starting" not in lab.said.partition("1 ready")[2]
        assert lab.end(signal.SIGINT) == 0
    assert psutil.wait_procs(slurm.processes(), timeout=PATIENCE_S)[1] == []


def test_what_sbatch_refuses_is_an_error_of_one_line(slurm: MadeSlurm) -> None:
    """The exit code is that of a wrong option, and slurm's own words are shown."""
    (slurm.folder / "refusal").write_text("sbatch: error: Batch job submission failed: Invalid account\n")
    said = says("slurm", "--workers", "1", "--account", "nobody", "--interface", "lo", code=2).stderr
    assert said.splitlines()[-1].endswith("It said: sbatch: error: Batch job submission failed: Invalid account")


def test_where_there_is_no_slurm_it_says_so(here: Path) -> None:
    """It is told at once, in one line, and nothing is left behind."""
    (line,) = says("slurm", "--workers", "1", "--interface", "lo", code=2).stderr.splitlines()
    assert line.startswith("error: squeue: it cannot be started (No such file or directory)")
    assert list(here.iterdir()) == []


def test_a_dry_run_prints_the_script_and_does_nothing(here: Path) -> None:
    """The script is on standard output as it would be submitted; no slurm is needed and no file written."""
    script = says("slurm", "--workers", "8", "--queue", "short", "--job-extra=--gres=gpu:1", "--dry-run").stdout
    assert script.startswith("#!/usr/bin/env bash\n")
    assert "#SBATCH -p short\n" in script
    assert "#SBATCH --gres=gpu:1\n" in script
    assert "tls://SCHEDULER:PORT" in script
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("slurm",), "expected either --workers N or --adapt MIN MAX"),
        (("slurm", "--workers", "1", "--adapt", "1", "2"), "expected either"),
        (("slurm", "--adapt", "3", "2"), "expected MIN of at least 0, and a MAX not below it"),
        (("slurm", "--workers", "1", "--memory", "plenty"), "--memory: 'plenty'"),
        (("local", "--memory", "4"), "expected a size of 100 MB or more"),
        (("local", "--name", "my cluster"), "--name: 'my cluster'"),
        (("local", "--file", "lab.txt"), "ends in .json"),
    ],
)
def test_what_cannot_be_used_is_an_error_of_one_line(arguments: tuple[str, ...], words: str) -> None:
    """A wrong option ends with exit code 2, and a message that says what was expected."""
    result = CliRunner().invoke(app, ["cluster", *arguments])
    assert result.exit_code == 2
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_without_the_extra_it_is_named() -> None:
    """Who has not installed dask-jobqueue is told how to."""
    program = "import sys; sys.modules['dask_jobqueue'] = None; from openhcs.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "cluster", "slurm", "--workers", "1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: cluster: dask-jobqueue is not installed; expected the extra slurm.")
    assert "pip install 'openhcs[slurm]'" in line


def test_the_help_does_not_load_dask() -> None:
    """`openhcs cluster slurm --help` answers at once."""
    shown = subprocess.run(
        [sys.executable, "-X", "importtime", *CLUSTER[1:], "slurm", "--help"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert "--partition" in shown.stdout
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in shown.stderr.splitlines()}
    assert not imported & {"dask", "dask_jobqueue", "distributed", "cryptography"}
