"""What runs in a worker process, as Dask tasks. Outcomes are plain values: no error crosses a process as itself.

The runner names these functions without importing what they need (ngio alone 1.5 s): they import it when they run, and
by then the worker's parent, the fork server, has it already.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import dask
from distributed import get_worker

from openhcs.core.model import WellPlan
from openhcs.core.progress import Failure
from openhcs.core.results import ResultsFolder
from openhcs.errors import StoreError

__all__ = ["STEPS_TOPIC", "WellDone", "prepare_results", "run_well"]

STEPS_TOPIC = "openhcs-steps"
"""The Dask topic on which workers report the steps they begin: (well, step, steps, name)."""


@dataclass(frozen=True, slots=True)
class WellDone:
    """A well whose results are in place, and how many objects it has by label image."""

    objects: dict[str, int]


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


def run_well(plan: WellPlan, out: Path) -> WellDone | Failure:
    """Process one well and report its steps."""
    from openhcs.core.worker import failure_of, process_well

    worker = get_worker()

    def report(step: int, steps: int, name: str) -> None:
        worker.log_event(STEPS_TOPIC, (plan.well, step, steps, name))

    # ngio computes with dask; within a task that would go to the cluster, and this worker would take on other wells.
    with dask.config.set(scheduler="synchronous"):
        try:
            return WellDone(dict(process_well(plan, out, report).objects))
        except Exception as error:  # the boundary of a well: whatever went wrong is that well's failure
            return failure_of(error)
