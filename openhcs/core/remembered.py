"""The little that the program remembers between starts: recent plates and pipelines, the folder last browsed.

A file that is broken is set aside and the program starts without it; nothing of the user's is lost with it.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from openhcs.core import paths
from openhcs.core.yaml_model import read_or_set_aside, write_model
from openhcs.errors import StoreError

__all__ = ["REMEMBERED_AT_MOST", "Remembered", "load_remembered", "save_remembered"]

log = logging.getLogger(__name__)

REMEMBERED_AT_MOST = 20
"""Recent plates, and recent pipelines, that are kept."""


class Remembered(BaseModel):
    """What the program remembers between starts, most recent first."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    folder: Path | None = Field(default=None, description="folder last browsed")
    plates: tuple[Path, ...] = Field(default=(), description="plates opened")
    pipelines: tuple[Path, ...] = Field(default=(), description="pipeline files opened or saved")
    listed: tuple[Path, ...] = Field(default=(), description="plates on the list of the workbench, in its order")

    tour_seen: bool = Field(default=False, description="whether the tour for newcomers has been shown")

    def with_folder(self, folder: Path) -> Self:
        """The same with `folder` as the one last browsed."""
        return self.model_copy(update={"folder": folder})

    def with_tour_seen(self) -> Self:
        """The same once the tour has been shown."""
        return self.model_copy(update={"tour_seen": True})

    def with_listed(self, plates: tuple[Path, ...]) -> Self:
        """The same with `plates` as those on the list."""
        return self.model_copy(update={"listed": plates})

    def with_plate(self, plate: Path) -> Self:
        """The same with `plate` as the most recent one."""
        return self.model_copy(update={"plates": _most_recent(plate, self.plates)})

    def with_pipeline(self, pipeline: Path) -> Self:
        """The same with `pipeline` as the most recent one."""
        return self.model_copy(update={"pipelines": _most_recent(pipeline, self.pipelines)})


def load_remembered(file: Path | None = None) -> Remembered:
    """Read what the program remembers; a file that cannot be understood is set aside, with a warning."""
    return read_or_set_aside(file or paths.remembered_file(), Remembered, "Recent plates and pipelines")


def save_remembered(remembered: Remembered, file: Path | None = None) -> None:
    """Write what the program remembers; failing to is a warning, since nothing of the user's is lost."""
    try:
        write_model(file or paths.remembered_file(), remembered)
    except StoreError as error:
        log.warning("Recent plates and pipelines are not remembered: %s", error)


def _most_recent(path: Path, others: tuple[Path, ...]) -> tuple[Path, ...]:
    return (path, *(other for other in others if other != path))[:REMEMBERED_AT_MOST]
