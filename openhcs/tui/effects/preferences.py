"""Settings and remembered paths, read when they are first needed, in a thread, and written behind the user's back.

`openhcs.core.config` is imported there too: pydantic costs a quarter of a second, which the first frame need not wait
for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from openhcs.tui.utils.daemon_thread import in_daemon_thread

if TYPE_CHECKING:
    from openhcs.core.config import KnownSettings, Settings
    from openhcs.core.remembered import Remembered

__all__ = ["Preferences"]


class Preferences:
    """The settings of the user and what the program remembers, for one session of the workbench."""

    def __init__(self) -> None:
        self._settings: Settings | None = None
        self._remembered: Remembered | None = None
        self._loading = asyncio.Lock()
        self._writing = asyncio.Lock()

    async def settings(self) -> Settings:
        """The user's settings; raises SettingsError where the file is wrong, and reads it anew the next time."""
        async with self._loading:
            if self._settings is None:
                self._settings = await in_daemon_thread(_load_settings, "read the settings")
            return self._settings

    async def known(self) -> KnownSettings:
        """The settings as they are now, with where each comes from; raises SettingsError."""
        return await in_daemon_thread(_read_settings, "read the settings")

    async def change(self, changes: Mapping[str, object], reset: Collection[str] = ()) -> None:
        """Give settings other values, or those of `reset` their defaults, in the settings file.

        Raises:
            SettingsError: the settings there are cannot be read; they are left as they are.
            StoreError: they cannot be written.
        """
        await in_daemon_thread(lambda: _change_settings(changes, reset), "write the settings")
        async with self._loading:
            self._settings = None

    async def remembered(self) -> Remembered:
        """What the program remembers between starts."""
        async with self._loading:
            if self._remembered is None:
                self._remembered = await in_daemon_thread(_load_remembered, "read recent paths")
            return self._remembered

    async def remember_plates(self, folders: tuple[Path, ...]) -> None:
        """Keep `folders` as the most recent plates, and the folder they are in as the last one browsed."""
        remembered = await self.remembered()
        for folder in folders:
            remembered = remembered.with_plate(folder).with_folder(folder.parent)
        await self._keep(remembered)

    async def remember_pipeline(self, file: Path) -> None:
        """Keep `file` as the most recent pipeline."""
        await self._keep((await self.remembered()).with_pipeline(file))

    async def remember_tour(self) -> None:
        """Keep that the tour has been shown."""
        await self._keep((await self.remembered()).with_tour_seen())

    async def remember_listed(self, folders: tuple[Path, ...]) -> None:
        """Keep `folders` as the plates on the list; returns when that is written."""
        await self._keep((await self.remembered()).with_listed(folders))

    async def _keep(self, remembered: Remembered) -> None:
        is_new = remembered != self._remembered
        self._remembered = remembered
        # One after the other: the file is to hold what came last.
        async with self._writing:
            if is_new:
                last = self._remembered
                await in_daemon_thread(lambda: _save_remembered(last), "write recent paths")


def _load_settings() -> Settings:
    from openhcs.core.config import load_settings

    return load_settings()


def _read_settings() -> KnownSettings:
    from openhcs.core.config import read_settings

    return read_settings()


def _change_settings(changes: Mapping[str, object], reset: Collection[str]) -> None:
    from openhcs.core.config import change_settings

    change_settings(changes, reset)


def _load_remembered() -> Remembered:
    from openhcs.core.remembered import load_remembered

    return load_remembered()


def _save_remembered(remembered: Remembered) -> None:
    from openhcs.core.remembered import save_remembered

    save_remembered(remembered)
