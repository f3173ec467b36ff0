"""The MetaSeries tag in ImageXpress files: pixel size, wavelength, stage position.

Reading a tag costs about 0.5 ms on a local disk and far more on a network drive, so the index takes it from one file a
channel, and stage positions are read only when somebody asks for them.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from xml.etree.ElementTree import ParseError

from openhcs.core.formats.tiff import DAMAGED
from openhcs.core.model import PlateIndex
from openhcs.errors import PlaneError

__all__ = ["MetaSeriesTag", "read_stage_positions", "read_tag"]

log = logging.getLogger(__name__)

_DOCUMENT_TYPE = re.compile("<!DOCTYPE", re.IGNORECASE)
_MICROMETRE = frozenset({"um", "µm", "μm", "micron", "microns"})


@dataclass(frozen=True, slots=True)
class MetaSeriesTag:
    """What the tag of one image file tells; None where it is silent."""

    pixel_size_um: float | None = None
    wavelength_nm: float | None = None
    position_um: tuple[float, float] | None = None
    z_um: float | None = None
    taken: datetime | None = None


def read_tag(path: Path) -> MetaSeriesTag:
    """The tag of the image file at `path`, empty if it has none; raises `PlaneError` if it is no readable TIFF."""
    # 0.12 s on first use; see `tiff`.
    from tifffile import TiffFile

    try:
        with TiffFile(path) as tiff:
            # As in Harmony's index, entities are refused and not expanded.
            if _DOCUMENT_TYPE.search(tiff.pages.first.description):
                raise PlaneError(
                    f"image metadata refused: {path}; expected XML as MetaXpress writes it, got a document type "
                    "(<!DOCTYPE>), which can make a reader expand what is not in the file. Export the plate again."
                )
            metadata = tiff.metaseries_metadata
    except PlaneError:
        raise
    except (*DAMAGED, ParseError) as error:
        # An index out of range is tifffile's way to say that there is no image.
        got = "one without an image" if isinstance(error, IndexError) else f"{type(error).__name__}: {error}"
        raise PlaneError(
            f"image metadata cannot be read: {path}; expected a complete TIFF file, got {got}. Copy the file again."
        ) from error
    properties = metadata.get("PlaneInfo", {}) if metadata else {}
    return _tag(properties) if isinstance(properties, Mapping) else MetaSeriesTag()


def read_stage_positions(index: PlateIndex) -> dict[tuple[str, int], tuple[float, float]]:
    """The stage position (x, y) in micrometres of each (well, site), read from one file each.

    Sites whose file cannot be read, or does not tell, are absent; their files fail by name when they are processed.
    """
    positions: dict[tuple[str, int], tuple[float, float]] = {}
    asked: set[tuple[str, int]] = set()
    for key, file in index.planes.items():
        place = key.well, key.site
        if place in asked:
            continue
        asked.add(place)
        try:
            tag = read_tag(Path(index.root, file))
        except PlaneError as error:
            log.debug("no stage position for %s: %s", key, error)
            continue
        if tag.position_um is not None:
            positions[place] = tag.position_um
    return positions


def _tag(properties: Mapping[str, object]) -> MetaSeriesTag:
    calibrated = (
        properties.get("spatial-calibration-state") is not False
        and str(properties.get("spatial-calibration-units", "um")) in _MICROMETRE
    )
    x, y = _float(properties, "stage-position-x"), _float(properties, "stage-position-y")
    return MetaSeriesTag(
        pixel_size_um=_positive(_float(properties, "spatial-calibration-x")) if calibrated else None,
        wavelength_nm=_positive(_float(properties, "wavelength")),
        position_um=None if x is None or y is None else (x, y),
        z_um=_float(properties, "z-position"),
        taken=taken if isinstance(taken := properties.get("acquisition-time-local"), datetime) else None,
    )


def _float(properties: Mapping[str, object], key: str) -> float | None:
    value = properties.get(key)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _positive(value: float | None) -> float | None:
    return value if value is not None and value > 0 else None
