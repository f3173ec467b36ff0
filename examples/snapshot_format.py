"""A whole plate format in one file: NumPy files named by well, beside a `snapshot.txt` that lists the wells.

    plate/snapshot.txt     A01 A02
    plate/A01.npy          (Y, X) counts of well A01

`docs/guides/adding-a-format.md` goes through it; `tests/testing/test_format_kit.py` runs the kit on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from openhcs.core.formats.listing import list_folder
from openhcs.core.formats.plate_facts import plate_grid
from openhcs.core.model import Channel, Discrepancy, PlaneKey, PlateIndex, well_name, well_position
from openhcs.errors import PlaneError, PlateError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["Snapshot"]


class Snapshot:
    """The format; stateless."""

    name = "Snapshot"
    looked_for = "snapshot.txt beside files such as A01.npy"

    def recognises(self, folder: Path) -> bool:
        """Whether there is a `snapshot.txt` in `folder`."""
        return "snapshot.txt" in list_folder(folder).files

    def index(self, folder: Path) -> PlateIndex:
        """Every plane in `folder`; raises `PlateError`."""
        listing = list_folder(folder)
        if "snapshot.txt" not in listing.files:
            raise PlateError(f"no snapshot in: {folder}; expected {self.looked_for}. Choose the plate's own folder.")
        planes: dict[PlaneKey, str] = {}
        remarks: list[Discrepancy] = []
        for file in listing.files:
            if file.endswith(".npy"):
                well = _well(file.removesuffix(".npy"))
                if well is None:
                    remarks.append(Discrepancy(f"file left out, no well in its name: {file}"))
                else:
                    planes[PlaneKey(well, 1, 1, 1, 1)] = file
        if not planes:
            raise PlateError(f"no images in: {folder}; expected files such as A01.npy. Copy them again.")
        wells = {key.well for key in planes}
        planned = _planned(folder / "snapshot.txt")
        remarks += [Discrepancy("no file of this well", well) for well in planned if well not in wells]
        rows, columns = plate_grid(wells)
        return PlateIndex(
            root=str(folder.absolute()),
            name=folder.name,
            format=self.name,
            rows=rows,
            columns=columns,
            channels=(Channel(1, "light"),),
            planes=dict(sorted(planes.items())),
            discrepancies=tuple(remarks),
        )

    def read_plane(self, path: Path) -> npt.NDArray[np.generic]:
        """The pixels `(Y, X)` of the file at `path`; raises `PlaneError`."""
        # 0.1 s on first use, which the workbench need not spend before its first screen.
        import numpy as np

        try:
            pixels: npt.NDArray[np.generic] = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise PlaneError(
                f"image cannot be read: {path}; expected a whole NumPy file, got {type(error).__name__}: {error}. "
                "Copy it again."
            ) from error
        return pixels

    def stage_positions(self, index: PlateIndex) -> Mapping[tuple[str, int], tuple[float, float]]:
        """None: nobody wrote them down."""
        return index.positions_um


def _well(name: str) -> str | None:
    """`A1` and `A01` are `A01`; None for what is no well."""
    if not (name[:1].isalpha() and name[1:].isdecimal() and name.isascii()):
        return None
    row, column = well_position(name)
    return well_name(row, column) if column >= 0 else None


def _planned(path: Path) -> list[str]:
    """The wells that snapshot.txt lists."""
    try:
        words = path.read_text(encoding="utf-8").split()
    except (OSError, ValueError) as error:
        raise PlateError(
            f"snapshot.txt cannot be read: {path}; expected a text, got {error}. Copy it again."
        ) from error
    return [well for word in words if (well := _well(word)) is not None]
