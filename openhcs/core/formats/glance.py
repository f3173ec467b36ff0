"""A cheap look at a folder: is it a plate, of which format, of how many wells? For folders nobody has opened yet.

Where `index_plate` lists every file and reads the metadata, this lists some names and reads the beginning of one file,
so that it takes milliseconds for a plate of any size; on a slow network drive that is what makes it bearable. Hence it
may be wrong where names mislead, and counts what was planned where it cannot see all.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from openhcs.core.formats.htd import read_htd
from openhcs.core.formats.imagexpress import ImageXpress
from openhcs.core.formats.imagexpress_names import is_layout_folder, is_step_folder, parse_file_name
from openhcs.core.formats.ome_zarr import OmeZarr
from openhcs.core.formats.ome_zarr_metadata import read_plate
from openhcs.core.formats.opera_phenix import OperaPhenix
from openhcs.errors import PlateError

__all__ = ["Glance", "glance"]

NAMES_AT_MOST: Final = 2000
"""Names looked at in one folder."""

BYTES_AT_MOST: Final = 256 * 1024
"""Of an index that may be 100 MB, and describes the plate at its beginning."""

BESIDE_AT_MOST: Final = 20
"""Folders beside an acquisition that are looked into, whether they are plates."""

METADATA_AT_MOST: Final = 4 * 1024 * 1024
DEEPEST: Final = 5
"""Folders from the name of a plate in the database down to its images: name, date, number, time point, z step."""


_INDEX_NAMES: Final = ("Index.idx.xml", "Index.xml", "index.idx.xml", "index.xml", "Index.ref.xml")
_PLATE: Final = re.compile(rb"<(?:\w+:)?Plate>.*?</(?:\w+:)?Plate>", re.DOTALL)
_WELL: Final = re.compile(rb'<(?:\w+:)?Well id="(\d{4})"')


@dataclass(frozen=True, slots=True)
class Glance:
    """What a folder seems to be. `wells` is None where they cannot be told cheaply; `more` means at least so many."""

    format: str
    wells: int | None = None
    more: bool = False

    def __str__(self) -> str:
        if self.wells is None:
            return self.format
        noun = "well" if self.wells == 1 and not self.more else "wells"
        return f"{self.format}, {self.wells}{'+' if self.more else ''} {noun}"


def glance(folder: Path) -> Glance | None:
    """What `folder` seems to be, or None where it is no plate, or cannot be looked into."""
    try:
        return _ome_zarr(folder) or _opera_phenix(folder) or _imagexpress(folder)
    except (OSError, PlateError):
        return None


def _ome_zarr(folder: Path) -> Glance | None:
    sizes = [size for name in ("zarr.json", ".zattrs") if (size := _size(folder / name)) is not None]
    if not sizes:
        return None
    if max(sizes) > METADATA_AT_MOST:  # of everything in it, gathered
        return Glance(OmeZarr.name) if OmeZarr().recognises(folder) else None
    return Glance(OmeZarr.name, len(read_plate(folder).wells))


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _opera_phenix(folder: Path) -> Glance | None:
    for place in (folder, folder / "Images"):
        for name in _INDEX_NAMES:
            try:
                with (place / name).open("rb") as file:
                    beginning = file.read(BYTES_AT_MOST)
            except OSError:
                continue
            if b"EvaluationInputData" in beginning:
                plate = _PLATE.search(beginning)
                wells = len(set(_WELL.findall(plate[0]))) if plate else 0
                return Glance(OperaPhenix.name, wells or None)
    return None


def _imagexpress(folder: Path) -> Glance | None:
    """Images and the plan beside them, in the folder or the first folders of its layout."""
    if is_step_folder(folder.name):  # a part of one, which is not a plate
        return None
    planned: int | None = None
    place, told = folder, False
    for _ in range(DEEPEST):
        files, folders, is_all = _names(place)
        plans = [name for name in files if name.lower().endswith(".htd")]
        planned = _planned(place / plans[0]) or planned if plans else planned
        told = told or bool(plans) or is_step_folder(place.name)
        images = [name for name in map(parse_file_name, files) if name is not None]
        images = [name for name in images if told or name.site is not None or name.channel is not None]
        if images:
            wells = len({name.well for name in images})
            if is_all:
                return Glance(ImageXpress.name, wells)
            return Glance(ImageXpress.name, planned or wells, more=planned is None)
        inner = [name for name in folders if is_layout_folder(name)]
        if not inner or (len(inner) > 1 and not all(map(is_step_folder, inner))):
            return None  # several acquisitions are no plate, but a folder of plates
        beside = [name for name in folders if name not in inner][:BESIDE_AT_MOST]
        if not is_step_folder(inner[0]) and any(glance(place / name) for name in beside):
            return None  # one acquisition beside plates with names of their own
        place = place / min(inner)
    return None


def _names(folder: Path) -> tuple[list[str], list[str], bool]:
    """Files, folders, and whether these are all."""
    with os.scandir(folder) as entries:
        found = list(itertools.islice(_with_kind(entries), NAMES_AT_MOST + 1))
    files = [name for name, is_folder in found if not is_folder]
    return files, [name for name, is_folder in found if is_folder], len(found) <= NAMES_AT_MOST


def _with_kind(entries: Iterator[os.DirEntry[str]]) -> Iterator[tuple[str, bool]]:
    for entry in entries:
        try:
            yield entry.name, entry.is_dir()
        except OSError:
            yield entry.name, False


def _planned(plan: Path) -> int | None:
    try:
        wells = read_htd(plan).wells
    except PlateError:
        return None
    return len(wells) if wells else None
