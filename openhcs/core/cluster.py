"""The worker processes of a run, whosever they are: what `dispatch` asks of them.

There are two kinds, `embedded_cluster` of our own processes and `foreign_cluster` of those of a Dask scheduler that
somebody else started. Workers come and go in both. One has one well at a time, so one that dies takes down that well
and no other, and killing one cancels exactly that well.

Knows nothing of Dask, whose import takes 0.4 s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from openhcs.core.model import WellPlan
from openhcs.core.progress import Failure, WellDone

__all__ = ["ClusterEvents", "WellCluster", "Worker", "WorkerDied"]


class WorkerDied(Exception):
    """The worker process that had a well is gone.

    Args:
        by_itself: whether it left or crashed while nobody had killed it, which is what the function it was in did.
    """

    def __init__(self, message: str, *, by_itself: bool = False) -> None:
        super().__init__(message)
        self.by_itself = by_itself


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker process; another one, also in its place, is another worker."""

    address: str
    host: str
    pid: int


class ClusterEvents(Protocol):
    """Who is told of what happens in a cluster; called in the event loop."""

    def step_began(self, well: str, step: int, steps: int, name: str, where: str) -> None:
        """A worker begins a step (from 1) of a well, or the well itself (0); arguments as those of `worker.Report`."""

    def workers_changed(self) -> None:
        """A worker came or went."""

    def warn(self, message: str) -> None:
        """There is something the user should know."""


class WellCluster(Protocol):
    """Workers that take one well each."""

    @property
    def workers(self) -> Sequence[Worker]:
        """Those that can have a well now, whether or not they have one."""

    @property
    def trouble(self) -> str:
        """Why none of the workers that are there can be used; empty while some can, or there is none."""

    async def prepare_results(self, worker: Worker, out: Path, plate: str) -> Failure | None:
        """Make the OME-Zarr plate in the results folder; return why not, if so. Raises `WorkerDied`."""

    async def run_well(self, worker: Worker, plan: WellPlan, out: Path) -> WellDone | Failure:
        """Process a well on a worker.

        Raises:
            WorkerDied: the process is gone, killed by us or by the system, and nothing of it is left.
        """

    def kill(self, worker: Worker) -> None:
        """End a worker and what it has started, within 2 s; `run_well` then raises."""

    def give_up(self, worker: Worker) -> None:
        """Take back a well that the worker has not begun, which may have others' tasks to do first; as after `kill`."""

    def memory_bytes(self, worker: Worker) -> int:
        """The memory a worker's process has; 0 if that is not known."""
