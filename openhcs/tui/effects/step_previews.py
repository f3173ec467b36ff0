"""Trying a step for the preview dialog, in a thread that drives a process of its own.

The engine is imported in the thread: pydantic, numpy and, for what comes back, zarr and polars.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from openhcs.core.model import Pipeline, PlateIndex
from openhcs.tui.effects.preferences import Preferences
from openhcs.tui.utils.daemon_thread import in_daemon_thread

if TYPE_CHECKING:
    from openhcs.core.step_preview import PreviewDesk, StepPreview

__all__ = ["StepPreviews"]

_GRACE_S: Final = 1.0
"""How long work that is not wanted any more may go on: starting a process anew takes at least as long."""


class StepPreviews:
    """Makes previews of steps until it is closed."""

    def __init__(self, preferences: Preferences) -> None:
        self._preferences = preferences
        self._desk: PreviewDesk | None = None
        self._making_desk = threading.Lock()
        self._is_closed = False

    async def make(
        self,
        index: PlateIndex,
        pipeline: Pipeline,
        step: int,
        well: str,
        site: int,
        report: Callable[[int, int, str], None],
    ) -> tuple[StepPreview, bool]:
        """Try step number `step` on one site of a well; also tells whether all sites had to be taken.

        Cancelling the wait ends the work: what is nearly done is let finish, as a new process would take longer.
        `report` is called in another thread.

        Raises:
            PipelineError: the steps cannot run on this plate.
            WellError: a step failed.
            RunError: the process went away.
            StoreError: results cannot be written.
        """
        modules = (await self._preferences.settings()).function_modules
        stopped = threading.Event()

        def work() -> tuple[StepPreview, bool]:
            from openhcs.core.step_preview import plan_preview

            desk = self._get_desk()
            try:
                desk.start()
                planned = plan_preview(index, pipeline, step, well, site, modules)
                return desk.carry_out(planned, report, stopped), planned.takes_all_sites
            finally:
                if self._is_closed:
                    desk.close()  # it came to be when nobody could close it any more

        try:
            return await in_daemon_thread(work, f"try step {step + 1} on {well}")
        except asyncio.CancelledError:
            stopped.set()
            asyncio.get_running_loop().call_later(_GRACE_S, self._stop, stopped)
            raise

    def _stop(self, stopped: threading.Event) -> None:
        if self._desk is not None:
            self._desk.stop(stopped)

    async def close(self) -> None:
        """End the process and remove what it has made."""
        self._is_closed = True
        desk = self._desk
        if desk is not None:
            desk.stop()
            await in_daemon_thread(desk.close, "clean up after previews")

    def _get_desk(self) -> PreviewDesk:
        from openhcs.core.step_preview import PreviewDesk

        with self._making_desk:
            if self._desk is None:
                self._desk = PreviewDesk()
            return self._desk
