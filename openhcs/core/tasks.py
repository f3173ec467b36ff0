"""What runs in a worker process, called by Dask. Outcomes are plain values: no error crosses a process as itself.

The runner names these functions without importing what they need (ngio alone 1.5 s): they import it when they run, and
by then the worker's parent, the fork server, has it already.
"""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dask
from distributed import Nanny, Worker, get_worker

from openhcs.core.model import WellPlan
from openhcs.core.processes import end_worker_tree, mark_worker
from openhcs.core.progress import Failure, WellDone
from openhcs.core.results import ResultsFolder
from openhcs.core.surroundings import Surroundings
from openhcs.errors import OpenHCSError, StoreError

__all__ = [
    "WellTask",
    "WorkerFacts",
    "end_worker",
    "look_around",
    "prepare_results",
    "prepare_results_in_thread",
    "run_well",
    "run_well_in_thread",
]

_UNWANTED_WITHIN_S = 1.0
_SHOWS_WITHIN_S = 5.0
_LOOK_AGAIN_S = 0.25


@dataclass(frozen=True, slots=True)
class WellTask:
    """A well for a worker.

    Args:
        run_id: marks what the worker starts.
        pid: the process that is to do it and no other, such as one that has come in its place.
        topic: the Dask topic on which the worker tells the steps it begins, as (well, step, steps, name).
        is_ours: whether the worker is an embedded one, which ends with its runner and may be changed by us.
    """

    plan: WellPlan
    out: Path
    run_id: str
    pid: int
    topic: str
    is_ours: bool


@dataclass(frozen=True, slots=True)
class WorkerFacts:
    """A worker by itself: where it runs, and why it cannot have wells, if so."""

    host: str
    pid: int
    trouble: str | None


def prepare_results(out: Path, plate: str) -> Failure | None:
    """Make the OME-Zarr plate in the results folder; return why not, if so."""
    from openhcs.core.store import create_plate
    from openhcs.core.worker import failure_of

    with dask.config.set(scheduler="synchronous"):
        try:
            create_plate(ResultsFolder(out), plate)
        except StoreError as error:
            return failure_of(error)
    return None


async def prepare_results_in_thread(out: Path, plate: str) -> Failure | None:
    """As `prepare_results`; meanwhile the worker answers others."""
    return await asyncio.to_thread(prepare_results, out, plate)


def run_well(task: WellTask) -> WellDone | Failure | None:
    """Process one well as a Dask task and report its steps; None if this is not the process that was meant."""
    return _run_well(task, get_worker())


async def run_well_in_thread(task: WellTask, dask_worker: Worker) -> WellDone | Failure | None:
    """As `run_well`, outside of Dask's tasks; meanwhile the worker answers others."""
    return await asyncio.to_thread(_run_well, task, dask_worker)


def _run_well(task: WellTask, worker: Worker) -> WellDone | Failure | None:
    if os.getpid() != task.pid:
        return None
    from openhcs.core.worker import failure_of, process_well

    plan = task.plan
    if task.is_ours and os.getpgrp() != os.getpid():
        os.setpgid(0, 0)  # what a function copies of this process ends with it
    mark_worker(task.run_id)

    def report(step: int, steps: int, name: str, where: str) -> None:
        worker.log_event(task.topic, (plan.well, step, steps, name, where))

    if not task.is_ours:
        report(0, 0, "", "")  # it may have waited for others' tasks
    # ngio computes with dask; within a task that would go to the cluster, and this worker would take on other wells.
    with dask.config.set(scheduler="synchronous"), _only_while_wanted(worker, task):
        try:
            return WellDone(dict(process_well(plan, task.out, report).objects))
        except Exception as error:  # the boundary of a well: whatever went wrong is that well's failure
            return failure_of(error)


def look_around(expected: Surroundings) -> WorkerFacts:
    """Whether this worker sees what the runner sees, and can do what wells need."""
    trouble = _trouble_with_plate(expected) or _trouble_with_results(expected) or _trouble_with_modules(expected)
    return WorkerFacts(socket.gethostname(), os.getpid(), trouble)


def end_worker(run_id: str, pid: int, dask_worker: Nanny | Worker) -> None:
    """End the worker process `pid` and what it has started; called in its nanny, or in itself where it has none.

    With the pid 0 nothing is ended, and the next call is quick.
    """
    if isinstance(dask_worker, Nanny):
        if pid and dask_worker.pid == pid:
            end_worker_tree(run_id, pid)
    elif pid == os.getpid():
        end_worker_tree(run_id, pid)


@contextmanager
def _only_while_wanted(worker: Worker, task: WellTask) -> Iterator[None]:
    """End this process if the task is given up meanwhile, which Dask itself cannot.

    So a well whose runner was killed is not written any more, next to the one who tries it again.
    """
    if task.is_ours:  # ends with the runner
        yield
        return
    key, done = worker.get_current_task(), threading.Event()

    def watch() -> None:
        while not done.wait(_UNWANTED_WITHIN_S):
            state = worker.state.tasks.get(key)
            if not done.is_set() and (state is None or state.state == "cancelled"):
                end_worker_tree(task.run_id, task.pid)

    threading.Thread(target=watch, name="is the well wanted", daemon=True).start()
    try:
        yield
    finally:
        done.set()


def _trouble_with_plate(expected: Surroundings) -> str | None:
    if not expected.root.is_dir():
        return f"it does not see the plate's folder {expected.root}"
    if expected.plane is None:
        return None
    path, size = expected.plane
    try:
        with path.open("rb") as file:
            file.read(1)
        if path.stat().st_size == size:
            return None
    except OSError as error:
        return f"it cannot read the plate's file {path} ({error.strerror})"
    return f"what it sees at {path} is another file"


def _trouble_with_results(expected: Surroundings) -> str | None:
    path, content = expected.token
    deadline = time.monotonic() + _SHOWS_WITHIN_S
    while True:  # a network file system may show a new file a moment later
        try:
            if path.read_bytes() == content:
                break
            found = "is another file there"
        except OSError as error:
            found = f"cannot be read there ({error.strerror})"
        if time.monotonic() >= deadline:
            return f"it does not see the results folder {expected.out}: {path} {found}"
        time.sleep(_LOOK_AGAIN_S)
    folder = ResultsFolder(expected.out)
    try:
        folder.temporary.mkdir(exist_ok=True)
        with tempfile.TemporaryFile(dir=folder.temporary) as file:
            file.write(b"\0")
    except OSError as error:
        return f"it cannot write into the results folder {expected.out} ({error.strerror})"
    return None


def _trouble_with_modules(expected: Surroundings) -> str | None:
    from openhcs.core.compiler import source_digest
    from openhcs.core.functions import catalogue

    try:
        catalogue(tuple(name for name, _ in expected.modules))
        other = [name for name, digest in expected.modules if source_digest(name) != digest]
    except OpenHCSError as error:
        return str(error)
    return f"its module {other[0]} is not the one of this machine" if other else None
