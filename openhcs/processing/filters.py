"""Filters: a pixel's result depends on its neighbours in the same plane."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import scipy as sp

from openhcs.processing.arrays import carry_non_finite
from openhcs.processing.declarations import Increasing, WorkingMemory
from openhcs.processing.types import Bounds, Image

__all__ = ["difference_of_gaussians", "gaussian_blur", "median_filter"]


def gaussian_blur(
    image: Image, *, sigma_px: Annotated[float, Bounds(0, 1000)] = 1
) -> Annotated[Image, WorkingMemory(planes=1, results=1)]:
    """Blur each plane with a Gaussian.

    Source: `scipy.ndimage.gaussian_filter`; the plane goes on beyond its edge as its last pixel.

    Args:
        image: (N, Y, X), any unit.
        sigma_px: standard deviation of the blur in pixels.

    Returns:
        (N, Y, X), the unit of the image.
    """
    return np.asarray(sp.ndimage.gaussian_filter(image, (0, sigma_px, sigma_px), mode="nearest"), dtype=np.float32)


def median_filter(
    image: Image, *, radius_px: Annotated[int, Bounds(1, 50)] = 1
) -> Annotated[Image, WorkingMemory(planes=1, results=1.25)]:
    """Replace each pixel by the median of the square around it; removes hot pixels and keeps edges.

    Source: Huang, Yang and Tang, IEEE Trans. Acoust. 27:13 (1979); `scipy.ndimage.median_filter`.

    Args:
        image: (N, Y, X), any unit.
        radius_px: half the side of the square in pixels: 1 is 3 x 3. Time grows with its square.

    Returns:
        (N, Y, X), the unit of the image.
    """
    side = 2 * radius_px + 1
    return carry_non_finite(sp.ndimage.median_filter(image, size=(1, side, side), mode="nearest"), image)


def difference_of_gaussians(
    image: Image,
    *,
    low_sigma_px: Annotated[float, Bounds(0, 1000)] = 1,
    high_sigma_px: Annotated[float, Bounds(0, 1000)] = 8,
) -> Annotated[Image, WorkingMemory(planes=1, results=2), Increasing("low_sigma_px", "high_sigma_px")]:
    """Keep what lies between two scales: one blur minus a wider one.

    Source: Marr and Hildreth, Proc. R. Soc. B 207:187 (1980); as `skimage.filters.difference_of_gaussians`.

    Args:
        image: (N, Y, X), any unit.
        low_sigma_px: standard deviation in pixels of the narrow blur; smaller details vanish.
        high_sigma_px: standard deviation in pixels of the wide blur; larger structures vanish. More than the first.

    Returns:
        (N, Y, X), the unit of the image, around 0.

    Raises:
        ValueError: `low_sigma_px` is not less than `high_sigma_px`.
    """
    if low_sigma_px >= high_sigma_px:
        raise ValueError(f"low_sigma_px: {low_sigma_px}; expected less than high_sigma_px, which is {high_sigma_px}")
    return gaussian_blur(image, sigma_px=low_sigma_px) - gaussian_blur(image, sigma_px=high_sigma_px)
