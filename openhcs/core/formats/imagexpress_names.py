"""The names ImageXpress gives to image files and to the folders of a plate.

A file: `{plate}_{A01}[_sN][_wN][_zN][_thumb][GUID].tif`. The GUID touches what stands before it, so its 36 characters
are split off the end: `_s117654C10-92F1-...` is site 1. A folder: `TimePoint_t`, `ZStep_z`, and around them either
`{name}_Plate_{id}` (an export) or `{name}/{date}/{id}` (the microscope's database).

Standard library only; knows names, opens nothing.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from openhcs.core.model import well_name, well_position

__all__ = [
    "FileName",
    "FolderPlace",
    "is_layout_folder",
    "is_step_folder",
    "is_tiff",
    "parse_file_name",
    "parse_folder",
]

_LARGEST_PLATE = (32, 48)

_FILE = re.compile(
    # Lazy, so that in `x_B02_s1` the well is B02 and not S01.
    r"(?P<plate>.+?)_(?P<well>[A-Z]{1,2}\d{1,2})"
    r"(?:_s(?P<site>\d+))?(?:_w(?P<channel>\d+))?(?:_z(?P<z>\d+))?"
    r"(?P<thumb>_thumb)?"
    # 36 characters at the end and no fewer, so its first digits are not taken for the number before it.
    r"(?P<guid>[0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12})?"
    r"\.tiff?",
    re.IGNORECASE,
)
_LAYOUT_FOLDER = re.compile(
    r"TimePoint_\d+|ZStep_\d+|\d{4}-\d{2}-\d{2}|\d+|.+_Plate_\d+",
    re.IGNORECASE,
)
_STEP_FOLDER = re.compile(r"(?P<kind>TimePoint|ZStep)_(?P<number>\d+)", re.IGNORECASE)


class FileName(NamedTuple):
    """What the name of an image file tells; None where the name is silent. Site and channel count from 1."""

    plate: str
    well: str
    site: int | None = None
    channel: int | None = None
    z: int | None = None
    thumbnail: bool = False
    guid: str | None = None

    def __str__(self) -> str:
        """The file name, as MetaXpress writes it."""
        numbers = "".join(
            f"_{letter}{number}"
            for letter, number in (("s", self.site), ("w", self.channel), ("z", self.z))
            if number is not None
        )
        return f"{self.plate}_{self.well}{numbers}{'_thumb' if self.thumbnail else ''}{self.guid or ''}.tif"


class FolderPlace(NamedTuple):
    """Where a folder of images stands: its `acquisition` folder, t and z; `base` is the folder of its z steps."""

    acquisition: str
    base: str
    t: int | None
    z: int | None


def is_tiff(name: str) -> bool:
    """Whether a file name ends as a TIFF's does."""
    return name.lower().endswith((".tif", ".tiff"))


def is_layout_folder(name: str) -> bool:
    """Whether a folder of this name can be part of a plate's layout, and so is worth looking into."""
    return _LAYOUT_FOLDER.fullmatch(name) is not None


def is_step_folder(name: str) -> bool:
    """Whether a folder of this name holds one time point or z step of a plate, not a whole one."""
    return _STEP_FOLDER.fullmatch(name) is not None


def parse_file_name(name: str) -> FileName | None:
    """What the name of an image file tells, or None if it does not name a well as ImageXpress does."""
    match = _FILE.fullmatch(name)
    if match is None:
        return None
    plate, well, site, channel, z, thumb, guid = match.groups()
    standard = _standard_well(well)
    if standard is None or any(number is not None and int(number) == 0 for number in (site, channel)):
        return None
    return FileName(
        plate,
        standard,
        None if site is None else int(site),
        None if channel is None else int(channel),
        None if z is None else int(z),
        thumb is not None,
        guid,
    )


@lru_cache(maxsize=4096)
def parse_folder(path: str) -> FolderPlace:
    """What the path of a folder, relative to where the search began, tells about the images in it."""
    parts = path.split("/") if path else []
    numbers: dict[str, int] = {}
    base = path
    while parts and (match := _STEP_FOLDER.fullmatch(parts[-1])):
        kind = match["kind"].lower()
        if kind in numbers:
            break
        numbers[kind] = int(match["number"])
        parts.pop()
        if kind == "zstep":
            base = "/".join(parts)
    return FolderPlace("/".join(parts), base, numbers.get("timepoint"), numbers.get("zstep"))


@lru_cache(maxsize=4096)
def _standard_well(well: str) -> str | None:
    """`a1` and `A01` are `A01`; None outside the largest plate there is."""
    row, column = well_position(well)
    rows, columns = _LARGEST_PLATE
    return well_name(row, column) if row < rows and 0 <= column < columns else None
