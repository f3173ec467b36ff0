"""A run's own worker processes on this machine: an embedded Dask cluster.

Workers are forked from the fork server that `runner` starts; a killed one is back within 0.1 s. Runner and workers
talk over TLS with a certificate that is made for the run and never leaves its processes: Dask's messages are pickles,
so whoever could connect to a port of theirs could run code as the user.
See docs/decisions/0018-a-runs-processes-talk-over-tls.md.

Dask is imported with this module (0.4 s): only the runner may import it.
"""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import dask
from distributed import LocalCluster, Nanny
from distributed.security import Security

from openhcs.core.cluster import ClusterEvents, Worker, WorkerDied
from openhcs.core.machine import DISMISSED_AT, worker_share_bytes
from openhcs.core.model import WellPlan
from openhcs.core.processes import end_worker_tree
from openhcs.core.progress import Failure, WellDone
from openhcs.core.tasks import WellTask, prepare_results_in_thread, run_well_in_thread
from openhcs.core.worker_answers import WorkerLost, outcome_of
from openhcs.core.worker_calls import WorkerCalls

__all__ = ["EmbeddedCluster", "embedded_cluster"]

_LOOK_AGAIN_S = 0.05
_EXIT_CODE_WITHIN_S = 0.5
_UNKNOWN_EXIT = 255  # Dask's word for an exit code that somebody else has taken
_CRASHES = frozenset({signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE, signal.SIGILL})

_CONFIG = {
    "distributed.worker.multiprocessing-method": "forkserver",
    # There are no tasks to be moved.
    "distributed.scheduler.work-stealing": False,
    "distributed.scheduler.active-memory-manager.start": False,
    # A well may keep the interpreter busy for minutes in one call; that is no reason to give its worker up.
    "distributed.scheduler.worker-ttl": None,
    # Looking at their own event loops fifty times a second takes Dask's processes 8 % of a core from the wells.
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.tick.cycle": "1s",
    "distributed.admin.tick.limit": "1h",
    # Nor does anybody look at what they note of the machine's disks, network and load twice a second.
    "distributed.admin.system-monitor.interval": "10s",
    "distributed.admin.system-monitor.disk": False,
    # Dask holds none of our data, so spilling frees nothing, and a paused worker would never go on.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": DISMISSED_AT,
    "distributed.worker.profile.enabled": False,
    # Dask's web pages know no certificate of ours; their servers cannot be left out, but have no page to give.
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
}


@asynccontextmanager
async def embedded_cluster(
    workers: int, memory_limit_bytes: int | None, scratch: Path, run_id: str, events: ClusterEvents
) -> AsyncIterator[EmbeddedCluster]:
    """Start worker processes, and end them with the block.

    Args:
        memory_limit_bytes: for each worker; None shares most of the machine's memory among them. A worker that goes
            beyond is killed.
        scratch: a folder for Dask's own files.
        run_id: marks the processes of the run.
    """
    limit = memory_limit_bytes or worker_share_bytes(workers)
    dask.config.set({**_CONFIG, "temporary-directory": str(scratch)})
    async with LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        memory_limit=limit,
        host="127.0.0.1",
        protocol="tls://",
        security=Security.temporary(),
        dashboard_address="127.0.0.1:0",
        scheduler_kwargs={"dashboard": False},
        asynchronous=True,
    ) as local:
        cluster = EmbeddedCluster(local, limit, run_id, events)
        watching = asyncio.create_task(cluster.watch(), name="watch the workers")
        try:
            yield cluster
        finally:
            watching.cancel()  # noqa: HCS101 - it only looks
            cluster.close()


