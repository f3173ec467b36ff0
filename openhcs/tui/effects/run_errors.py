"""What went wrong in the processes of a run, brought to the error journal of the workbench: each once.

A failed well stands in the run's view, so nothing pops up for it. A runner that ends before its time is told in a
dialog: as an error, or as a refusal where it could say itself why it did not go on. What happened while no workbench
was open is told in the status bar by the next one. Errors come in small batches, because a plate on which every well
fails is not a storm to be dropped.

Checked by tests/tui/layout/test_errors_of_runs.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from openhcs.core.progress import RunProgress
from openhcs.core.remembered_runs import followed_runs
from openhcs.errors import RunError, StoreError
from openhcs.tui import actions
from openhcs.tui.run_text import count_of
from openhcs.tui.state import AppState
from openhcs.tui.utils import dialog_helpers
from openhcs.tui.utils.daemon_thread import in_daemon_thread
from openhcs.tui.utils.safe_error_handler import get_error_handler
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.utils.unified_task_manager import UnifiedTaskManager
from openhcs.tui.workbench import Severity

if TYPE_CHECKING:
    from openhcs.core.orchestrator import Run
    from openhcs.core.run_errors import RunFailure

__all__ = ["ErrorPlace", "RunErrors"]

BATCH: Final = 6
PAUSE_S: Final = 0.15


@dataclass(frozen=True, slots=True)
class ErrorPlace:
    """Of which plate an error is, and of which well, if it is of one."""

    folder: Path
    well: str | None


class RunErrors:
    """Tells the errors of runs that are followed here, and of those that went on without a workbench.

    `places` says of each context in which an error was told of what it is.
    """

    def __init__(self, state: AppState, tasks: UnifiedTaskManager) -> None:
        self._state = state
        self._tasks = tasks
        self._followed = followed_runs()
        self._stands: dict[Path, tuple[int, bool]] = {}
        self._telling = asyncio.Lock()
        self.places: dict[str, ErrorPlace] = {}

    async def begin(self, run: Run) -> None:
        """Remember `run`: whatever happens to this process, what goes wrong in it is told once."""
        self._stands.pop(run.out, None)
        await in_daemon_thread(partial(self._followed.add, run.out), "remember the run")

    def look(self, run: Run, name: str, progress: RunProgress) -> None:
        """See to it that what is new in `progress`, the last of `run` on the plate `name`, is told; returns at once."""
        stands = progress.failed, progress.state.has_ended
        if stands != self._stands.get(run.out, (0, False)):
            self._stands[run.out] = stands
            self._tasks.fire_and_forget(self._tell(run, name, is_in_view=True), f"tell the errors of the run of {name}")

    async def tell_what_was_left(self) -> None:
        """Tell of the runs that an earlier workbench followed and did not see the end of."""
        for out in await in_daemon_thread(self._followed.all, "look for runs that were left"):
            run = await in_daemon_thread(partial(_attach, out), f"look at the run in {out.name}")
            if run is None:
                await in_daemon_thread(partial(self._followed.discard, out), "forget the run")
                continue
            name = run.progress.plate or out.name
            told = await self._tell(run, name, is_in_view=False)
            if told:
                count = count_of(told, "error")
                text = f"{visible(name)}: {count} since the workbench was left: Help, Errors has them"
                self._state.dispatch(actions.MessageShown(text, Severity.WARNING))

    async def _tell(self, run: Run, name: str, *, is_in_view: bool) -> int:
        """Tell all that nobody has told, how many that was; a run that has ended is then forgotten."""
        told = 0
        async with self._telling:
            has_ended = run.progress.state.has_ended
            while batch := await in_daemon_thread(
                partial(self._tell_batch, run, name, is_in_view), f"tell the errors of the run of {name}"
            ):
                told += len(batch)
                for refusal in (failure for failure in batch if is_in_view and failure.is_refusal):
                    shown = dialog_helpers.show_refusal(refusal.error(), _context(refusal, name), self._state)
                    self._tasks.fire_and_forget(shown, f"tell why the run of {name} ended")
                await asyncio.sleep(PAUSE_S)
        if has_ended:
            await in_daemon_thread(partial(self._followed.discard, run.out), "forget the run")
        return told

    def _tell_batch(self, run: Run, name: str, is_in_view: bool) -> Sequence[RunFailure]:
        with run.untold_failures(BATCH) as failures:
            folder = run.plate_folder if failures else None
            for failure in failures:
                context = _context(failure, name)
                if folder is not None:
                    self.places[context] = ErrorPlace(folder, failure.well)
                if not (is_in_view and failure.is_refusal):  # told in a dialog of its own, by the caller
                    _tell_one(failure, context, is_in_view)
        return failures


def _context(failure: RunFailure, name: str) -> str:
    return f"go on with the run of {name}" if failure.is_refusal else f"{failure.source} of {name}"


def _tell_one(failure: RunFailure, context: str, is_in_view: bool) -> None:
    handler = get_error_handler()
    if is_in_view and failure.well is None:
        handler.handle_error_sync(failure.error(), context)
    else:
        # A failed well stands in the run's view; what happened before is told in one, by the caller.
        handler.note_error(failure.error(), context, is_in_view=is_in_view)


def _attach(out: Path) -> Run | None:
    from openhcs.core.orchestrator import Run  # with the compiler it imports pydantic and numpy

    try:
        run = Run.attach(out)
    except (RunError, StoreError):
        return None
    run.poll()
    return run
