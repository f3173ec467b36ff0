"""Uneven illumination, estimated from the sites of a well and taken out.

The estimate is made anew in every well, from its own sites of one channel; no estimate is carried from well to well.
With few or crowded sites `flatten_field` (`background`) has less to go by than the smooth surface that is fitted here.
"""

from __future__ import annotations

import math
import warnings
from typing import Annotated

import numpy as np
import numpy.typing as npt
import scipy as sp

from openhcs.processing.arrays import Plane
from openhcs.processing.types import Bounds, Image

__all__ = ["correct_illumination", "estimate_illumination"]

_GRID_BLOCKS = 64
"""Blocks along the longer side whose means are fitted: enough for any smooth surface, and quick."""

_LOSS_SCALE = 0.02
"""Differences from the surface, relative to the light, that count in full; larger ones are objects and count less."""

_LEAST_LIGHT = 0.05
"""Below this part of the mean light, a ratio would only amplify noise."""

_FEW_SITES = 4

Grid = npt.NDArray[np.float64]


def estimate_illumination(
    image: Image,
    *,
    dark_counts: Annotated[float, Bounds(0)] = 0,
    percent: Annotated[float, Bounds(0, 100)] = 50,
    degree: Annotated[int, Bounds(1, 8)] = 4,
) -> Image:
    """The relative illumination that all planes of the stack share, as an image to look at.

    What `correct_illumination` divides by. Each plane is brought to the same median, a percentile over the planes
    leaves out most objects, and a smooth surface is fitted to what remains, by a robust loss that the objects left in
    hardly pull at. Stack many sites (variable component `site`).

    Source: surface fitting for retrospective correction, Tomazevic, Likar and Pernus, J. Microsc. 208:212 (2002); a
    common profile of many images, Singh, Bray, Jones and Carpenter, J. Microsc. 256:231 (2014);
    `numpy.polynomial.legendre`; `scipy.optimize.least_squares`.

    Args:
        image: (N, Y, X), counts.
        dark_counts: the camera's offset in counts: what an image without any light shows.
        percent: percentile over the planes that is taken for light; less than 50 where objects cover over half.
        degree: highest power of the surface along each axis; more follows the light more closely, and objects too.

    Returns:
        (Y, X), without unit, 1 in the mean, 0.05 at least.
    """
    light = _fit_light(image, dark_counts, percent, degree)
    return np.ones(image.shape[1:], np.float32) if light is None else light


def correct_illumination(
    image: Image,
    *,
    dark_counts: Annotated[float, Bounds(0)] = 0,
    percent: Annotated[float, Bounds(0, 100)] = 50,
    degree: Annotated[int, Bounds(1, 8)] = 4,
) -> Image:
    """Take the camera's offset from every plane and divide it by the illumination that the planes share.

    The illumination is that of `estimate_illumination`: a smooth surface fitted to all planes of the stack, 1 in the
    mean, so that counts keep their range. Nothing is rounded or clipped: noise may be below 0, and what was dim in a
    corner may exceed the camera's 65,535. Stack many sites (variable component `site`).

    Source: as `estimate_illumination`; correction by offset and flat field, Model and Burkhardt, Cytometry 44:309
    (2001).

    Args:
        image: (N, Y, X), counts.
        dark_counts: the camera's offset in counts: what an image without any light shows. Without it the dim parts stay
            too dim.
        percent: percentile over the planes that is taken for light; less than 50 where objects cover over half.
        degree: highest power of the surface along each axis; more follows the light more closely, and objects too.

    Returns:
        (N, Y, X), counts above `dark_counts` as under even light. Where the light is under 5 % of its mean it counts as
        5 %; planes without light are only freed of the offset.
    """
    light = _fit_light(image, dark_counts, percent, degree)
    corrected = image - np.float32(dark_counts)
    if light is not None:
        corrected /= light
    return corrected


def _fit_light(image: Image, dark_counts: float, percent: float, degree: int) -> Plane | None:
    """The relative illumination `(Y, X)`; None, with a warning, where the stack has no light."""
    if len(image) < _FEW_SITES:
        warnings.warn(
            f"illumination estimated from {len(image)} plane{'s' if len(image) > 1 else ''} only; objects may be taken "
            "for light",
            UserWarning,
            stacklevel=3,
        )
    side = min(math.ceil(max(image.shape[1:]) / _GRID_BLOCKS), *image.shape[1:])
    blocks = np.stack([_block_means(plane, side) for plane in image]) - dark_counts
    levels = np.median(blocks, axis=(1, 2))
    lit = levels > 0
    if not np.any(lit):
        warnings.warn("no light above dark_counts; illumination not corrected", UserWarning, stacklevel=3)
        return None
    shared = np.percentile(blocks[lit] / levels[lit, np.newaxis, np.newaxis], percent, axis=0)
    light = _fit_surface(shared, (shared.shape[0] * side, shared.shape[1] * side), image.shape[1:], degree)
    light /= max(float(light.mean()), _LEAST_LIGHT)
    return np.maximum(light, _LEAST_LIGHT).astype(np.float32)


def _block_means(plane: Plane, side: int) -> Grid:
    """The means of square blocks; what does not fill a block at the far edges is left out."""
    rows, columns = (size // side for size in plane.shape)
    cut = plane[: rows * side, : columns * side].reshape(rows, side, columns, side)
    return np.asarray(cut.mean(axis=(1, 3), dtype=np.float64))


def _fit_surface(values: Grid, covered: tuple[int, int], shape: tuple[int, ...], degree: int) -> Grid:
    """A polynomial surface of `shape` through the means of blocks, which lie on the `covered` first pixels."""
    legendre = np.polynomial.legendre
    y, x = (
        (np.arange(count) + 0.5) * (length / count) * (2 / size) - 1
        for count, length, size in zip(values.shape, covered, shape, strict=True)
    )
    powers = [min(degree, count - 1) for count in values.shape]
    at_y, at_x = np.meshgrid(y, x, indexing="ij")
    basis: Grid = np.asarray(legendre.legvander2d(at_y.ravel(), at_x.ravel(), powers), dtype=np.float64)
    wanted = values.ravel()

    def differences(coefficients: Grid) -> Grid:
        return np.asarray(basis @ coefficients - wanted)

    def slopes(_: Grid) -> Grid:
        return basis

    start = np.linalg.lstsq(basis, wanted, rcond=None)[0]
    found = sp.optimize.least_squares(differences, start, jac=slopes, loss="soft_l1", f_scale=_LOSS_SCALE)
    middles = [(np.arange(size) + 0.5) * (2 / size) - 1 for size in shape]
    coefficients = found.x.reshape([power + 1 for power in powers])
    return np.asarray(legendre.leggrid2d(middles[0], middles[1], coefficients), dtype=np.float64)
