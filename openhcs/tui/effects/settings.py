"""Editing the settings from the workbench."""

from __future__ import annotations

from collections.abc import Callable

from openhcs.tui import actions
from openhcs.tui.editors.settings_editor import edit_settings
from openhcs.tui.effects.preferences import Preferences
from openhcs.tui.ports import TaskSpawner
from openhcs.tui.state import AppState
from openhcs.tui.utils.safe_text import visible_path
from openhcs.tui.workbench import Severity

__all__ = ["SettingsEffects"]


class SettingsEffects:
    """Shows the settings and writes what was changed; it holds for what is started from then on."""

    def __init__(
        self, state: AppState, tasks: TaskSpawner, preferences: Preferences, on_change: Callable[[], None]
    ) -> None:
        self._state = state
        self._tasks = tasks
        self._preferences = preferences
        self._on_change = on_change

    async def edit(self) -> None:
        """Let the user edit the settings.

        Raises:
            SettingsError: they cannot be read.
            StoreError: they cannot be written.
        """
        known = await self._preferences.known()
        change = await edit_settings(known, app_state=self._state, tasks=self._tasks)
        if change is None:
            return
        await self._preferences.change(change.changes, change.resets)
        self._on_change()
        text = f"Settings kept, for what is started from now on: {visible_path(known.file)}"
        self._state.dispatch(actions.MessageShown(text, Severity.OK))
