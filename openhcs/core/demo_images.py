"""Simulated cells and the camera that takes their pictures: known truth for the demo plate.

A field of view has nuclei at known places (channel 1) and a ring of cytoplasm around each, bright where the cell is
positive for a marker (channel 2). The camera adds what real ones do: defocus away from the focal plane, a lamp that is
brighter near the middle, an offset, Poisson noise of the photons and normal noise of the readout.

Sizes are such that nuclei neither leave the image nor merge: most keep a gap, some touch their neighbour. Everything
follows from the random generator given. Imports scipy, so import this only where images are made.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

__all__ = ["Nucleus", "expose", "place_nuclei"]

_RADIUS_PX = (9.0, 12.0)
_GAP_PX = 6.0
_TOUCHING_SHARE = 0.2
_OFFSET = 110.0
_BACKGROUND = 70.0
_READ_NOISE = 6.0
_COUNTS_PER_PHOTON = 2.0
_SHARPNESS_PX = 1.2


@dataclass(frozen=True, slots=True)
class Nucleus:
    """One nucleus: its centre and mean radius in pixels, its brightness in counts, whether the marker is on."""

    y_px: float
    x_px: float
    radius_px: float
    elongation: float
    angle_rad: float
    brightness: float
    marker: bool


def place_nuclei(rng: np.random.Generator, count: int, size_px: int, marker_share: float) -> tuple[Nucleus, ...]:
    """`count` nuclei wholly inside a square image of `size_px`, a few of them touching in pairs, none overlapping.

    Raises:
        ValueError: the image is too small for so many.
    """
    nuclei: list[Nucleus] = []
    for _ in range(200 * count):
        if len(nuclei) == count:
            break
        first = _nucleus(rng, size_px, marker_share)
        if not _has_room(first, nuclei):
            continue
        nuclei.append(first)
        if len(nuclei) < count and rng.random() < _TOUCHING_SHARE:
            second = _beside(rng, first, marker_share)
            if _is_inside(second, size_px) and _has_room(second, nuclei[:-1]):
                nuclei.append(second)
    if len(nuclei) < count:
        raise ValueError(f"no room for {count} nuclei in {size_px} x {size_px} px")
    return tuple(nuclei)


def expose(
    rng: np.random.Generator, nuclei: tuple[Nucleus, ...], size_px: int, channel: int, defocus_px: list[float]
) -> list[npt.NDArray[np.uint16]]:
    """The pictures (Y, X) of one field in `channel` (1: nuclei, 2: marker), one for each blur in `defocus_px`."""
    lamp = _lamp(rng, size_px)
    light = np.zeros((size_px, size_px), np.float32)
    for nucleus in nuclei:
        _add_cell(light, nucleus, channel)
    # Chromatin and cytoplasm are not flat; the grain is a few pixels wide and keeps within some ten per cent.
    grain = ndimage.gaussian_filter(rng.standard_normal(light.shape, dtype=np.float32), 2.5)
    light *= 1 + 0.08 * grain / grain.std()
    pictures = []
    for blur in defocus_px:
        seen = lamp * (_BACKGROUND + ndimage.gaussian_filter(light, np.hypot(blur, _SHARPNESS_PX)))
        photons = rng.poisson(seen / _COUNTS_PER_PHOTON)
        read = rng.normal(_OFFSET, _READ_NOISE, light.shape)
        pictures.append(np.clip(np.rint(photons * _COUNTS_PER_PHOTON + read), 0, 65535).astype(np.uint16))
    return pictures


def _nucleus(rng: np.random.Generator, size_px: int, marker_share: float) -> Nucleus:
    radius = float(rng.uniform(*_RADIUS_PX))
    elongation = float(rng.uniform(1.0, 1.3))
    margin = radius * elongation + 4
    y, x = rng.uniform(margin, size_px - margin, 2)
    return Nucleus(
        y_px=float(y),
        x_px=float(x),
        radius_px=radius,
        elongation=elongation,
        angle_rad=float(rng.uniform(0, np.pi)),
        brightness=float(rng.uniform(1100, 2100)),
        marker=bool(rng.random() < marker_share),
    )


def _beside(rng: np.random.Generator, other: Nucleus, marker_share: float) -> Nucleus:
    """A round nucleus that touches `other` at the end of its long axis, where a watershed can tell them apart."""
    radius = float(rng.uniform(*_RADIUS_PX))
    side = float(rng.choice((-1.0, 1.0)))
    distance = _long_axis(other) + radius - 0.5
    return Nucleus(
        y_px=other.y_px + side * distance * float(np.sin(other.angle_rad)),
        x_px=other.x_px + side * distance * float(np.cos(other.angle_rad)),
        radius_px=radius,
        elongation=1.0,
        angle_rad=0.0,
        brightness=other.brightness * float(rng.uniform(0.9, 1.1)),
        marker=bool(rng.random() < marker_share),
    )


def _long_axis(nucleus: Nucleus) -> float:
    return nucleus.radius_px * nucleus.elongation


def _is_inside(nucleus: Nucleus, size_px: int) -> bool:
    margin = _long_axis(nucleus) + 4
    return all(margin <= place <= size_px - margin for place in (nucleus.y_px, nucleus.x_px))


def _has_room(nucleus: Nucleus, others: list[Nucleus]) -> bool:
    return all(
        np.hypot(nucleus.y_px - other.y_px, nucleus.x_px - other.x_px)
        >= _long_axis(nucleus) + _long_axis(other) + _GAP_PX
        for other in others
    )


def _add_cell(light: npt.NDArray[np.float32], nucleus: Nucleus, channel: int) -> None:
    """Add the light of one cell: its nucleus in channel 1, its cytoplasm, nearly twice as wide, in channel 2."""
    reach = _long_axis(nucleus) * (1.0 if channel == 1 else 1.9) + 2
    top, left = max(0, int(nucleus.y_px - reach)), max(0, int(nucleus.x_px - reach))
    patch = light[top : int(nucleus.y_px + reach) + 2, left : int(nucleus.x_px + reach) + 2]
    y, x = np.ogrid[: patch.shape[0], : patch.shape[1]]
    dy, dx = y + top - nucleus.y_px, x + left - nucleus.x_px
    cos, sin = np.cos(nucleus.angle_rad), np.sin(nucleus.angle_rad)
    along = (dx * cos + dy * sin) / nucleus.elongation
    across = -dx * sin + dy * cos
    distance = np.hypot(along, across)
    if channel == 1:
        # Half a pixel of slope at the edge: the share of the pixel that is covered.
        patch += nucleus.brightness * np.clip(nucleus.radius_px + 0.5 - distance, 0, 1)
    else:
        cytoplasm = np.clip(1.9 - distance / nucleus.radius_px, 0, 1) * (1 - 0.5 * (distance < nucleus.radius_px))
        patch += (900.0 if nucleus.marker else 120.0) * cytoplasm


def _lamp(rng: np.random.Generator, size_px: int) -> npt.NDArray[np.float64]:
    """Relative illumination: 1 near the middle, about 0.6 in the corners."""
    y0, x0 = rng.uniform(0.4, 0.6, 2) * size_px
    y, x = np.ogrid[:size_px, :size_px]
    lamp: npt.NDArray[np.float64] = 1 - 0.4 * ((y - y0) ** 2 + (x - x0) ** 2) / (0.5 * size_px**2)
    return lamp
