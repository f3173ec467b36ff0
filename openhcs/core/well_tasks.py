"""Wells sent to the one worker each is meant for: what both kinds of cluster have in common.

Workers of others have other tasks as well, and get a well as one more. Our own have nothing but our wells, and which
worker has which is decided in `dispatch`: they are called outside of Dask's tasks, which takes a third of the
processor time of a task and a third of its messages.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from distributed import Client
from distributed.client import FutureCancelledError
from distributed.scheduler import KilledWorker

from openhcs.core.cluster import ClusterEvents, Worker
from openhcs.core.model import WellPlan
from openhcs.core.progress import Failure, WellDone
from openhcs.core.tasks import WellTask, run_well, run_well_in_thread

__all__ = ["WellTasks", "WorkerLost"]

Result = TypeVar("Result")


class WorkerLost(Exception):
    """The worker went before it had answered."""


class WellTasks:
    """Calls functions on workers, by address.

    Dask would wait for ever for a worker that does not come back, so whoever watches the workers says that one is lost.

    Args:
        run_id: sets what is sent apart from what others send to the same scheduler.
        are_ours: whether the workers are embedded ones.
    """

    def __init__(self, client: Client, run_id: str, events: ClusterEvents, *, are_ours: bool) -> None:
        self._client = client
        self._run_id = run_id
        self._topic = f"openhcs-{run_id}"
        self._are_ours = are_ours
        self._lost: dict[str, asyncio.Future[None]] = {}
        client.subscribe_topic(self._topic, lambda event: events.step_began(*event[1]))

    async def run_well(self, worker: Worker, plan: WellPlan, out: Path) -> WellDone | Failure:
        """Process a well on a worker; raises `WorkerLost`."""
        task = WellTask(plan, out, self._run_id, worker.pid, self._topic, self._are_ours)
        try:
            if self._are_ours:
                outcome = await self._unless_lost(worker.address, self._run_outside_tasks(worker.address, task))
            else:
                outcome = await self.call(worker.address, run_well, task)
        except WorkerLost:
            raise
        except Exception as error:  # Dask's own, such as a plan that does not arrive: the well's failure
            return Failure(f"{type(error).__name__}: {error}", type(error).__name__, traceback=traceback.format_exc())
        if outcome is None:
            raise WorkerLost
        return outcome

    async def call(self, address: str, function: Callable[..., Result], *arguments: object) -> Result:
        """What a function returns on the worker at an address, or raises there.

        Raises:
            WorkerLost: the worker went, or the scheduler did.
        """
        return await self._unless_lost(address, self._run_as_task(address, function, *arguments))

    async def _run_as_task(self, address: str, function: Callable[..., Result], *arguments: object) -> Result:
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

    async def _run_outside_tasks(self, address: str, task: WellTask) -> WellDone | Failure | None:
        try:
            answers = await self._client.run(run_well_in_thread, task, workers=[address])
        except OSError as error:  # the connection broke
            raise WorkerLost from error
        outcome: WellDone | Failure | None = answers[address]
        return outcome

    async def _unless_lost(self, address: str, answer: Coroutine[Any, Any, Result]) -> Result:
        lost = self._lost.setdefault(address, asyncio.get_running_loop().create_future())
        asking = asyncio.create_task(answer, name=f"ask {address}")
        try:
            either: set[asyncio.Future[Any]] = {asking, lost}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not asking.done():
                raise WorkerLost
            return asking.result()
        finally:
            asking.cancel()  # noqa: HCS101 - it only waits

    def lose(self, address: str) -> None:
        """Say that the worker at an address is gone: nothing is waited for there."""
        lost = self._lost.pop(address, None)
        if lost is not None and not lost.done():
            lost.set_result(None)
