"""The processes of a run, however they came to be: found by a mark in their environment, and ended.

A function of the user's may start programs, and these programs others. They inherit the environment, in which the
runner and each worker leave their mark, so they are found also when the process that started them is gone. Copies of a
process that start no program (`os.fork`) share its environment as it was, but also its process group.

Checked by tests/core/test_processes.py.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress

import psutil

__all__ = ["RUN_VARIABLE", "end_run", "end_worker_tree", "mark_worker"]

RUN_VARIABLE = "OPENHCS_RUN"
"""Holds the id of the run; in what a worker starts `<id>/<pid of the worker>`."""

_ROUNDS = 20
_GONE_WITHIN_S = 0.1


def mark_worker(run_id: str) -> None:
    """Mark what this process, a worker, will start."""
    os.environ[RUN_VARIABLE] = f"{run_id}/{os.getpid()}"


def end_worker_tree(run_id: str, pid: int) -> None:
    """Kill a worker, dead or alive, and what it has started; return when nothing of it is left that can be killed.

    A worker may call it for itself, at last.
    """
    _expect_id(pid)
    mark, itself = f"{run_id}/{pid}", pid == os.getpid()
    with suppress(psutil.Error):
        worker = psutil.Process(pid)
        if itself:
            _kill(iter(worker.children(recursive=True)))
        elif _mark_of(worker) == run_id or worker.ppid() == os.getpid():  # not another one with its number
            worker.suspend()  # it is to start nothing while its children are looked for
            _kill(iter([*worker.children(recursive=True), worker]))
    _kill_all(lambda process: _mark_of(process) == mark or _group_of(process) == pid)
    if itself:
        os.kill(pid, signal.SIGKILL)


def end_run(run_id: str, runner: int) -> None:
    """Kill what is left of a run whose runner, the leader of the session `runner`, is gone or about to go."""
    _expect_id(runner)

    def is_of_run(process: psutil.Process) -> bool:
        mark = _mark_of(process)
        return mark == run_id or mark.startswith(f"{run_id}/") or _session_of(process) == runner

    _kill_all(is_of_run)


def _kill_all(chosen: Callable[[psutil.Process], bool]) -> None:
    """Kill the chosen ones until there are none: while one looks, they may start others."""
    for _ in range(_ROUNDS):
        killed = _kill(process for process in psutil.process_iter() if process.pid != os.getpid() and chosen(process))
        if not killed:
            return
        psutil.wait_procs(killed, timeout=_GONE_WITHIN_S)


def _kill(processes: Iterator[psutil.Process]) -> list[psutil.Process]:
    """Kill processes; return those that there were."""
    killed = []
    for process in processes:
        with suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE:
                process.kill()
                killed.append(process)
    return killed


def _mark_of(process: psutil.Process) -> str:
    try:
        return process.environ().get(RUN_VARIABLE, "")
    except (psutil.Error, OSError):  # somebody else's, or gone
        return ""


def _expect_id(pid: int) -> None:
    """Refuse what is no user's process: in a container the system's own have the session and the group 0."""
    if pid <= 1:
        raise ValueError(f"process {pid}; expected one that was started for a run.")


def _group_of(process: psutil.Process) -> int | None:
    try:
        return os.getpgid(process.pid)
    except OSError:
        return None


def _session_of(process: psutil.Process) -> int | None:
    try:
        return os.getsid(process.pid)
    except OSError:
        return None
