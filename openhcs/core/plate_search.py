"""The plates in a folder, however deep: a screen's folder, say, with a folder for each plate. Only looks.

What is searched is bounded in depth and number, since a folder may be a whole file server. Results of this program and
hidden folders are passed over. Imports no numpy.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from openhcs.core.formats import detect_format
from openhcs.core.formats.glance import glance
from openhcs.core.formats.imagexpress import ImageXpress
from openhcs.core.wording import natural_key
from openhcs.errors import PlateError

__all__ = ["FoundPlate", "find_plates", "plate_format"]

DEEPEST: Final = 4
"""Folders below the one that is searched."""

MOST_FOLDERS: Final = 5_000

_RESULTS_MARK: Final = "openhcs.json"


@dataclass(frozen=True, slots=True)
class FoundPlate:
    """A folder that a format recognises as a plate, and the format's name."""

    folder: Path
    format: str


def plate_format(folder: Path) -> str | None:
    """The name of the format of the plate in `folder`; None where it is not a plate that can be read."""
    try:
        return detect_format(folder).name
    except (PlateError, OSError):
        return None


def find_plates(folder: Path, is_wanted: Callable[[], bool] = lambda: True) -> tuple[FoundPlate, ...]:
    """The plates in `folder`, or itself where it is one, those nearest to it first, then by name.

    Folders that cannot be listed, or vanish meanwhile, are passed over. Nothing more is looked at once `is_wanted`
    says no.
    """
    found: list[FoundPlate] = []
    level, looked_at = [folder], 0
    seen: set[tuple[int, int]] = set()
    for depth in range(DEEPEST + 1):
        below: list[Path] = []
        for place in level:
            identity = _identity(place)
            looked_at += 1
            if identity is None or identity in seen or not is_wanted() or looked_at > MOST_FOLDERS:
                continue
            seen.add(identity)
            name = plate_format(place)
            if name is not None and _is_one_plate(place, name):
                found.append(FoundPlate(place, name))
            elif depth < DEEPEST:
                below += _folders_in(place)
        level = below
    return tuple(found)


def _is_one_plate(place: Path, name: str) -> bool:
    """Whether a folder that is recognised is a plate by itself: MetaXpress lays several side by side in one folder."""
    if name != ImageXpress.name or glance(place) is not None:
        return True
    return not any(plate_format(folder) for folder in _folders_in(place))


def _identity(folder: Path) -> tuple[int, int] | None:
    """What tells a folder from all others, by whatever path it is reached; None where it is gone."""
    try:
        about = folder.stat()
    except OSError:
        return None
    return about.st_dev, about.st_ino


def _folders_in(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            inside = list(entries)
    except OSError:
        return []
    if any(entry.name == _RESULTS_MARK for entry in inside):
        return []
    return [
        folder / entry.name for entry in sorted(inside, key=lambda entry: natural_key(entry.name)) if _is_folder(entry)
    ]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return not entry.name.startswith(".") and entry.is_dir()
    except OSError:
        return False
