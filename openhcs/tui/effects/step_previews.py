"""Trying a step for the preview dialog, in a thread that drives a process of its own.

The engine is imported in the thread: pydantic, numpy and, for what comes back, zarr and polars.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from openhcs.core.model import Pipeline, PlateIndex
from openhcs.tui.effects.preferences import Preferences
from openhcs.tui.utils.daemon_thread import in_daemon_thread

if TYPE_CHECKING:
    from openhcs.core.step_preview import PreviewDesk, StepPreview

__all__ = ["StepPreviews"]


class StepPreviews:
    """Makes previews of steps until it is closed."""

    def __init__(self, preferences: Preferences) -> None:
        self._preferences = preferences
        self._desk: PreviewDesk | None = None
        self._making_desk = threading.Lock()

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

        Cancelling the wait ends the process that works on it. `report` is called in another thread.

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

            planned = plan_preview(index, pipeline, step, well, site, modules)
            return self._get_desk().carry_out(planned, report, stopped), planned.takes_all_sites

        try:
            return await in_daemon_thread(work, f"try step {step + 1} on {well}")
        except asyncio.CancelledError:
            stopped.set()
            if self._desk is not None:
                self._desk.stop()
            raise

    async def close(self) -> None:
        """End the process and remove what it has made."""
        desk, self._desk = self._desk, None
        if desk is not None:
            desk.stop()
            await in_daemon_thread(desk.close, "clean up after previews")

    def _get_desk(self) -> PreviewDesk:
        from openhcs.core.step_preview import PreviewDesk

        with self._making_desk:
            if self._desk is None:
                self._desk = PreviewDesk()
            return self._desk
