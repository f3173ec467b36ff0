"""Background and illumination: what the microscope added to the picture of the cells.

All results are differences or ratios and may be negative where noise dips below the background; nothing is clipped,
so that noise stays symmetric and sums over areas stay unbiased.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
import scipy as sp

from openhcs.processing.arrays import carry_non_finite
from openhcs.processing.declarations import WorkingMemory
from openhcs.processing.types import Bounds, Image

__all__ = ["flatten_field", "subtract_background_gaussian", "subtract_background_tophat", "subtract_constant"]

_DARKEST_FIELD = 0.05
"""Below this part of the mean illumination, a ratio would only amplify noise."""


def subtract_background_gaussian(
    image: Image, *, sigma_px: Annotated[float, Bounds(1, 1000)] = 50
) -> Annotated[Image, WorkingMemory(results=2)]:
    """Subtract a heavily blurred copy of each plane.

    Removes shading and haze that are much wider than the objects. The blur contains the objects too, so dense fields
    lose some of their signal and objects get a faint dark rim; the top-hat does not have that fault.

    Source: unsharp masking, Gonzalez and Woods, Digital Image Processing; `scipy.ndimage.gaussian_filter`.

    Args:
        image: (N, Y, X), counts.
        sigma_px: standard deviation of the blur in pixels; several times the radius of the largest object.

    Returns:
        (N, Y, X), counts above background.
    """
    background = sp.ndimage.gaussian_filter(image, (0, sigma_px, sigma_px), mode="nearest", truncate=3)
    return np.asarray(image - background, dtype=np.float32)


def subtract_background_tophat(
    image: Image,
    *,
    radius_px: Annotated[int, Bounds(1, 1000)] = 50,
    smoothing_px: Annotated[float, Bounds(0, 50)] = 2,
) -> Annotated[Image, WorkingMemory(results=4.5)]:
    """Subtract the morphological opening of each plane: everything wider than the window (white top-hat).

    Close to the rolling ball of other programs, and much faster. Objects narrower than the window keep their full
    intensity. The background is estimated on a smoothed copy, because the opening of a noisy image follows the lower
    edge of the noise.

    Source: Meyer, Contrast feature extraction (1979); Sternberg, Computer 16:22 (1983) for the rolling ball;
    `scipy.ndimage.grey_opening`.

    Args:
        image: (N, Y, X), counts.
        radius_px: half the side of the square window in pixels; more than the radius of the largest object or clump.
        smoothing_px: standard deviation in pixels of the blur under which the background is estimated.

    Returns:
        (N, Y, X), counts above background.
    """
    side = 2 * radius_px + 1
    smooth = sp.ndimage.gaussian_filter(image, (0, smoothing_px, smoothing_px), mode="nearest")
    opened = sp.ndimage.grey_opening(smooth, size=(1, side, side), mode="nearest")
    # The opening is a staircase of plateaus as wide as the window; half a window of blur makes it a surface again.
    background = sp.ndimage.gaussian_filter(opened, (0, radius_px / 2, radius_px / 2), mode="nearest", truncate=3)
    return carry_non_finite(np.asarray(image - background, dtype=np.float32), image)


def subtract_constant(image: Image, *, value: float = 0) -> Annotated[Image, WorkingMemory(results=1)]:
    """Subtract one number from every pixel, such as the offset of the camera.

    Source: arithmetic of `numpy`.

    Args:
        image: (N, Y, X), counts.
        value: what to subtract, in counts.

    Returns:
        (N, Y, X), counts above `value`.
    """
    return np.asarray(image - np.float32(value), dtype=np.float32)


def flatten_field(
    image: Image, *, sigma_px: Annotated[float, Bounds(1, 1000)] = 50
) -> Annotated[Image, WorkingMemory(planes=2.5, results=1)]:
    """Divide every plane by the illumination that all planes of the stack share.

    The illumination is the median over the stack, smoothed, and scaled to a mean of 1. Stack many sites (variable
    component `site`): from a single plane its own objects would be taken for light. Subtract the camera's offset first.

    Source: Singh, Bray, Jones and Carpenter, J. Microsc. 256:231 (2014).

    Args:
        image: (N, Y, X), counts.
        sigma_px: standard deviation of the smoothing in pixels; several times the radius of the largest object.

    Returns:
        (N, Y, X), counts as under even light. Where the light is under 5 % of its mean it counts as 5 %.
    """
    light = sp.ndimage.gaussian_filter(np.median(image, axis=0), sigma_px, mode="nearest", truncate=3)
    mean = light.mean()
    if mean <= 0:  # dark planes: there is no light to correct for
        return image
    return np.asarray(image / np.maximum(light / mean, _DARKEST_FIELD), dtype=np.float32)
