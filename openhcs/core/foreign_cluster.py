"""The workers of a Dask scheduler that somebody else started: they come, go, and may not be fit for our wells.

Nothing of the cluster is ours to set. Its scheduler is asked every half second who is there. A worker is asked for its
versions before it is sent code, and whether it sees the plate and the results before it is given a well; one that
is not fit is left out, with a warning. A well on a worker is ended by its nanny, which then starts another worker.
See docs/decisions/0020-a-scheduler-of-others-is-left-as-it-is.md.

Dask is imported with this module (0.4 s): only the runner may import it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import dask
from dask.utils import parse_timedelta
from distributed import Client
from distributed.versions import get_versions

from openhcs.core.cluster import ClusterEvents, Worker, WorkerDied
from openhcs.core.model import WellPlan
from openhcs.core.progress import Failure, WellDone
from openhcs.core.scheduler_address import find_scheduler
from openhcs.core.surroundings import Surroundings
from openhcs.core.tasks import WorkerFacts, end_worker, look_around, prepare_results
from openhcs.core.well_tasks import WellTasks
from openhcs.core.worker_answers import WorkerLost
from openhcs.errors import RunError

__all__ = ["ForeignCluster", "foreign_cluster"]

log = logging.getLogger(__name__)

_CONNECTS_WITHIN_S = 10.0
_ANSWERS_WITHIN_S = 60.0
_LOOK_AGAIN_S = 0.5
_WORKERS_A_LOOK = 100
"""With more workers than that one looks less often: each look transfers some kilobytes for each."""
_ENDS_WITHIN_S = 5.0

_Identity = Mapping[str, Any]
"""What a scheduler says of a worker; Dask has no type for it."""


@asynccontextmanager
async def foreign_cluster(
    where: str, expected: Surroundings, run_id: str, events: ClusterEvents
) -> AsyncIterator[ForeignCluster]:
    """Use the workers of a scheduler during the block.

    Args:
        where: its address, or a scheduler file.
        expected: what workers must see.
        run_id: sets our tasks apart from those of others.

    Raises:
        RunError: the scheduler cannot be reached, or is lost.
    """
    scheduler = find_scheduler(where)
    dask.config.set({"distributed.admin.tick.limit": "1h"})
    timeout_s = min(_CONNECTS_WITHIN_S, parse_timedelta(dask.config.get("distributed.comm.timeouts.connect")))
    client = Client(scheduler.address, security=scheduler.security, timeout=timeout_s, asynchronous=True)
    try:
        await client
    except (OSError, ValueError, TypeError) as error:
        await _close(client)
        raise RunError(
            f"scheduler: {scheduler.address} cannot be reached ({error}); expected a Dask scheduler. "
            "See whether it is running and whether this machine may talk to it."
        ) from error
    try:
        cluster = ForeignCluster(client, scheduler.address, expected, run_id, events)
        await cluster.examine_scheduler()
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(cluster.watch(group), name="watch the workers")
            yield cluster
            watching.cancel()  # noqa: HCS101 - it only looks
            cluster.stop_examining()
    finally:
        await _close(client)


async def _close(client: Client) -> None:
    with suppress(TimeoutError, OSError):
        await asyncio.wait_for(client.close(), _ENDS_WITHIN_S)


class ForeignCluster:
    """The workers of a scheduler that is there already."""

    def __init__(
        self, client: Client, address: str, expected: Surroundings, run_id: str, events: ClusterEvents
    ) -> None:
        self._client = client
        self._address = address
        self._expected = expected
        self._run_id = run_id
        self._events = events
        self._tasks = WellTasks(client, run_id, events)
        self._there: dict[str, _Identity] = {}
        self._examining: dict[str, asyncio.Task[None]] = {}
        self._good: dict[str, Worker] = {}
        self._unfit: dict[str, str] = {}
        self._warned: set[tuple[str, str]] = set()
        self._ending: dict[str, asyncio.Task[None]] = {}

    @property
    def workers(self) -> Sequence[Worker]:
        """The workers that are fit, and that Dask has not paused for want of memory."""
        return [worker for address, worker in self._good.items() if self._there[address]["status"] == "running"]

    @property
    def trouble(self) -> str:
        """Why none of the workers that are there is fit; empty while one is, or may be, or there is none."""
        if self._good or self._examining or not self._unfit:
            return ""
        return "; ".join(dict.fromkeys(self._unfit.values()))

    async def examine_scheduler(self) -> None:
        """See that the scheduler can read our tasks.

        Raises:
            RunError: openhcs is not installed where it runs.
        """
        found = await self._client.scheduler.versions(packages=["openhcs"])
        if found["packages"].get("openhcs") is None:
            raise RunError(
                f"scheduler: {self._address} runs where openhcs is not installed; expected the same environment as "
                "here, since it reads what workers are sent. Install openhcs there and start it again."
            )

    async def watch(self, group: asyncio.TaskGroup) -> None:
        """Notice workers that come and go, until cancelled; new ones are examined in `group`.

        Raises:
            RunError: the scheduler is lost.
        """
        told: Sequence[Worker] = ()
        while True:
            there = await self._ask_who_is_there()
            for address in self._there.keys() - there.keys():
                self._forget(address)
            self._there = there
            new = there.keys() - self._good.keys() - self._unfit.keys() - self._examining.keys() - self._ending.keys()
            for address in new:
                examining = self._examine(address, str(there[address]["host"]))
                self._examining[address] = group.create_task(examining, name=f"examine {address}")
            if told != self.workers:
                told = self.workers
                self._events.workers_changed()
            await asyncio.sleep(_LOOK_AGAIN_S * (1 + len(there) // _WORKERS_A_LOOK))

    async def prepare_results(self, worker: Worker, out: Path, plate: str) -> Failure | None:
        """Make the OME-Zarr plate in the results folder; return why not, if so. Raises `WorkerDied`."""
        with self._explaining_loss(worker):
            return await self._tasks.call(worker.address, prepare_results, out, plate)

    async def run_well(self, worker: Worker, plan: WellPlan, out: Path) -> WellDone | Failure:
        """Process a well on a worker.

        Raises:
            WorkerDied: the process is gone, killed by us or by the system.
            RunError: the scheduler is lost.
        """
        with self._explaining_loss(worker):
            return await self._tasks.run_well(worker, plan, out)

    def kill(self, worker: Worker) -> None:
        """End a worker and what it has started, by its nanny or, where it has none, by itself."""
        if self._good.pop(worker.address, None) is not None:
            self._ending[worker.address] = asyncio.create_task(self._end(worker), name=f"end {worker.address}")

    def give_up(self, worker: Worker) -> None:
        """Take back a well that the worker has not begun: it may have others' tasks to do first.

        Should the worker begin at this moment, it finds that the well is not wanted any more.
        """
        self._forget(worker.address)

    def memory_bytes(self, worker: Worker) -> int:
        """The memory a worker's process has, as of its last heartbeat; 0 if that is not known."""
        return int(self._there.get(worker.address, {}).get("metrics", {}).get("memory", 0))

    def stop_examining(self) -> None:
        """Examine no worker any more."""
        for examining in self._examining.values():
            examining.cancel()  # noqa: HCS101 - it only asks

    async def _ask_who_is_there(self) -> dict[str, _Identity]:
        """What the scheduler says of each worker, by address; raises `RunError`."""
        if self._client.status != "running":
            raise self._lost_scheduler()
        try:
            async with asyncio.timeout(_ANSWERS_WITHIN_S):
                identity = await self._client.scheduler.identity()
        except OSError as error:  # a timeout is one as well
            raise self._lost_scheduler() from error
        workers: dict[str, _Identity] = identity["workers"]
        return workers

    async def _examine(self, address: str, host: str) -> None:
        """Find out whether a worker is fit for wells."""
        try:
            facts = await self._facts_of(address, host)
        except (WorkerLost, OSError, KeyError):
            return  # it went meanwhile; if not, the next look examines it again
        except Exception as error:  # whatever a worker of another making raises
            facts = WorkerFacts(host, 0, f"it cannot do what wells need ({type(error).__name__}: {error})")
        finally:
            del self._examining[address]
        if facts.trouble is None:
            self._good[address] = Worker(address, facts.host, facts.pid)
        else:
            self._leave_out(address, facts.host, facts.trouble)
        self._events.workers_changed()

    async def _facts_of(self, address: str, host: str) -> WorkerFacts:
        """What a worker says of itself; one of another version is asked no more than that."""
        why = await self._other_version(address)
        if why is not None:
            return WorkerFacts(host, 0, why)
        # Also makes the nanny ready, which then has imported what ends the worker.
        await self._client.run(end_worker, self._run_id, 0, workers=[address], nanny=True, on_error="ignore")
        return await self._tasks.call(address, look_around, self._expected)

    async def _other_version(self, address: str) -> str | None:
        """How a worker's versions differ from ours, if so; asked without sending code, which it might not bear."""
        names = [name for name, _ in self._expected.versions]
        answers = await self._client.scheduler.broadcast(msg={"op": "versions", "packages": names}, workers=[address])
        theirs, ours = answers[address]["packages"], get_versions(names)["packages"]
        for name in ("openhcs", "python", *names):
            here, there = _comparable(name, ours[name]), _comparable(name, theirs.get(name))
            if there is None and here is not None:
                return f"{name} is not installed there"
            if here != there:
                return f"it has {name} {there}, here it is {here}"
        return None

    def _leave_out(self, address: str, host: str, why: str) -> None:
        self._unfit[address] = f"the worker on {host} is left out: {why}"
        if (host, why) not in self._warned:
            self._warned.add((host, why))
            self._events.warn(f"worker {address} on {host} is left out: {why}.")

    async def _end(self, worker: Worker) -> None:
        address = worker.address
        has_nanny = self._there.get(address, {}).get("nanny") is not None
        try:
            async with asyncio.timeout(_ENDS_WITHIN_S):
                await self._client.run(
                    end_worker, self._run_id, worker.pid, workers=[address], nanny=has_nanny, on_error="ignore"
                )
        except (OSError, KeyError) as error:  # it is gone already, or nobody can tell
            log.warning("The worker %s did not answer when it was to end: %r", address, error)
        finally:
            del self._ending[address]
            self._forget(address)

    def _forget(self, address: str) -> None:
        """Nothing is known of a worker any more; who waits for its answer is told that it is lost."""
        self._good.pop(address, None)
        self._unfit.pop(address, None)
        self._tasks.lose(address)
        self._events.workers_changed()

    @contextmanager
    def _explaining_loss(self, worker: Worker) -> Iterator[None]:
        """Turn the loss of a worker inside into what became of it, as far as anybody can tell."""
        try:
            yield
        except WorkerLost as error:
            if self._client.status != "running":
                raise self._lost_scheduler() from error
            self._forget(worker.address)
            raise WorkerDied(
                f"the worker process {worker.pid} on {worker.host} is gone: it was killed, out of memory or cut off. "
                "The worker's own log may say why."
            ) from error

    def _lost_scheduler(self) -> RunError:
        return RunError(
            f"scheduler: {self._address} is lost; expected it to live as long as the run. Finished wells are kept: "
            "start it again, and then the run."
        )


def _comparable(name: str, version: str | None) -> str | None:
    """A version as far as it matters: of Python the first two numbers."""
    return ".".join(version.split(".")[:2]) if name == "python" and version is not None else version
