"""Runs whose wells wait, fail or start programs on purpose, and looking into them while they go on."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import tifffile

from openhcs.core.model import Component, FunctionCall, Pipeline, Step
from openhcs.core.orchestrator import Run
from openhcs.core.progress import RunProgress, RunState, WellState
from openhcs.core.worker_status import WorkerStatus
from openhcs.errors import RunError

MODULE = "tests.core.misbehaving"
HOLD, FAIL = 7, 9

PIPELINE = Pipeline(
    "hold or fail",
    (
        Step("Hold or fail", (FunctionCall("hold_or_fail"),), (Component.Z,)),
        Step("Project", (FunctionCall("project_maximum"),), (Component.Z,)),
        Step("Find", {"1": (FunctionCall("segment_threshold_watershed"),)}, (Component.Z,), output="nuclei"),
        Step("Count", {"1": (FunctionCall("count_objects", {"labels": "nuclei"}),)}, (Component.Z,), output="counts"),
    ),
)

CALL = Pipeline("call", (Step("Call", (FunctionCall("wait_for_program"),), (Component.Z,)),))


def images_of(plate: Path, well: str) -> list[Path]:
    images = sorted(path for path in plate.rglob("*") if f"_{well}_" in path.name)
    assert images, f"no images of {well}"
    return images


def fill(plate: Path, well: str, value: int) -> None:
    for path in images_of(plate, well):
        tifffile.imwrite(path, np.full((128, 128), value, np.uint16))


def processes_of(session: int) -> list[psutil.Process]:
    """Every living process of a runner's session, itself included."""
    assert session > 1, "of a run that has not been polled; the system's own processes have the session 0"
    found = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return found


def wait_until(run: Run, condition: Callable[[RunProgress], bool]) -> RunProgress:
    """Follow a run until something is true of it, at most 120 s."""
    for _ in range(1200):
        progress = run.wait(timeout_s=0.1)
        if condition(progress):
            return progress
        assert not progress.state.has_ended, progress
    raise AssertionError(progress)


def states(progress: RunProgress) -> dict[str, WellState]:
    return {name: well.state for name, well in progress.wells.items()}


def _workers(run: Run) -> tuple[WorkerStatus, ...]:
    try:
        return run.workers()
    except RunError:  # a busy machine takes long to import what the runner needs before it answers
        return ()


def program_of(run: Run, well: str) -> list[psutil.Process]:
    """The worker that has a well of `CALL`, and the program that it started."""
    for _ in range(1200):
        for worker in _workers(run) if run.wait(0.1).state is RunState.RUNNING else ():
            children = psutil.Process(worker.pid).children() if worker.well == well else []
            programs = [child for child in children if child.name() == "sleep"]
            if programs:
                return [psutil.Process(worker.pid), *programs]
    raise AssertionError(run.progress)
