"""Plates made for tests as an ImageXpress microscope writes them, plane by plane."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np
import numpy.typing as npt
import tifffile

START = datetime(2024, 7, 9, 23, 59, 30)


def write_plane(
    plate: Path,
    pixels: npt.NDArray[np.generic],
    *,
    well: str = "B02",
    site: int = 1,
    channel: int = 1,
    t: int = 1,
    position_um: tuple[float, float] | None = None,
    pixel_size_um: float | None = None,
    taken_s: float | None = None,
) -> Path:
    """Write one plane of `plate`, whose name ends in `_Plate_1`, with the tag's entries that are given.

    Args:
        position_um: of the stage, x and y downwards.
        taken_s: when it was taken, in seconds after `START`.
    """
    entries: list[tuple[str, str, object]] = []
    if position_um is not None:
        entries += [(f"stage-position-{axis}", "float", value) for axis, value in zip("xy", position_um, strict=True)]
    if pixel_size_um is not None:
        entries += [("spatial-calibration-state", "bool", "on"), ("spatial-calibration-units", "string", "um")]
        entries += [(f"spatial-calibration-{axis}", "float", pixel_size_um) for axis in "xy"]
    if taken_s is not None:
        moment = START + timedelta(seconds=taken_s)
        entries.append(("acquisition-time-local", "time", moment.strftime("%Y%m%d %H:%M:%S.%f")[:-3]))
    tags = "".join(f'<prop id="{key}" type="{kind}" value={quoteattr(str(value))}/>\n' for key, kind, value in entries)
    path = plate / f"TimePoint_{t}" / f"{plate.name.removesuffix('_Plate_1')}_{well}_s{site}_w{channel}.TIF"
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(
        path,
        np.rint(pixels).astype(np.uint16),
        description=f"<MetaData>\n<PlaneInfo>\n{tags}</PlaneInfo>\n</MetaData>",
        metadata=None,
        software="MetaSeries",
    )
    return path
