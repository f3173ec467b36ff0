"""Plate formats of other distributions, found by their entry points in the group `openhcs.formats`.

They are looked for when no format of our own fits, so they cost nobody's start; and what goes wrong in one is an error
that names its distribution, never the end of the program. Standard library only.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from openhcs.core.formats.plate_format import PlateFormat
from openhcs.core.model import PlateIndex
from openhcs.errors import OpenHCSError, PlaneError, PlateError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["FormatPlugin", "format_plugins"]

GROUP = "openhcs.formats"
"""Each entry point names a class without arguments, or an object, with the shape of `PlateFormat`."""


@dataclass(frozen=True, slots=True)
class FormatPlugin:
    """A format of another distribution; `format` is None where it could not be loaded, for the reason in `error`."""

    entry: str
    distribution: str
    version: str
    format: PlateFormat | None
    error: str = ""


@cache
def format_plugins() -> tuple[FormatPlugin, ...]:
    """Every format that an installed distribution offers, in the order of their names."""
    # 10 to 40 ms the first time: it reads the metadata of all that is installed.
    entries = importlib.metadata.entry_points(group=GROUP)
    return tuple(_load(entry) for entry in sorted(entries, key=lambda one: (one.name, one.value)))


def _load(entry: importlib.metadata.EntryPoint) -> FormatPlugin:
    distribution = entry.dist.name if entry.dist else entry.module
    version = entry.dist.version if entry.dist else ""
    try:
        loaded = entry.load()
        found = loaded() if isinstance(loaded, type) else loaded
        if not isinstance(found, PlateFormat):
            raise TypeError(f"{entry.value} has not the members of a PlateFormat")
        guarded = _Guarded(found, found.name, found.looked_for, distribution)
    except (Exception, SystemExit) as error:  # importing what somebody else wrote may raise anything
        return FormatPlugin(entry.name, distribution, version, None, f"{type(error).__name__}: {error}")
    return FormatPlugin(entry.name, distribution, version, guarded)


@dataclass(frozen=True, slots=True)
class _Guarded:
    """A format whose unforeseen exceptions come out as ours, with the name of the distribution."""

    _format: PlateFormat
    name: str
    looked_for: str
    _distribution: str

    def recognises(self, folder: Path) -> bool:
        with self._explained(PlateError, folder):
            return self._format.recognises(folder)

    def index(self, folder: Path) -> PlateIndex:
        with self._explained(PlateError, folder):
            return self._format.index(folder)

    def read_plane(self, path: Path) -> npt.NDArray[np.generic]:
        with self._explained(PlaneError, path):
            return self._format.read_plane(path)

    def stage_positions(self, index: PlateIndex) -> Mapping[tuple[str, int], tuple[float, float]]:
        with self._explained(PlateError, index.root):
            return self._format.stage_positions(index)

    @contextmanager
    def _explained(self, kind: type[PlateError | PlaneError], where: Path | str) -> Iterator[None]:
        try:
            yield
        except OpenHCSError:
            raise
        except Exception as error:  # what somebody else wrote may raise anything
            raise kind(
                f"format {self.name} failed: {where}; expected {kind.__name__} for what cannot be read, got "
                f"{type(error).__name__}: {error}. Report it to the authors of {self._distribution}."
            ) from error
