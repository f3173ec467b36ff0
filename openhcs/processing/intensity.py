"""Intensities: point operations, where a pixel's result depends on its own value and on numbers of the whole stack."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np

from openhcs.processing.declarations import Increasing, WorkingMemory
from openhcs.processing.types import Bounds, Image

__all__ = ["adjust_gamma", "clip_intensity", "normalise_percentile"]


def normalise_percentile(
    image: Image,
    *,
    low_percent: Annotated[float, Bounds(0, 100)] = 1,
    high_percent: Annotated[float, Bounds(0, 100)] = 99.8,
    over: Literal["stack", "plane"] = "stack",
    clip: bool = True,
) -> Annotated[Image, WorkingMemory(results=6), Increasing("low_percent", "high_percent")]:
    """Stretch intensities so that two percentiles become 0 and 1.

    The result has no unit: use it to find objects, and measure their intensities before it.

    Source: contrast stretching as in `skimage.exposure.rescale_intensity`; percentiles by `numpy.percentile`.

    Args:
        image: (N, Y, X), any unit.
        low_percent: percentile that becomes 0.
        high_percent: percentile that becomes 1; more than `low_percent`.
        over: take the percentiles over the whole stack, which keeps its planes comparable, or over each plane.
        clip: cut off what lies outside 0 to 1, so that a bright speck cannot outweigh the objects.

    Returns:
        (N, Y, X), without unit. An even image becomes 0.

    Raises:
        ValueError: `low_percent` is not less than `high_percent`.
    """
    if low_percent >= high_percent:
        raise ValueError(f"low_percent: {low_percent}; expected less than high_percent, which is {high_percent}")
    axes = (0, 1, 2) if over == "stack" else (1, 2)
    low, high = np.percentile(image, (low_percent, high_percent), axis=axes, keepdims=True)
    span = np.where(high == low, 1, high - low)
    scaled = (image - low) / span
    if clip:
        np.clip(scaled, 0, 1, out=scaled)
    return np.asarray(np.where(high == low, 0 * scaled, scaled), dtype=np.float32)


def clip_intensity(
    image: Image, *, low: float | None = 0, high: float | None = None
) -> Annotated[Image, WorkingMemory(results=1), Increasing("low", "high", or_equal=True)]:
    """Replace what lies below `low` by `low`, and what lies above `high` by `high`.

    Source: `numpy.clip`.

    Args:
        image: (N, Y, X), any unit.
        low: least value of the result, in the image's unit; none leaves that side as it is.
        high: greatest value of the result, in the image's unit; none leaves that side as it is.

    Returns:
        (N, Y, X), the unit of the image.

    Raises:
        ValueError: `low` is more than `high`.
    """
    if low is not None and high is not None and low > high:
        raise ValueError(f"low: {low}; expected at most high, which is {high}")
    return np.asarray(np.clip(image, low, high), dtype=np.float32)


def adjust_gamma(
    image: Image, *, gamma: Annotated[float, Bounds(0.05, 20)] = 0.5
) -> Annotated[Image, WorkingMemory(results=2)]:
    """Raise every intensity to a power; below 1 lifts dim objects against bright ones.

    Source: Poynton, Digital Video and HD (2012), on power-law transfer; as `skimage.exposure.adjust_gamma`.

    Args:
        image: (N, Y, X), any unit; values below 0 count as 0.
        gamma: the exponent.

    Returns:
        (N, Y, X), the unit of the image to the power of `gamma`.
    """
    return np.asarray(np.maximum(image, 0) ** np.float32(gamma), dtype=np.float32)
