"""The folders that people come back to in the file browser: bookmarks, and those something was chosen in lately.

A file of its own, read again before each change: whoever else keeps what the program remembers cannot overwrite it,
nor can another workbench that is open. A broken file is set aside, with a warning.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field

from openhcs.core import paths
from openhcs.core.yaml_model import read_or_set_aside, write_model
from openhcs.errors import StoreError

__all__ = ["RECENT_AT_MOST", "Places", "change_places", "load_places"]

log = logging.getLogger(__name__)

RECENT_AT_MOST: Final = 12

_changing: Final = threading.Lock()


class Places(BaseModel):
    """Bookmarks in the order they were set, recent folders newest first."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    bookmarks: tuple[Path, ...] = Field(default=(), description="folders bookmarked")
    recent: tuple[Path, ...] = Field(default=(), description="folders in which something was chosen, newest first")

    def with_bookmark(self, folder: Path) -> Self:
        """The same with a bookmark at `folder`."""
        others = (other for other in self.bookmarks if other != folder)
        return self.model_copy(update={"bookmarks": (*others, folder)})

    def without_bookmark(self, folder: Path) -> Self:
        """The same without a bookmark at `folder`."""
        return self.model_copy(update={"bookmarks": tuple(other for other in self.bookmarks if other != folder)})

    def with_recent(self, folder: Path) -> Self:
        """The same with `folder` as the most recent one."""
        others = (other for other in self.recent if other != folder)
        return self.model_copy(update={"recent": (folder, *others)[:RECENT_AT_MOST]})


def load_places(file: Path | None = None) -> Places:
    """The places kept; none, with a warning, where the file cannot be understood."""
    return read_or_set_aside(file or _places_file(), Places, "Bookmarks")


def change_places(change: Callable[[Places], Places], file: Path | None = None) -> Places:
    """Change the places kept; returns them. Failing to write is a warning: they hold until the program ends."""
    file = file or _places_file()
    with _changing:
        before = load_places(file)
        places = change(before)
        if places != before:
            try:
                write_model(file, places)
            except StoreError as error:
                log.warning("Bookmarks are not kept: %s", error)
        return places


def _places_file() -> Path:
    return paths.state_folder() / "places.yaml"
