"""Wells as Dask tasks, each on the one worker it is meant for, among the tasks of others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

from distributed import Client
from distributed.client import FutureCancelledError
from distributed.scheduler import KilledWorker

from openhcs.core.cluster import ClusterEvents, Worker
from openhcs.core.model import WellPlan
from openhcs.core.progress import Failure, WellDone
from openhcs.core.tasks import WellTask, run_well
from openhcs.core.worker_answers import Answers, WorkerLost, outcome_of

__all__ = ["WellTasks"]

Result = TypeVar("Result")


class WellTasks:
    """Calls functions on workers, by address.

    Dask would wait for ever for a worker that does not come back, so whoever watches the workers says that one is lost.

    Args:
        run_id: sets what is sent apart from what others send to the same scheduler.
    """

    def __init__(self, client: Client, run_id: str, events: ClusterEvents) -> None:
        self._client = client
        self._run_id = run_id
        self._topic = f"openhcs-{run_id}"
        self._answers = Answers()
        client.subscribe_topic(self._topic, lambda event: events.step_began(*event[1]))

    async def run_well(self, worker: Worker, plan: WellPlan, out: Path) -> WellDone | Failure:
        """Process a well on a worker; raises `WorkerLost`."""
        task = WellTask(plan, out, self._run_id, worker.pid, self._topic, is_ours=False)
        return await outcome_of(self.call(worker.address, run_well, task))

    async def call(self, address: str, function: Callable[..., Result], *arguments: object) -> Result:
        """What a function returns on the worker at an address, or raises there.

        Raises:
            WorkerLost: the worker went, or the scheduler did.
        """
        return await self._answers.wait_for(address, self._submit(address, function, arguments))

    def lose(self, address: str) -> None:
        """Say that the worker at an address is gone: nothing is waited for there."""
        self._answers.lose(address)

    async def _submit(self, address: str, function: Callable[..., Result], arguments: tuple[object, ...]) -> Result:
        future = self._client.submit(
            function,
            *arguments,
            key=f"openhcs-{function.__name__}-{uuid4().hex}",
            workers=[address],
            allow_other_workers=False,
            retries=0,
            pure=False,
        )
        try:
            result: Result = await future.result()
        except (KilledWorker, FutureCancelledError) as error:
            raise WorkerLost from error
        finally:
            future.release()
        return result
