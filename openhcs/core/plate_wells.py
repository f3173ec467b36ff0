"""Which wells a results plate lists: the one file of an OME-Zarr plate that grows with the wells.

Listing the wells through ngio checks every well of the plate against every other, several times for each well that is
added: 0.15 s of CPU time a well on a plate of 1,536. Here one file is read and written, in 3 ms. The wells stand in
row-major order, whatever the order in which they were done, so that equal runs leave equal plates.

Specification: https://ngff.openmicroscopy.org/0.5/#plate-md
"""

from __future__ import annotations

import json
from bisect import bisect, insort
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from openhcs.core.model import well_name, well_position
from openhcs.core.whole_file import write_text
from openhcs.errors import StoreError

__all__ = ["list_well", "well_path"]


def well_path(well: str) -> str:
    """Where a well lies in a plate, as ngio has it: `B02` at `B/02`."""
    row, column = well_position(well)
    letters = well_name(row, column).rstrip("0123456789")
    return f"{letters}/{column + 1:02d}"


def list_well(plate: Path, well: str) -> None:
    """Have the plate's metadata list a well that is in its place; the caller holds the lock.

    Raises:
        StoreError: the metadata are not those of a plate.
        OSError: they cannot be read or written.
    """
    file = plate / "zarr.json"
    try:
        content = json.loads(file.read_bytes())
        is_new = _add(content["attributes"]["ome"]["plate"], well)
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"results cannot be written: {file} ({type(error).__name__}: {error}); expected the metadata of an "
            "OME-Zarr plate made by OpenHCS. Choose another results folder."
        ) from error
    if is_new:
        write_text(file, json.dumps(content))


def _add(listed: dict[str, Any], well: str) -> bool:
    """Add a well to a plate's metadata, unless it is there."""
    path = well_path(well)
    wells: list[dict[str, Any]] = listed["wells"]
    if any(other["path"] == path for other in wells):
        return False
    row, _, column = path.partition("/")
    entry = {
        "path": path,
        "rowIndex": _index_among(listed["rows"], row, lambda name: well_position(f"{name}1"), wells, "rowIndex"),
        "columnIndex": _index_among(listed["columns"], column, int, wells, "columnIndex"),
    }
    insort(wells, entry, key=lambda other: (other["rowIndex"], other["columnIndex"]))
    return True


def _index_among(
    names: list[dict[str, str]], name: str, order: Callable[[str], Any], wells: Iterable[dict[str, Any]], index: str
) -> int:
    """Where a row or column stands in the plate's list, into which it is put; `wells` beyond a new one move by one."""
    for place, other in enumerate(names):
        if other["name"] == name:
            return place
    place = bisect(names, order(name), key=lambda other: order(other["name"]))
    names.insert(place, {"name": name})
    for well in wells:
        well[index] += well[index] >= place
    return place