class EmbeddedCluster:
    """Worker processes of our own."""

    def __init__(self, local: LocalCluster, memory_limit_bytes: int, run_id: str, events: ClusterEvents) -> None:
        self._local = local
        self._topic = f"openhcs-{run_id}"
        self._calls = WorkerCalls(local, self._topic, events)
        self._memory_limit_bytes = memory_limit_bytes
        self._run_id = run_id
        self._events = events
        self._host = socket.gethostname()
        self._killed: set[int] = set()
        self._ending: set[asyncio.Task[None]] = set()

    @property
    def workers(self) -> Sequence[Worker]:
        """The workers that scheduler and nanny both know, so that they can have a well."""
        # A worker we killed counts as dead at once, though the scheduler may not have noticed.
        return [
            Worker(nanny.worker_address, self._host, nanny.pid)
            for nanny in self._local.workers.values()
            if nanny.pid and nanny.pid not in self._killed and nanny.worker_address in self._local.scheduler.workers
        ]

    @property
    def trouble(self) -> str:
        """Nothing: our own workers are as we are."""
        return ""

    async def watch(self) -> None:
        """Notice workers that come and go, until cancelled."""
        known: set[Worker] = set()
        while True:
            now = set(self.workers)
            for worker in known - now:
                self._calls.lose(worker.address)
            if now != known:
                known = now
                self._events.workers_changed()
            await asyncio.sleep(_LOOK_AGAIN_S)

    def close(self) -> None:
        """Call no worker any more."""
        self._calls.close()

    async def prepare_results(self, worker: Worker, out: Path, plate: str) -> Failure | None:
        """Make the OME-Zarr plate in the results folder; return why not, if so. Raises `WorkerDied`."""
        async with self._explaining_death(worker):
            return await self._calls.call(worker.address, prepare_results_in_thread, out, plate)

    async def run_well(self, worker: Worker, plan: WellPlan, out: Path) -> WellDone | Failure:
        """Process a well on a worker.

        Raises:
            WorkerDied: the process is gone, killed by us or by the system, and nothing of it is left.
        """
        async with self._explaining_death(worker):
            self._events.step_began(plan.well, 0, 0, "", "")  # the worker has nothing else to do
            task = WellTask(plan, out, self._run_id, worker.pid, self._topic, is_ours=True)
            return await outcome_of(self._calls.call(worker.address, run_well_in_thread, task))

    def kill(self, worker: Worker) -> None:
        """End a worker and what it has started; a new one takes its place."""
        self._killed.add(worker.pid)
        ending = asyncio.create_task(
            asyncio.to_thread(end_worker_tree, self._run_id, worker.pid), name=f"end {worker.pid}"
        )
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    def give_up(self, worker: Worker) -> None:
        """End a worker that has not begun its well: nobody else has tasks there, and it may begin at this moment."""
        self.kill(worker)

    def memory_bytes(self, worker: Worker) -> int:
        """The memory a worker's process has, as of its last heartbeat; 0 before the first."""
        known = self._local.scheduler.workers.get(worker.address)
        return int(known.metrics.get("memory", 0)) if known is not None else 0

    @asynccontextmanager
    async def _explaining_death(self, worker: Worker) -> AsyncIterator[None]:
        """Turn the loss of a worker inside into how its process ended, once nothing of it is left."""
        nannies = self._local.workers.values()
        process = next((nanny.process.process for nanny in nannies if _is_of(nanny, worker)), None)
        if process is None:
            raise WorkerDied(f"the worker process {worker.pid} was killed before it began.")
        ended = asyncio.ensure_future(process.join())
        try:
            yield
        except WorkerLost as error:
            # The scheduler may be the first to know.
            await asyncio.wait({ended}, timeout=_EXIT_CODE_WITHIN_S)
            await asyncio.to_thread(end_worker_tree, self._run_id, worker.pid)
            raise self._death(worker.pid, process.exitcode) from error
        finally:
            ended.cancel()  # noqa: HCS101 - it only waits

    def _death(self, pid: int, code: int | None) -> WorkerDied:
        """How a worker's process ended, and what to do about it."""
        if code is not None and 0 <= code != _UNKNOWN_EXIT:
            return WorkerDied(
                f"the worker process {pid} ended itself with exit code {code}; expected functions that return or "
                "raise. Look for exit calls in the step's functions.",
                by_itself=True,
            )
        if code is not None and -code in _CRASHES:
            return WorkerDied(
                f"the worker process {pid} crashed ({signal.Signals(-code).name}): a library of the step's functions "
                "is at fault, or its input. The run's log says where.",
                by_itself=True,
            )
        return WorkerDied(
            f"the worker process {pid} was killed: it was probably out of memory (a worker may use "
            f"{self._memory_limit_bytes / 2**30:.1f} GiB). Use fewer workers, or give each more memory."
        )


def _is_of(nanny: Nanny, worker: Worker) -> bool:
    return nanny.process is not None and (nanny.worker_address, nanny.pid) == (worker.address, worker.pid)
