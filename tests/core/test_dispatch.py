"""Wells on their way through workers: what is left of it when nobody waits for it any more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from openhcs.core.cluster import WellCluster, Worker
from openhcs.core.dispatch import Dispatch
from openhcs.core.journal import EventKind, Json
from openhcs.core.model import WellPlan
from openhcs.core.progress import Failure, WellDone
from openhcs.core.run_folder import RunRequest

PLAN = WellPlan(
    well="A01",
    root="/nowhere",
    plate="P",
    format="ImageXpress",
    channels=(),
    pixel_size_um=None,
    planes=(),
    steps=(),
    independent=(),
    versions={},
    hash="of the plan",
)


class BusyCluster:
    """One worker, which never ends its well; `has_well` is set when it has it."""

    trouble = ""
    workers = (Worker("here", "localhost", 1),)

    def __init__(self) -> None:
        self.has_well = asyncio.Event()
        self.is_closed = False

    async def prepare_results(self, worker: Worker, out: Path, plate: str) -> Failure | None:
        return None

    async def run_well(self, worker: Worker, plan: WellPlan, out: Path) -> WellDone | Failure:
        self.has_well.set()
        return await asyncio.Future()

    def kill(self, worker: Worker) -> None:
        raise AssertionError

    give_up = kill

    def memory_bytes(self, worker: Worker) -> int:
        return 0


def say(kind: EventKind, well: str | None = None, /, **data: Json) -> None:
    """A journal that nobody reads."""


@pytest.mark.parametrize("opens", [True, False], ids=["with a well begun", "while workers start"])
def test_a_cancelled_dispatch_leaves_no_task(tmp_path: Path, opens: bool) -> None:
    """Whoever cancels it waits until its wells are given up and the cluster is closed, or has given up starting."""

    async def live() -> None:
        cluster = BusyCluster()

        @asynccontextmanager
        async def open_cluster() -> AsyncIterator[WellCluster]:
            if not opens:
                cluster.has_well.set()
                await asyncio.Future()
            try:
                yield cluster
            finally:
                cluster.is_closed = True

        dispatch = Dispatch(RunRequest(plate="p", pipeline="q", out=tmp_path, workers=1), say)
        dispatch.add(PLAN)
        running = asyncio.create_task(dispatch.run(open_cluster))
        await cluster.has_well.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert cluster.is_closed is opens

    asyncio.run(live())
