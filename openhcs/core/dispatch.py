"""Wells on their way through the workers: who gets which, what is tried again, and how long anything may take.

One event loop calls all of this. Each free worker gets the next pending well; a well whose worker died, that took too
long or could not be read goes back to the end (`retries`); when there is no worker at all the run waits for a while.

Imported by `run_loop` alone.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from openhcs.core.cluster import WellCluster, Worker, WorkerDied
from openhcs.core.journal import EventKind, Json
from openhcs.core.model import WellPlan
from openhcs.core.progress import Failure, WellDone
from openhcs.core.run_folder import RunRequest
from openhcs.core.worker_status import WorkerStatus
from openhcs.errors import DiskFullError, PlateLostError, RunError, StoreError

__all__ = ["Dispatch", "Say"]

_STARTING_ENDS_WITHIN_S = 0.5
_TELL_OF_WAITING_AFTER_S = 2.0
_FIRST_GOOD_WORKER_WITHIN_S = 10.0
_PREPARATIONS = 3

_ENDS_THE_RUN = frozenset(kind.__name__ for kind in (DiskFullError, PlateLostError))
"""The kinds of failure that every other well would have too."""


class Say(Protocol):
    """Enters an event of the run, or of a well, into the journal."""

    def __call__(self, kind: EventKind, well: str | None = None, /, **data: Json) -> None: ...


@dataclass
class _Try:
    """A well on a worker. `started_s` is by the monotonic clock, None until the worker has begun."""

    plan: WellPlan
    worker: Worker
    started_s: float | None = None
    step: str | None = None
    cancelled: bool = False
    timed_out: bool = False


class Dispatch:
    """The wells of a run that are not done; the cluster tells it what happens there."""

    def __init__(self, request: RunRequest, say: Say) -> None:
        self._request = request
        self._say = say
        self._pending: deque[WellPlan] = deque()
        self._running: dict[str, _Try] = {}
        self._tries: Counter[str] = Counter()
        self._changed = asyncio.Event()
        self._cancelling = asyncio.Event()
        self._cluster: WellCluster | None = None
        self._ended_early = ""

    @property
    def pending(self) -> Sequence[str]:
        """The wells that nobody has, in the order in which they will be begun."""
        return [plan.well for plan in self._pending]

    @property
    def running(self) -> dict[str, Worker]:
        """The workers that have a well, by well."""
        return {well: one.worker for well, one in self._running.items()}

    @property
    def is_cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._cancelling.is_set()

    def add(self, plan: WellPlan) -> None:
        """Have a well processed, after those that were added before."""
        self._pending.append(plan)

    async def run(self, open_cluster: Callable[[], AbstractAsyncContextManager[WellCluster]]) -> None:
        """Process what was added; if it is cancelled while workers start, do not wait for them.

        Raises:
            StoreError: the results folder cannot be used.
            RunError: there are no workers, the scheduler is lost, or the disk is full or the plate gone.
        """
        processing = asyncio.create_task(self._run_pending(open_cluster), name="pending wells")
        cancelled = asyncio.create_task(self._cancelling.wait(), name="cancel")
        try:
            await asyncio.wait({processing, cancelled}, return_when=asyncio.FIRST_COMPLETED)
            if self._cluster is not None or processing.done():
                await processing
        finally:
            cancelled.cancel()
            processing.cancel()
            # What starts workers may not listen; what is left of it ends with this process.
            at_most_s = _STARTING_ENDS_WITHIN_S if self._cluster is None else None
            await asyncio.wait({processing, cancelled}, timeout=at_most_s)

    def cancel(self) -> None:
        """Cancel every well that is not done, also before `run`; the workers that have one are killed."""
        self._cancelling.set()
        for well in [*self.pending, *self._running]:
            self.cancel_well(well)

    def cancel_well(self, well: str) -> None:
        """Cancel a well; raises `RunError` if it is neither running nor pending."""
        if well in self._running and self._cluster is not None:
            one = self._running[well]
            one.cancelled = True
            if one.started_s is None:
                self._cluster.give_up(one.worker)
            else:
                self._cluster.kill(one.worker)
            return
        plan = next((plan for plan in self._pending if plan.well == well), None)
        if plan is None:
            raise RunError(f"well: {well} is neither running nor pending; expected a well that is not done.")
        self._pending.remove(plan)
        self._changed.set()
        self._say(EventKind.WELL_CANCELLED, well)

    def worker_statuses(self) -> list[WorkerStatus]:
        """What every worker is doing."""
        cluster, now = self._cluster, time.monotonic()
        if cluster is None:
            return []
        tries = {one.worker: one for one in self._running.values()}
        statuses = []
        for worker in cluster.workers:
            one = tries.get(worker)
            well = None if one is None else one.plan.well
            seconds = None if one is None or one.started_s is None else round(now - one.started_s, 1)
            memory = cluster.memory_bytes(worker)
            statuses.append(WorkerStatus(worker.address, worker.host, worker.pid, memory, well, seconds))
        return statuses

    def step_began(self, well: str, step: int, steps: int, name: str, where: str) -> None:
        """A worker begins a step of a well, or the well itself (step 0)."""
        one = self._running.get(well)
        if one is None:
            return
        if one.started_s is None:
            self._watch_time(one)
        if step:
            one.step = name
            self._say(EventKind.STEP_STARTED, well, step=step, steps=steps, name=name, where=where)

    def workers_changed(self) -> None:
        """A worker came or went."""
        self._changed.set()

    def warn(self, message: str) -> None:
        """There is something the user should know."""
        self._say(EventKind.RUN_WARNED, message=message)

    async def _run_pending(self, open_cluster: Callable[[], AbstractAsyncContextManager[WellCluster]]) -> None:
        async with open_cluster() as cluster:
            self._cluster = cluster
            await self._prepare_results(cluster)
            async with asyncio.TaskGroup() as group:
                while self._pending or self._running:
                    self._give_out(cluster, group)
                    await self._wait_changed(cluster)
        if self._ended_early:
            raise RunError(self._ended_early)

    async def _prepare_results(self, cluster: WellCluster) -> None:
        """Have a worker make what the wells share; raises `StoreError`."""
        died = 0
        while self._pending:
            if not cluster.workers:
                await self._wait_changed(cluster)
                continue
            try:
                failure = await cluster.prepare_results(cluster.workers[0], self._request.out, self._request.plate)
            except WorkerDied as error:
                died += 1
                if died == _PREPARATIONS:
                    raise RunError(f"workers: {died} died before they had a well; the last one: {error}") from error
                continue
            if failure is not None:
                raise StoreError(failure.message)
            return

    def _give_out(self, cluster: WellCluster, group: asyncio.TaskGroup) -> None:
        """Give each free worker a pending well, as far as the user allows."""
        busy = {one.worker for one in self._running.values()}
        at_most = self._request.workers
        for worker in cluster.workers:
            if not self._pending or (at_most is not None and len(self._running) >= at_most):
                return
            if worker not in busy:
                plan = self._pending.popleft()
                self._running[plan.well] = one = _Try(plan, worker)
                self._tries[plan.well] += 1
                self._say(EventKind.WELL_STARTED, plan.well, host=worker.host, pid=worker.pid)
                group.create_task(self._process(cluster, one), name=f"well {plan.well}")

    async def _wait_changed(self, cluster: WellCluster) -> None:
        """Wait for a worker or a well to come or go; without any worker not longer than the user allows.

        Raises:
            RunError: there has been no worker for too long.
        """
        if not self._changed.is_set() and not self._running and not cluster.workers:
            await self._wait_for_worker(cluster)
        await self._changed.wait()
        self._changed.clear()

    async def _wait_for_worker(self, cluster: WellCluster) -> None:
        asked, told = time.monotonic(), False
        patience = self._request.execution.wait_for_workers_s
        while self._pending and not cluster.workers:
            waited = time.monotonic() - asked
            hopeless = cluster.trouble and not self._tries and waited >= _FIRST_GOOD_WORKER_WITHIN_S
            if hopeless or waited >= patience:
                why = cluster.trouble or "none is there, or none has answered yet"
                raise RunError(
                    f"workers: {why}; expected a worker within {waited:.0f} s. "
                    "Finished wells are kept: see to the workers and run again."
                )
            if waited >= _TELL_OF_WAITING_AFTER_S and not told:
                told = True
                self._say(EventKind.RUN_WAITING, message=f"no workers: waiting up to {patience:g} s for one")
            try:
                async with asyncio.timeout(1.0):
                    await self._changed.wait()
            except TimeoutError:
                continue
            self._changed.clear()
        self._changed.set()
        if told:
            self._say(EventKind.RUN_WAITING, message="")

    async def _process(self, cluster: WellCluster, one: _Try) -> None:
        """One try of a well, to its end."""
        plan = one.plan
        try:
            outcome = await self._outcome(cluster, one)
        finally:
            del self._running[plan.well]
            self._changed.set()
        match outcome:
            case Failure(may_pass=True) if self._may_be_tried_again(one):
                # At the end: whatever was the matter has the most time to pass.
                self._pending.append(plan)
                self._say(EventKind.WELL_RETRIED, plan.well, message=outcome.message, tries=self._tries[plan.well])
            case Failure():
                self._say(EventKind.WELL_FAILED, plan.well, **dataclasses.asdict(outcome))
                if outcome.kind in _ENDS_THE_RUN:
                    self._end_early(outcome)
            case WellDone():
                self._say(EventKind.WELL_FINISHED, plan.well, objects=dict(outcome.objects))
            case None:
                self._say(EventKind.WELL_CANCELLED, plan.well)

    def _may_be_tried_again(self, one: _Try) -> bool:
        over = one.cancelled or self._ended_early
        return not over and self._tries[one.plan.well] <= self._request.execution.retries

    def _end_early(self, failure: Failure) -> None:
        """Begin no other well: it would fail as well. Those that have begun go on, as long as they can."""
        if count := len(self._pending):
            wells = "1 well was" if count == 1 else f"{count} wells were"
            self._ended_early = (
                f"{failure.message} The run has ended early: {wells} not begun, to fail in the same way."
            )
        self._pending.clear()

    async def _outcome(self, cluster: WellCluster, one: _Try) -> WellDone | Failure | None:
        """What became of a well; None if it was cancelled."""
        try:
            return await cluster.run_well(one.worker, one.plan, self._request.out)
        except WorkerDied as error:
            if one.cancelled:
                return None
            if one.timed_out:
                limit = self._request.execution.well_timeout_s
                message = f"the well took more than {limit:g} s; expected it to be done by then. Allow it more time."
                return Failure(message, kind="TimeoutError", step=one.step, may_pass=True)
            return Failure(str(error), kind=type(error).__name__, step=one.step, may_pass=not error.by_itself)

    def _watch_time(self, one: _Try) -> None:
        """Note that a well has begun, and end it when its time is over."""
        one.started_s = time.monotonic()

        def end() -> None:
            if self._running.get(one.plan.well) is one and not one.cancelled and self._cluster is not None:
                one.timed_out = True
                self._cluster.kill(one.worker)

        if (limit := self._request.execution.well_timeout_s) is not None:
            asyncio.get_running_loop().call_later(limit, end)
