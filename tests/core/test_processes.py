"""Processes that workers start, found and ended."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from subprocess import Popen

import psutil
import pytest

from openhcs.core.processes import RUN_VARIABLE, end_run, end_worker_tree


@pytest.fixture
def started() -> Iterator[list[Popen[bytes]]]:
    """Processes that a test starts; whatever is left of them afterwards is ended."""
    processes: list[Popen[bytes]] = []
    yield processes
    for process in processes:
        process.kill()
        process.wait()


def sleep(mark: str, started: list[Popen[bytes]]) -> Popen[bytes]:
    """A program in a session of its own, as a daemon, whose environment holds the mark."""
    process = Popen(["sleep", "600"], env={**os.environ, RUN_VARIABLE: mark}, start_new_session=True)
    started.append(process)
    return process


def is_running(process: Popen[bytes]) -> bool:
    return process.poll() is None


def test_what_a_worker_started_is_ended_though_the_worker_is_gone(started: list[Popen[bytes]]) -> None:
    """Programs are found by the mark of their worker; those of other workers and runs go on."""
    run_id = uuid.uuid4().hex
    with Popen([sys.executable, "-c", ""]) as worker:
        worker.wait()
    ours, others, stranger = (
        sleep(f"{run}/{pid}", started) for run, pid in ((run_id, worker.pid), (run_id, 1), (f"{run_id}0", worker.pid))
    )
    end_worker_tree(run_id, worker.pid)
    ours.wait(10)
    assert is_running(others)
    assert is_running(stranger)
    end_run(run_id, worker.pid)
    others.wait(10)
    assert is_running(stranger)


def test_a_worker_is_ended_with_its_children(started: list[Popen[bytes]]) -> None:
    """Children without a mark, and copies in the worker's process group, end with it."""
    code = "import os, subprocess; subprocess.Popen(['sleep', '600'], env={}); os.fork(); print(flush=True); input()"
    worker = Popen(
        [sys.executable, "-W", "ignore", "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    started.append(worker)
    assert worker.stdout is not None
    assert worker.stdin is not None
    for _ in range(2):
        worker.stdout.readline()
    tree = [psutil.Process(worker.pid), *psutil.Process(worker.pid).children(recursive=True)]
    assert len(tree) == 3
    end_worker_tree(uuid.uuid4().hex, worker.pid)
    worker.wait(10)
    assert psutil.wait_procs(tree, timeout=10)[1] == []
    worker.stdout.close()
    worker.stdin.close()


@pytest.mark.parametrize("pid", [0, 1])
def test_the_systems_own_processes_are_never_meant(pid: int) -> None:
    """In a container they have the session 0, as a mistake would."""
    with pytest.raises(ValueError, match="expected one that was started"):
        end_worker_tree("run", pid)
    with pytest.raises(ValueError, match="expected one that was started"):
        end_run("run", pid)
