"""Runs followed until they end: what is new in them is dispatched, and what went wrong in them is told.

A run belongs to its runner process, so a workbench that is left ends the following of it, never the run. One that waits
for its turn is followed as well; where it stands in the line is `run_queue`'s.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from openhcs.core.progress import RunProgress, RunState
from openhcs.errors import StoreError
from openhcs.tui import actions
from openhcs.tui.effects.live_runs import remember_run
from openhcs.tui.effects.plate_news import PlateNews, never_began
from openhcs.tui.effects.run_errors import RunErrors
from openhcs.tui.effects.run_queue import RunQueue
from openhcs.tui.run_text import count_of
from openhcs.tui.state import AppState
from openhcs.tui.utils.daemon_thread import in_daemon_thread
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.workbench import Activity

if TYPE_CHECKING:
    from openhcs.core.orchestrator import Run

__all__ = ["RunFollowing"]

POLL_S: Final = 0.15
WAITING_POLL_S: Final = 0.5
"""Many plates may wait, and each look takes a thread."""


class RunFollowing:
    """The runs that are followed here, by the folders of their plates."""

    def __init__(self, state: AppState, queue: RunQueue, errors: RunErrors, news: PlateNews) -> None:
        self._state = state
        self._queue = queue
        self._errors = errors
        self._news = news
        self._runs: dict[Path, Run] = {}

    def __contains__(self, folder: Path) -> bool:
        return folder in self._runs

    def waits(self, folder: Path) -> bool:
        """Whether the plate has a run that waits for its turn."""
        return folder in self._runs and self._runs[folder].progress.state is RunState.WAITING

    async def follow(self, folder: Path, run: Run, begins: str = "") -> None:
        """Follow a run to its end, and tell of it; `begins` is told when its turn has come."""
        self._runs[folder] = run
        try:
            self._news.end_run(folder, await self._follow(folder, run, begins))
        finally:
            del self._runs[folder]

    async def follow_found(self, folder: Path, run: Run) -> None:
        """Follow a run that was begun elsewhere, or waits for its turn."""
        progress = run.progress
        how = f"goes on, {progress.finished + progress.failed} of {count_of(progress.total, 'well')} done"
        how = "waits for its turn" if progress.state is RunState.WAITING else how
        self._news.tell(f"{self._news.called(folder)}: a run with {visible(progress.pipeline)} {how}")
        self._state.dispatch(actions.ActivityChanged(folder, Activity.STARTING))
        with nullcontext() if folder in self._queue else self._queue.place(folder):
            await self.follow(folder, run)

    async def cancel(self, folder: Path) -> None:
        """Cancel the run of the plate in `folder`, if there is one, without asking."""
        run = self._runs.get(folder)
        if run is not None:
            self._state.dispatch(actions.ActivityChanged(folder, Activity.CANCELLING))
            await in_daemon_thread(run.cancel, f"cancel {folder.name}")

    async def cancel_well(self, folder: Path, well: str) -> None:
        """Cancel one well of a run; the others go on."""
        run = self._runs.get(folder)
        if run is not None:
            await in_daemon_thread(lambda: run.cancel_well(well), f"cancel {folder.name} {well}")
            self._news.tell(f"Well {well} is being cancelled")

    async def _follow(self, folder: Path, run: Run, begins: str) -> RunProgress:
        """Dispatch what is new in a run until it ends."""
        self._queue.enter(folder, run.run_id)
        await in_daemon_thread(partial(remember_run, run.out), "remember the run")
        await self._errors.begin(run)
        progress = await self._wait_turn(folder, run)
        if never_began(progress):
            # It was no run: the plate stands as it did.
            self._state.dispatch(actions.ActivityChanged(folder, None))
            self._errors.look(run, self._news.name(folder), progress)
            return progress
        self._queue.take_turn(folder)
        if begins:
            self._news.tell(begins)
        while True:
            self._state.dispatch(actions.RunProgressed(folder, progress))
            self._errors.look(run, self._news.name(folder), progress)
            self._state.dispatch(actions.ClockTicked(round(time.time() * 2) / 2))
            if progress.state.has_ended:
                return progress
            await asyncio.sleep(POLL_S)
            progress = await in_daemon_thread(run.poll, f"follow {folder.name}")

    async def _wait_turn(self, folder: Path, run: Run) -> RunProgress:
        """How a run stands once it has begun, or has ended without."""
        while True:
            progress = await in_daemon_thread(run.poll, f"follow {folder.name}")
            row = self._state.workbench.find(folder)
            shown = row.activity if row is not None else None
            if progress.state is RunState.WAITING:
                if shown is Activity.STARTING:
                    self._news.begin(folder, Activity.QUEUED)
                if row is not None and row.to_do != progress.total:
                    self._state.dispatch(actions.RunWaits(folder, progress.total))
                with suppress(StoreError):  # places are shown as they were
                    await self._queue.look()
            elif progress.state is not RunState.STARTING:
                if shown is Activity.QUEUED:
                    self._state.dispatch(actions.ActivityChanged(folder, Activity.STARTING))
                return progress
            await asyncio.sleep(WAITING_POLL_S if progress.state is RunState.WAITING else POLL_S)
