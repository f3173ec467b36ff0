"""A slurm of one machine for tests: sbatch, squeue and scancel that run job scripts as real processes.

They keep everything in one folder, where a test can also say what is to go wrong: the file `refusal` is what sbatch
refuses with, `waiting` the reason for which jobs do not start.
"""

from __future__ import annotations

import os
import signal
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

PROGRAM = """#!{python} -IS
import json, os, pathlib, re, signal, subprocess, sys
slurm = pathlib.Path({folder!r})

def is_alive(pid):
    try:
        return pathlib.Path(f"/proc/{{pid}}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False

"""

SBATCH = """
script = sys.stdin.read()
if (refusal := slurm / "refusal").exists():
    sys.exit(refusal.read_text())
number = len(list(slurm.glob("*.script"))) + 1001
(slurm / f"{number}.script").write_text(script)
if not (slurm / "waiting").exists():
    log = re.search(r"^#SBATCH --output=(.+)$", script, re.M)[1].replace("%j", str(number))
    with open(log, "wb") as output:
        job = subprocess.Popen(["bash", "-c", script], stdout=output, stderr=output, stdin=subprocess.DEVNULL,
                               start_new_session=True)
    (slurm / f"{number}.pid").write_text(str(job.pid))
print(number)
"""

SQUEUE = """
for script in sorted(slurm.glob("*.script")):
    number = script.stem
    if (ending := slurm / f"{number}.ending").exists():
        print(number, ending.read_text(), "None")
    elif not (pid := slurm / f"{number}.pid").exists():
        print(number, "PENDING", (slurm / "waiting").read_text())
    elif is_alive(int(pid.read_text())):
        print(number, "RUNNING", "None")
    else:
        print(number, "FAILED", "NonZeroExitCode")
"""

SCANCEL = """
for number in sys.argv[1:]:
    if number.isdigit() and not (slurm / f"{number}.ending").exists():
        (slurm / f"{number}.ending").write_text("CANCELLED")
        try:
            os.killpg(int((slurm / f"{number}.pid").read_text()), signal.SIGTERM)
        except OSError:
            pass
"""


class MadeSlurm:
    """The fake slurm in a folder; its programs are in `programs`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.programs = folder / "bin"
        self.programs.mkdir(parents=True)
        head = PROGRAM.format(python=sys.executable, folder=str(folder))
        for name, body in (("sbatch", SBATCH), ("squeue", SQUEUE), ("scancel", SCANCEL)):
            self._write(name, head + body)

    @contextmanager
    def broken(self, name: str, script: str) -> Iterator[None]:
        """Put a script in the place of a program, as long as the block takes."""
        works = (self.programs / name).read_text()
        self._write(name, f"#!/bin/sh\n{script}\n")
        try:
            yield
        finally:
            self._write(name, works)

    def _write(self, name: str, text: str) -> None:
        # Moved into place: a program that is being written cannot be started.
        new = self.folder / f"{name}.new"
        new.write_text(text)
        new.chmod(new.stat().st_mode | stat.S_IXUSR)
        new.replace(self.programs / name)

    @property
    def jobs(self) -> list[str]:
        """The ids of all jobs that were ever submitted."""
        return sorted(script.stem for script in self.folder.glob("*.script"))

    def script(self, job: str) -> str:
        """What was submitted."""
        return (self.folder / f"{job}.script").read_text()

    def end(self, job: str, state: str) -> None:
        """Kill a job, as slurm does for the reason `state`."""
        (self.folder / f"{job}.ending").write_text(state)
        os.killpg(int((self.folder / f"{job}.pid").read_text()), signal.SIGKILL)

    def processes(self) -> list[psutil.Process]:
        """What is alive of all jobs."""
        groups = {int(pid.read_text()) for pid in self.folder.glob("*.pid")}
        alive = []
        for process in psutil.process_iter():
            with suppress(ProcessLookupError, psutil.Error):
                if os.getpgid(process.pid) in groups and process.status() != psutil.STATUS_ZOMBIE:
                    alive.append(process)
        return alive


@contextmanager
def made_slurm(folder: Path) -> Iterator[MadeSlurm]:
    """A fake slurm first on the search path of this process and its children; nothing of its jobs is left."""
    slurm = MadeSlurm(folder)
    path = os.environ["PATH"]
    os.environ["PATH"] = f"{slurm.programs}{os.pathsep}{path}"
    try:
        yield slurm
    finally:
        os.environ["PATH"] = path
        for process in slurm.processes():
            with suppress(psutil.Error):
                process.kill()
