"""The settings that the first frame needs, read without what all settings need: pydantic, a quarter of a second.

What is wrong in the file or the environment counts as not said; it is told with all settings, which come later.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from openhcs.core import paths
from openhcs.tui.utils.screen_output import is_gnu_screen
from openhcs.tui.widgets.themes import Theme

__all__ = ["ScreenSettings", "read_screen_settings"]

_YES: Final = frozenset({"1", "true", "yes", "on", "y", "t"})
_NO: Final = frozenset({"0", "false", "no", "off", "n", "f"})
_ENCODINGS: Final = {"unicode": "utf-8", "ascii": "ascii"}


@dataclass(frozen=True, slots=True)
class ScreenSettings:
    """How the screen is drawn. `characters` is an encoding; None goes by the locale."""

    theme: Theme = Theme.DARK
    plain: bool = False
    mouse: bool = True
    characters: str | None = None

    def but_with(self, *, plain: bool | None, mouse: bool | None, characters: str | None) -> ScreenSettings:
        """These, but for what the command line says; None is not said."""
        return replace(
            self,
            plain=self.plain if plain is None else plain,
            mouse=self.mouse if mouse is None else mouse,
            characters=self.characters if characters is None else characters,
        )


def read_screen_settings() -> ScreenSettings:
    """What the environment says, else the settings file, else the defaults; in GNU screen without the mouse."""
    said = {name: os.environ.get(f"OPENHCS_{name.upper()}") for name in ScreenSettings.__slots__}
    told = _settings_file() | {name: value for name, value in said.items() if value is not None}
    known = ScreenSettings()
    theme = told.get("theme")
    return ScreenSettings(
        theme=Theme(str(theme)) if theme in set(Theme) else known.theme,
        plain=_truth(told.get("plain"), known.plain),
        mouse=_truth(told.get("mouse"), not is_gnu_screen(os.environ)),
        characters=_ENCODINGS.get(str(told.get("characters"))),
    )


def _settings_file() -> dict[str, object]:
    file = paths.settings_file()
    if file.exists():
        # YAML takes 15 ms to import, before the first frame: only where a setting was changed.
        from openhcs.core.yaml_text import YamlText

        with suppress(OSError, ValueError):
            settings = YamlText.parse(file.read_text(encoding="utf-8")).data
            if isinstance(settings, dict):
                return settings
    return {}


def _truth(value: object, otherwise: bool) -> bool:
    word = str(value).lower()
    return word in _YES or (otherwise and word not in _NO)
