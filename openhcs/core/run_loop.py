"""A run from its first word to its last: what is done already, what the workers do, the tables of all.

Everything happens in one event loop, so events are appended to the journal in the order in which they are true, by
one writer. Imported by `runner` alone.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from openhcs.core.cluster import WellCluster
from openhcs.core.control import Request
from openhcs.core.dispatch import Dispatch
from openhcs.core.journal import Event, EventKind, JournalWriter, Json
from openhcs.core.model import WellPlan
from openhcs.core.results import ResultsFolder, is_done, recipe_of
from openhcs.core.run_folder import RunFolder
from openhcs.core.shares import share_as_set_now
from openhcs.core.worker_status import status_to_json
from openhcs.errors import RunError

__all__ = ["RunLoop"]


class RunLoop:
    """One run.

    Args:
        folder: of the run.
        scratch: a folder for files of the workers.
    """

    def __init__(self, folder: RunFolder, journal: JournalWriter, scratch: Path) -> None:
        request, self._plans = folder.read_request()
        self._request = share_as_set_now(request)
        self._folder = folder
        self._results = ResultsFolder(self._request.out)
        self._journal = journal
        self._scratch = scratch
        self._wells = Dispatch(self._request, self._say)

    async def run(self) -> None:
        """Process all wells and say so in the journal; what stops the whole run is raised.

        Raises:
            StoreError: the results folder cannot be used.
            RunError: there are no workers, the scheduler is lost, or the disk is full or the plate gone.
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
        if self._wells.is_cancelled:
            self._wells.cancel()
        if self._wells.pending:
            await self._wells.run(self._open_cluster)
            self._results.clear_temporary()
        message = await asyncio.to_thread(self._combine_tables)
        kind = EventKind.RUN_CANCELLED if self._wells.is_cancelled else EventKind.RUN_FINISHED
        self._say(kind, message=message)

    def cancel(self) -> None:
        """Cancel every well that is not done, also before `run`; the workers that have one are killed."""
        self._wells.cancel()

    def answer(self, request: Request) -> Mapping[str, Json]:
        """Do what a control request asks; raises `RunError` where that cannot be."""
        match request:
            case {"do": "cancel"}:
                self.cancel()
                return {}
            case {"do": "cancel_well", "well": str() as well}:
                self._wells.cancel_well(well)
                return {}
            case {"do": "status"}:
                pids: dict[str, Json] = {well: worker.pid for well, worker in self._wells.running.items()}
                workers = status_to_json(self._wells.worker_statuses())
                return {"running": pids, "pending": [*self._wells.pending], "workers": workers}
        raise RunError(f"request: {dict(request)}; expected do: cancel, cancel_well (with well) or status.")

    def _reuse_or_queue(self, plan: WellPlan) -> None:
        if not is_done(plan, self._results.path):
            self._wells.add(plan)
            return
        provenance = self._results.read_provenance(plan.well) or {}
        self._say(EventKind.WELL_REUSED, plan.well, objects=provenance.get("objects"))

    def _open_cluster(self) -> AbstractAsyncContextManager[WellCluster]:
        """Our own workers, or those of the scheduler that the request names."""
        # Dask takes 0.4 s to import: a run that only reuses wells does without, and the journal has begun meanwhile.
        request = self._request
        if request.execution.scheduler is not None:
            from openhcs.core.foreign_cluster import foreign_cluster
            from openhcs.core.surroundings import surroundings

            expected = surroundings(self._folder, request.out, self._plans[0])
            return foreign_cluster(request.execution.scheduler, expected, self._folder.run_id, self._wells)
        from openhcs.core.embedded_cluster import embedded_cluster

        workers = min(request.workers or 1, len(self._wells.pending))
        run_id = self._folder.run_id
        return embedded_cluster(workers, request.memory_limit_bytes, self._scratch, run_id, self._wells)

    def _combine_tables(self) -> str:
        """Write the tables of all wells; return what the user should know about them."""
        done = self._results.done_wells()
        same = self._results.done_wells(recipe_of(self._plans[0]))
        if not same:
            return ""
        from openhcs.core.tables import combine_tables  # polars: 0.2 s, at the end of a run only

        combine_tables(self._results, same, csv=self._request.csv)
        others = [well for well in done if well not in same]
        if not others:
            return ""
        were = "1 well here was" if len(others) == 1 else f"{len(others)} wells here were"
        apart = "is" if len(others) == 1 else "are"
        return (
            f"{were} made by another version of the pipeline and {apart} not in the combined tables: "
            f"{', '.join(others)}."
        )

    def _say(self, kind: EventKind, well: str | None = None, /, **data: Json) -> None:
        self._journal.append(Event(time.time(), kind, well, data))
