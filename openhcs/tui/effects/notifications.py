"""Telling that a long run has ended to somebody who is not looking at the screen."""

from __future__ import annotations

from pathlib import Path

from prompt_toolkit.application import get_app

from openhcs.core.progress import RunState
from openhcs.tui.effects.preferences import Preferences
from openhcs.tui.ports import TaskSpawner
from openhcs.tui.run_text import end_words
from openhcs.tui.state import AppState
from openhcs.tui.utils.terminal_notice import notify_terminal
from openhcs.tui.workbench import PlateRow

__all__ = ["Notifications"]


class Notifications:
    """Watches the runs of all plates; those that end after `notify_after_s` of the settings are told.

    A run that the user cancelled ends under their eyes, and one that had ended when the workbench came to know of it is
    no news.
    """

    def __init__(self, state: AppState, tasks: TaskSpawner, preferences: Preferences) -> None:
        self._state = state
        self._tasks = tasks
        self._preferences = preferences
        self._running: frozenset[Path] = frozenset()
        state.subscribe(self._look)

    def _look(self) -> None:
        plates = self._state.workbench.plates
        going = frozenset(row.folder for row in plates if row.progress and not row.progress.state.has_ended)
        for row in plates:
            if row.folder in self._running - going and row.progress and row.progress.state is not RunState.CANCELLED:
                self._tasks.fire_and_forget(self._tell(row, row.progress.took_s or 0.0), f"notify of {row.name}")
        self._running = going

    async def _tell(self, row: PlateRow, took_s: float) -> None:
        after_s = (await self._preferences.settings()).notify_after_s
        if after_s is not None and took_s >= after_s and row.progress is not None:
            notify_terminal(get_app().output, f"OpenHCS: {row.name} {end_words(row.progress)[0]}")
