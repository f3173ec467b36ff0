"""A run from its first well to its last: which well is next, what became of each, and every event of it.

Everything happens in one event loop, so events are appended to the journal in the order in which they are true, by
one writer. Imported by `runner` alone.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from openhcs.core.control import Request
from openhcs.core.journal import Event, EventKind, JournalWriter, Json
from openhcs.core.model import WellPlan
from openhcs.core.progress import Failure
from openhcs.core.results import ResultsFolder, is_done, recipe_of
from openhcs.core.run_folder import RunRequest
from openhcs.errors import RunError, StoreError

if TYPE_CHECKING:
    from openhcs.core.cluster import WellCluster
    from openhcs.core.tasks import WellDone

__all__ = ["RunLoop"]

_STARTING_ENDS_WITHIN_S = 0.5


class RunLoop:
    """The wells of a run on their way through the workers."""

    def __init__(self, request: RunRequest, plans: Sequence[WellPlan], journal: JournalWriter, scratch: Path) -> None:
        self._request = request
        self._plans = plans
        self._results = ResultsFolder(request.out)
        self._journal = journal
        self._scratch = scratch
        self._pending: deque[WellPlan] = deque()
        self._running: dict[str, int] = {}
        self._steps: dict[str, str] = {}
        self._cancelled: set[str] = set()
        self._cancelling = asyncio.Event()
        self._cluster: WellCluster | None = None

    async def run(self) -> None:
        """Process all wells and say so in the journal; what stops the whole run is raised.

        Raises:
            StoreError: the results folder cannot be used.
            RunError: workers cannot be started.
        """
        request = self._request
        self._say(
            EventKind.RUN_STARTED,
            plate=request.plate,
            pipeline=request.pipeline,
            out=str(request.out),
            wells=[plan.well for plan in self._plans],
            workers=request.workers,
            pid=os.getpid(),
        )
        self._results.clear_temporary()
        for plan in self._plans:
            self._reuse_or_queue(plan)
        if self._cancelling.is_set():
            self.cancel()
        if self._pending:
            await self._run_pending_or_cancel()
            self._results.clear_temporary()
        message = await asyncio.to_thread(self._combine_tables)
        kind = EventKind.RUN_CANCELLED if self._cancelling.is_set() else EventKind.RUN_FINISHED
        self._say(kind, message=message)

    def cancel(self) -> None:
        """Cancel every well that is not done, also before `run`; the workers that have one are killed."""
        self._cancelling.set()
        for well in [plan.well for plan in self._pending] + list(self._running):
            self._cancel_well(well)

    def answer(self, request: Request) -> Mapping[str, Json]:
        """Do what a control request asks; raises `RunError` where that cannot be."""
        match request:
            case {"do": "cancel"}:
                self.cancel()
                return {}
            case {"do": "cancel_well", "well": str() as well}:
                self._cancel_well(well)
                return {}
            case {"do": "status"}:
                pids: dict[str, Json] = {well: self._pid(slot) for well, slot in self._running.items()}
                return {"running": pids, "pending": [plan.well for plan in self._pending]}
        raise RunError(f"request: {dict(request)}; expected do: cancel, cancel_well (with well) or status.")

    def _reuse_or_queue(self, plan: WellPlan) -> None:
        if not is_done(plan, self._results.path):
            self._pending.append(plan)
            return
        provenance = self._results.read_provenance(plan.well) or {}
        self._say(EventKind.WELL_REUSED, plan.well, objects=provenance.get("objects"))

    async def _run_pending_or_cancel(self) -> None:
        """Process what is pending; if the run is cancelled while workers start, do not wait for them."""
        processing = asyncio.create_task(self._run_pending(), name="pending wells")
        cancelled = asyncio.create_task(self._cancelling.wait(), name="cancel")
        await asyncio.wait({processing, cancelled}, return_when=asyncio.FIRST_COMPLETED)
        cancelled.cancel()  # noqa: HCS101 - it only waits
        if self._cluster is None and not processing.done():
            processing.cancel()
            await asyncio.wait({processing}, timeout=_STARTING_ENDS_WITHIN_S)  # what is left ends with this process
        else:
            await processing

    async def _run_pending(self) -> None:
        # Dask takes 0.4 s to import: a run that only reuses wells does without, and the journal has begun meanwhile.
        from openhcs.core.cluster import start_cluster

        request = self._request
        workers = min(request.workers, len(self._pending))
        async with start_cluster(workers, request.memory_limit_bytes, self._scratch, self._step_started) as cluster:
            self._cluster = cluster
            failure = await cluster.prepare_results(request.out, request.plate)
            if failure is not None:
                raise StoreError(failure.message)
            async with asyncio.TaskGroup() as group:
                for slot in range(workers):
                    group.create_task(self._work(cluster, slot), name=f"slot {slot}")

    async def _work(self, cluster: WellCluster, slot: int) -> None:
        """Give the worker of a slot one pending well after the other."""
        while self._pending:
            await cluster.wait_ready(slot)
            if not self._pending:
                return
            plan = self._pending.popleft()
            self._running[plan.well] = slot
            self._say(EventKind.WELL_STARTED, plan.well)
            outcome = await self._outcome(cluster, slot, plan)
            del self._running[plan.well]
            match outcome:
                case Failure():
                    self._say(EventKind.WELL_FAILED, plan.well, **dataclasses.asdict(outcome))
                case None:
                    self._say(EventKind.WELL_CANCELLED, plan.well)
                case _:
                    self._say(EventKind.WELL_FINISHED, plan.well, objects=dict(outcome.objects))

    async def _outcome(self, cluster: WellCluster, slot: int, plan: WellPlan) -> WellDone | Failure | None:
        """What became of a well; None if it was cancelled."""
        from openhcs.core.cluster import WorkerDied  # imported already, see _run_pending

        try:
            return await cluster.run_well(slot, plan, self._request.out)
        except WorkerDied as error:
            step = self._steps.get(plan.well)
            return None if plan.well in self._cancelled else Failure(str(error), kind=type(error).__name__, step=step)

    def _cancel_well(self, well: str) -> None:
        if well in self._running and self._cluster is not None:
            self._cancelled.add(well)
            self._cluster.kill(self._running[well])
            return
        plan = next((plan for plan in self._pending if plan.well == well), None)
        if plan is None:
            raise RunError(f"well: {well} is neither running nor pending; expected a well that is not done.")
        self._pending.remove(plan)
        self._say(EventKind.WELL_CANCELLED, well)

    def _step_started(self, well: str, step: int, steps: int, name: str) -> None:
        if well in self._running:
            self._steps[well] = name
            self._say(EventKind.STEP_STARTED, well, step=step, steps=steps, name=name)

    def _combine_tables(self) -> str:
        """Write the tables of all wells; return what the user should know about them."""
        done = self._results.done_wells()
        same = self._results.done_wells(recipe_of(self._plans[0]))
        if not same:
            return ""
        from openhcs.core.tables import combine_tables  # polars: 0.2 s, at the end of a run only

        combine_tables(self._results, same)
        others = [well for well in done if well not in same]
        if not others:
            return ""
        return (
            f"{len(others)} wells here were made by another version of the pipeline and are not in the combined "
            f"tables: {', '.join(others)}."
        )

    def _pid(self, slot: int) -> int:
        return self._cluster.pid(slot) if self._cluster is not None else 0

    def _say(self, kind: EventKind, well: str | None = None, /, **data: Json) -> None:
        self._journal.append(Event(time.time(), kind, well, data))
