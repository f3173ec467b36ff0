"""The worker processes of a run: an embedded Dask cluster that gives each worker one well at a time.

All that is known about Dask is here and in `tasks`. Each worker has a slot, and a slot has at most one well: a worker
that dies takes down the one well it had and no other, and killing a worker cancels exactly that well. Workers are
forked from the fork server that `runner` starts; a killed worker is back within 0.1 s.

Dask is imported with this module (0.4 s): only the runner may import it.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import dask
from distributed import Client, LocalCluster
from distributed.process import AsyncProcess
from distributed.scheduler import KilledWorker
from distributed.system import MEMORY_LIMIT

from openhcs.core.model import WellPlan
from openhcs.core.progress import Failure
from openhcs.core.tasks import STEPS_TOPIC, WellDone, prepare_results, run_well
from openhcs.errors import RunError

__all__ = ["StepReport", "WellCluster", "WorkerDied", "start_cluster"]

StepReport = Callable[[str, int, int, str], None]
"""Is told well, step (from 1), steps and the step's name when a step begins."""

_SHARE_OF_MEMORY = 0.9
_WORKER_RETURNS_WITHIN_S = 60.0
_LOOK_AGAIN_S = 0.02
_LOST_AFTER_S = 1.0
_EXIT_CODE_WITHIN_S = 0.5
_UNKNOWN_EXIT = 255  # Dask's word for an exit code that somebody else has taken
_CRASHES = frozenset({signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE, signal.SIGILL})

_CONFIG = {
    "distributed.worker.multiprocessing-method": "forkserver",
    # A worker's death is its well's failure: another try would most likely run out of memory as well.
    "distributed.scheduler.allowed-failures": 0,
    "distributed.scheduler.work-stealing": False,
    "distributed.scheduler.active-memory-manager.start": False,
    # A well may keep the interpreter busy for minutes in one call; that is no reason to give its worker up.
    "distributed.scheduler.worker-ttl": None,
    "distributed.admin.tick.limit": "1h",
    # Dask holds none of our data, so spilling frees nothing, and a paused worker would never go on.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": 0.95,
    "distributed.worker.profile.enabled": False,
}


class WorkerDied(Exception):
    """The worker process that had a well is gone."""


@asynccontextmanager
async def start_cluster(
    workers: int, memory_limit_bytes: int | None, scratch: Path, report: StepReport
) -> AsyncIterator[WellCluster]:
    """Start worker processes, and end them with the block.

    Args:
        memory_limit_bytes: for each worker; None shares most of the machine's memory among them. A worker that goes
            beyond is killed.
        scratch: a folder for Dask's own files.
        report: called in the event loop.
    """
    limit = memory_limit_bytes or int(MEMORY_LIMIT * _SHARE_OF_MEMORY / workers)
    dask.config.set({**_CONFIG, "temporary-directory": str(scratch)})
    async with (
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            memory_limit=limit,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            scheduler_kwargs={"dashboard": False},
            asynchronous=True,
        ) as cluster,
        Client(cluster, asynchronous=True) as client,
    ):
        client.subscribe_topic(STEPS_TOPIC, lambda event: report(*event[1]))
        yield WellCluster(cluster, client, limit)


class WellCluster:
    """Worker processes by slot, 0 to `workers` - 1."""

    def __init__(self, cluster: LocalCluster, client: Client, memory_limit_bytes: int) -> None:
        self._cluster = cluster
        self._client = client
        self._memory_limit_bytes = memory_limit_bytes
        self._killed: dict[int, int] = {}

    async def prepare_results(self, out: Path, plate: str) -> Failure | None:
        """Make the OME-Zarr plate in the results folder; return why not, if so."""
        failure: Failure | None = await self._client.submit(prepare_results, out, plate, pure=False)
        return failure

    async def wait_ready(self, slot: int) -> None:
        """Wait until the slot's worker can take a well.

        Raises:
            RunError: a worker that died does not come back.
        """
        for _ in range(round(_WORKER_RETURNS_WITHIN_S / _LOOK_AGAIN_S)):
            if self._is_ready(slot):
                return
            await asyncio.sleep(_LOOK_AGAIN_S)
        raise RunError(
            f"worker {slot}: it did not start within {_WORKER_RETURNS_WITHIN_S:g} s; expected a worker process. "
            "See the run's log."
        )

    async def run_well(self, slot: int, plan: WellPlan, out: Path) -> WellDone | Failure:
        """Process a well on the slot's worker, which must be ready.

        Raises:
            WorkerDied: the process was killed, by us or by the system.
        """
        nanny, pid = self._cluster.workers[slot], self.pid(slot)
        address, process = nanny.worker_address, nanny.process.process
        future = self._client.submit(
            run_well, plan, out, key=f"{plan.well}-{plan.hash[:12]}", workers=[address], retries=0, pure=False
        )
        outcome = asyncio.ensure_future(future.result())
        ended = asyncio.ensure_future(process.join())
        try:
            while not outcome.done():
                await asyncio.wait({outcome}, timeout=_LOST_AFTER_S)
                # A task that reaches the scheduler after its worker died would wait for ever.
                if not outcome.done() and address not in self._cluster.scheduler.workers:
                    raise WorkerDied(await self._death(pid, process, ended))
            result: WellDone | Failure = outcome.result()
        except KilledWorker as error:
            raise WorkerDied(await self._death(pid, process, ended)) from error
        finally:
            ended.cancel()  # noqa: HCS101 - it only waits
            outcome.cancel()  # noqa: HCS101 - it only waits
            future.release()
        return result

    def pid(self, slot: int) -> int:
        """The process of a slot's worker, 0 if there is none at the moment."""
        return self._cluster.workers[slot].pid or 0

    def kill(self, slot: int) -> None:
        """End the slot's worker at once; a new one takes its place."""
        pid = self.pid(slot)
        if pid:
            self._killed[slot] = pid
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _is_ready(self, slot: int) -> bool:
        # A worker we killed counts as dead at once, though the scheduler may not have noticed.
        address = self._cluster.workers[slot].worker_address
        return self.pid(slot) not in (0, self._killed.get(slot)) and address in self._cluster.scheduler.workers

    async def _death(self, pid: int, process: AsyncProcess, ended: asyncio.Future[None]) -> str:
        """How a worker's process ended, and what to do about it."""
        await asyncio.wait({ended}, timeout=_EXIT_CODE_WITHIN_S)  # the scheduler may be the first to know
        code = process.exitcode
        if code is not None and 0 <= code != _UNKNOWN_EXIT:
            return (
                f"the worker process {pid} ended itself with exit code {code}; expected functions that return or "
                "raise. Look for exit calls in the step's functions."
            )
        if code is not None and -code in _CRASHES:
            return (
                f"the worker process {pid} crashed ({signal.Signals(-code).name}): a library of the step's functions "
                "is at fault, or its input. The run's log says where."
            )
        return (
            f"the worker process {pid} was killed: it was probably out of memory (a worker may use "
            f"{self._memory_limit_bytes / 2**30:.1f} GiB). Use fewer workers, or give each more memory."
        )
