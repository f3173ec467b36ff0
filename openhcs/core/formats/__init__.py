"""Which microscope wrote a folder, and what its planes are.

`index_plate(folder)` is all most callers need. A new format is a class with the shape of `PlateFormat`, and a place in
`FORMATS` or, in another distribution, an entry point (`plugins`). What a format cannot know about itself is decided
here: which one applies, and what to say when none does. `format_named(index.format).read_plane(path)` reads pixels.
Formats only read.

Importing this imports no numpy; the first file read does.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from openhcs.core.formats.discrepancies import name_some
from openhcs.core.formats.imagexpress import ImageXpress
from openhcs.core.formats.listing import Listing, holds_file, list_folder
from openhcs.core.formats.ome_zarr import OmeZarr
from openhcs.core.formats.opera_phenix import OperaPhenix, is_phenix_image
from openhcs.core.formats.plate_format import PlateFormat
from openhcs.core.formats.plugins import format_plugins
from openhcs.core.model import PlateIndex
from openhcs.core.wording import is_text
from openhcs.errors import PlateError

__all__ = [
    "FORMATS",
    "PlateFormat",
    "detect_format",
    "format_named",
    "format_versions",
    "index_plate",
    "stage_positions",
]


FORMATS: tuple[PlateFormat, ...] = (ImageXpress(), OperaPhenix(), OmeZarr())


def detect_format(folder: Path) -> PlateFormat:
    """The format of the plate in `folder`.

    Raises:
        PlateError: the folder is missing, no folder, unreadable or empty, or no format recognises it; the message says
            what was looked for and what was found.
    """
    listing = list_folder(folder)
    if not listing.files and not listing.folders:
        raise PlateError(f"empty folder: {folder}; expected a plate's folder. Choose the folder that holds the images.")
    for own in FORMATS:
        if own.recognises(folder):
            return own
    failures = []
    for plugin in format_plugins():
        try:
            if plugin.format is not None and plugin.format.recognises(folder):
                return plugin.format
        except PlateError as error:
            failures.append(f"{error} ")
    looked_for = "; ".join(f"{known.name} (looked for {known.looked_for})" for known in _known())
    raise PlateError(
        f"{_name_stranger(folder, listing)}: {folder}; expected {looked_for}. Found here: {_describe(listing)}. "
        f"{''.join(failures)}{_name_unloaded()}{_name_unreadable(folder, listing)}Choose the plate's own folder."
    )


def index_plate(folder: Path) -> PlateIndex:
    """Every plane of the plate in `folder`, of whichever format it is; raises `PlateError`."""
    index = detect_format(folder).index(folder)
    for name in (str(folder.resolve()), *index.planes.values()):
        if not is_text(name):
            raise PlateError(
                f"name that is not UTF-8: {name}; expected one that is, since plans and results name their files. "
                "Rename the folder or the file."
            )
    return index


def format_named(name: str) -> PlateFormat:
    """The format of that name, as in `PlateIndex.format`; raises `PlateError`."""
    for own in FORMATS:
        if own.name == name:
            return own
    for known in _known():
        if known.name == name:
            return known
    raise PlateError(
        f"unknown plate format: {name}; expected one of {', '.join(known.name for known in _known())}. "
        f"{_name_unloaded()}Install the distribution that reads this format."
    )


def format_versions(name: str) -> Mapping[str, str]:
    """The version of the distribution that reads plates of that format, by its name; none for a format of our own."""
    if any(own.name == name for own in FORMATS):
        return {}
    return {
        plugin.distribution: plugin.version
        for plugin in format_plugins()
        if plugin.format is not None and plugin.format.name == name
    }


def _known() -> tuple[PlateFormat, ...]:
    """Every format there is, our own first, so that none can take another's name."""
    return (*FORMATS, *(plugin.format for plugin in format_plugins() if plugin.format is not None))


def _name_unloaded() -> str:
    """The formats of other distributions that could not be loaded, as sentences."""
    return "".join(
        f"Format {plugin.entry} of {plugin.distribution} could not be loaded: {plugin.error}. "
        for plugin in format_plugins()
        if plugin.format is None
    )


def stage_positions(index: PlateIndex) -> Mapping[tuple[str, int], tuple[float, float]]:
    """The stage position (x, y) in micrometres of each (well, site): the index's own, or read from the plate's files.

    Reading takes about 0.5 ms a site on a local disk, far more on a network drive: call it when positions are needed.
    """
    return index.positions_um or format_named(index.format).stage_positions(index)


def _name_stranger(folder: Path, listing: Listing) -> str:
    """What an unrecognised folder is: a make known by name that cannot be read, or no plate at all."""
    within = [listing.files]
    for name in listing.folders:
        try:
            within.append(list_folder(folder / name).files)
        except PlateError:
            continue
    names = {name.lower() for files in within for name in files}
    if any(holds_file(folder, name) for name in (".zattrs", "zarr.json")):
        return "OME-Zarr data without the metadata of a plate, perhaps a single image"
    if any(name.endswith(".jdce") for name in names):
        return "ImageXpress HCS.ai plate (.jdce), which cannot be read yet"
    if any(is_phenix_image(name) for name in names):
        return "images of an Opera Phenix or Operetta without the index that lies beside them"
    return "no plate recognised in"


def _name_unreadable(folder: Path, listing: Listing) -> str:
    """The folders in `folder` that cannot be listed, as a sentence: the plate may well be in them."""
    unreadable = [name for name in listing.folders if not os.access(folder / name, os.R_OK | os.X_OK)]
    return f"Not readable: {name_some(unreadable)}; check the permissions. " if unreadable else ""


def _describe(listing: Listing) -> str:
    """What lies in a folder, counted by file type."""
    counts = Counter(Path(name).suffix.lower() or "no suffix" for name in listing.files)
    kinds = [f"{count} {suffix}" for suffix, count in counts.most_common()]
    if listing.folders:
        kinds.append(f"{len(listing.folders)} {'folder' if len(listing.folders) == 1 else 'folders'}")
    return name_some(kinds)
