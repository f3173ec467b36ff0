"""Plates read and compiled: the engine's orchestrators, one a plate, and few of them at work at the same time.

The orchestrator is imported in a thread at first use: with the compiler it brings pydantic and numpy, which the first
frame need not wait for.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from openhcs.core.model import Pipeline, PlateIndex
from openhcs.tui import actions
from openhcs.tui.effects.plate_news import PlateNews
from openhcs.tui.effects.preferences import Preferences
from openhcs.tui.run_text import count_of
from openhcs.tui.state import AppState
from openhcs.tui.utils.daemon_thread import in_daemon_thread
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.workbench import Activity, PlateFacts, Severity

if TYPE_CHECKING:
    from openhcs.core.orchestrator import Orchestrator

__all__ = ["PlatePreparation"]

PREPARED_AT_ONCE: Final = 2
"""How many plates are read and compiled at the same time: a disk is not faster for more, and each takes memory."""


class PlatePreparation:
    """Initialises and compiles plates. What it raises is the engine's."""

    def __init__(self, state: AppState, preferences: Preferences, news: PlateNews) -> None:
        self._state = state
        self._preferences = preferences
        self._news = news
        self._orchestrators: dict[Path, Orchestrator] = {}
        self._at_work = asyncio.Semaphore(PREPARED_AT_ONCE)

    def index_of(self, folder: Path) -> PlateIndex | None:
        """Every plane of the plate in `folder`, once it is initialised."""
        orchestrator = self._orchestrators.get(folder)
        return orchestrator.index if orchestrator is not None else None

    async def orchestrator(self, folder: Path) -> Orchestrator:
        """The one of the plate in `folder`, the same each time."""
        settings = await self._preferences.settings()

        def make() -> Orchestrator:
            from openhcs.core.orchestrator import Orchestrator

            return Orchestrator(folder, settings.function_modules)

        if folder not in self._orchestrators:
            self._orchestrators[folder] = await in_daemon_thread(make, "import the engine")
        return self._orchestrators[folder]

    @asynccontextmanager
    async def turn(self, folder: Path) -> AsyncIterator[None]:
        """Wait until there are few enough others, of which the user is told, and keep the place for the block."""
        if self._at_work.locked():
            self._news.begin(folder, Activity.QUEUED)
        async with self._at_work:
            yield

    async def initialise(self, folder: Path, orchestrator: Orchestrator) -> None:
        """Read what the plate has."""
        self._news.begin(folder, Activity.INITIALISING)
        facts = await in_daemon_thread(lambda: PlateFacts.of(orchestrator.initialise()), f"initialise {folder.name}")
        self._state.dispatch(actions.PlateInitialised(folder, facts))
        found = f"{visible(facts.name)}: {count_of(facts.images, 'image')} in {count_of(len(facts.wells), 'well')}"
        count = len(facts.discrepancies)
        if count:
            self._news.tell(f"{found}; {count} {'discrepancy' if count == 1 else 'discrepancies'}", Severity.WARNING)
        else:
            self._news.tell(found, Severity.OK)

    async def compile(self, folder: Path, orchestrator: Orchestrator, pipeline: Pipeline) -> None:
        """Make the plans of all wells."""
        self._news.begin(folder, Activity.COMPILING)
        plans = await in_daemon_thread(lambda: orchestrator.compile(pipeline), f"compile {folder.name}")
        self._state.dispatch(actions.PlateCompiled(folder, pipeline, orchestrator.estimate.text))
        wells = count_of(len(plans), "well")
        self._news.tell(f"{self._news.called(folder)}: {wells} compiled with {visible(pipeline.name)}", Severity.OK)
