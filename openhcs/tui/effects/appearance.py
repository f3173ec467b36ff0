"""The theme: changed while the workbench runs, kept in the settings."""

from __future__ import annotations

from prompt_toolkit.application import get_app
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.styles import BaseStyle, DynamicStyle

from openhcs.core import paths
from openhcs.tui import actions
from openhcs.tui.effects.pick_dialog import Choice, pick
from openhcs.tui.effects.preferences import Preferences
from openhcs.tui.effects.screen_settings import read_screen_settings
from openhcs.tui.ports import TaskSpawner
from openhcs.tui.state import AppState
from openhcs.tui.widgets.themes import Theme, style_of
from openhcs.tui.workbench import Severity

__all__ = ["Appearance"]

_WHAT_FOR = {
    Theme.DARK: "light text on a dark ground",
    Theme.LIGHT: "dark text on a light ground",
    Theme.CONTRAST: "white on black, bright colours",
    Theme.NONE: "the terminal's own colours; weight and reversal only",
}


class Appearance:
    """The theme of one session, `theme` at first."""

    def __init__(self, state: AppState, tasks: TaskSpawner, preferences: Preferences, theme: Theme) -> None:
        self._state = state
        self._tasks = tasks
        self._preferences = preferences
        self._theme = theme

    @property
    def style(self) -> BaseStyle:
        """The style to draw with, which follows the theme and what the terminal can show."""
        return DynamicStyle(lambda: style_of(self._theme, sixteen=get_app().color_depth is ColorDepth.DEPTH_4_BIT))

    def follow_settings(self) -> None:
        """Take the theme that the settings name now."""
        self._theme = read_screen_settings().theme

    async def choose(self) -> None:
        """Let the user choose a theme, each shown as soon as it is highlighted, and keep it in the settings."""
        before = self._theme
        themes = sorted(Theme, key=lambda theme: theme is not before)
        chosen = await pick(
            "Theme",
            [Choice(theme.value, _WHAT_FOR[theme], theme) for theme in themes],
            on_highlight=self._show,
            app_state=self._state,
            tasks=self._tasks,
        )
        self._show(before if chosen is None else chosen.value)
        if chosen is not None and chosen.value is not before:
            await self._preferences.change({"theme": chosen.value.value})
            text = f"Theme {chosen.value.value}, kept in {paths.settings_file()}"
            self._state.dispatch(actions.MessageShown(text, Severity.INFO))

    def _show(self, theme: Theme) -> None:
        self._theme = theme
