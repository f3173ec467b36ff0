"""Small pictures of large planes: shrunk to the size they are shown in, stretched, coloured, outlined.

Pure functions of arrays; reading planes is `previews`, drawing in a terminal is the workbench's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = [
    "WHOLE",
    "Colour",
    "FloatArray",
    "Limits",
    "Raster",
    "Section",
    "compose",
    "contrast_limits",
    "outline",
    "sample",
    "shrink",
]

FloatArray = npt.NDArray[np.float32]
Colour = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""
Limits = tuple[float, float]
"""The counts that are drawn black and in full colour."""

_DARK_PERCENT, _BRIGHT_PERCENT = 1.0, 99.7


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a plane, in fractions of its height and width."""

    top: float = 0.0
    left: float = 0.0
    bottom: float = 1.0
    right: float = 1.0


WHOLE = Section()


@dataclass(frozen=True, slots=True)
class Raster:
    """A picture ready to be drawn: `rgb` holds three bytes a pixel, row by row.

    `outlined` holds a byte a pixel, 1 where an outline was drawn; it is empty where none was asked for.
    """

    width: int
    height: int
    rgb: bytes
    outlined: bytes = b""


def shrink(plane: npt.NDArray[np.generic], section: Section, size: tuple[int, int]) -> FloatArray:
    """A section of a plane `(Y, X)` as `size` (rows, columns): each pixel is the mean of those it stands for.

    Where there are fewer pixels than asked for, the nearest is repeated.
    """
    rows = _edges(plane.shape[0], section.top, section.bottom, size[0])
    columns = _edges(plane.shape[1], section.left, section.right, size[1])
    part = plane[rows[0] : rows[-1], columns[0] : columns[-1]]
    down = np.add.reduceat(part, rows[:-1] - rows[0], axis=0, dtype=np.float32)
    both = np.add.reduceat(down, columns[:-1] - columns[0], axis=1)
    counts = np.maximum(np.diff(rows), 1)[:, None] * np.maximum(np.diff(columns), 1)[None, :]
    mean: FloatArray = (both / counts).astype(np.float32)
    return mean


def sample(plane: npt.NDArray[np.generic], section: Section, size: tuple[int, int]) -> npt.NDArray[np.generic]:
    """A section of a plane `(Y, X)` as `size` (rows, columns), the nearest pixel each: for labels."""
    rows = _edges(plane.shape[0], section.top, section.bottom, size[0])
    columns = _edges(plane.shape[1], section.left, section.right, size[1])
    taken: npt.NDArray[np.generic] = plane[np.ix_(_middles(rows), _middles(columns))]
    return taken


def outline(labels: npt.NDArray[np.generic]) -> npt.NDArray[np.bool_]:
    """Where a label `(Y, X)` borders on another label or on the background, on its own side of the border."""
    padded = np.pad(labels, 1, mode="edge")
    inside = padded[1:-1, 1:-1]
    differs = (
        (padded[:-2, 1:-1] != inside)
        | (padded[2:, 1:-1] != inside)
        | (padded[1:-1, :-2] != inside)
        | (padded[1:-1, 2:] != inside)
    )
    border: npt.NDArray[np.bool_] = differs & (inside != 0)
    return border


def contrast_limits(pictures: Iterable[FloatArray]) -> Limits:
    """The limits that show pictures of one channel alike: the 1st and 99.7th percentile of all their pixels."""
    pixels = np.concatenate([picture[np.isfinite(picture)] for picture in pictures] or [np.zeros(0, np.float32)])
    if not pixels.size:
        return 0.0, 1.0
    dark, bright = np.percentile(pixels, (_DARK_PERCENT, _BRIGHT_PERCENT))
    return float(dark), float(bright)


def compose(
    layers: Sequence[tuple[FloatArray, Limits, Colour]], border: npt.NDArray[np.bool_] | None, border_colour: Colour
) -> Raster:
    """Channels of one size, each between its limits and in its colour, added up; `border` is drawn over them."""
    height, width = layers[0][0].shape
    total = np.zeros((height, width, 3), dtype=np.float32)
    for picture, (dark, bright), colour in layers:
        stretched = np.clip((np.nan_to_num(picture) - dark) / max(bright - dark, 1e-6), 0.0, 1.0)
        total += stretched[..., None] * np.asarray(colour, dtype=np.float32)
    if border is not None:
        total[border] = border_colour
    rgb = np.clip(np.rint(total), 0, 255).astype(np.uint8)
    return Raster(width, height, rgb.tobytes(), b"" if border is None else border.astype(np.uint8).tobytes())


def _edges(length: int, first: float, last: float, count: int) -> npt.NDArray[np.intp]:
    """Where `count` pixels begin along `length`, and behind them where the last one ends."""
    edges = np.floor(np.linspace(first * length, last * length, count + 1) + 1e-9).astype(np.intp)
    edges[:-1] = np.minimum(edges[:-1], length - 1)
    edges[-1] = min(max(edges[-1], edges[-2] + 1), length)
    return edges


def _middles(edges: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    middles: npt.NDArray[np.intp] = (edges[:-1] + np.maximum(edges[1:] - 1, edges[:-1])) // 2
    return middles
