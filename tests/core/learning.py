"""Processing functions that learn from the whole plate, as a user's module would be written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np

from openhcs.processing.types import FromPlate, Image, PlateSample

__all__ = ["scale_to_plate"]


def find_range(sample: PlateSample, *, low: float = 0, high: float = 100) -> tuple[float, float]:
    """The range of counts on the plate.

    Args:
        low: percentile of each plane, the least of which is 0.
    """
    ranges = [np.percentile(plane, (low, high)) for plane in sample]
    return float(min(ends[0] for ends in ranges)), float(max(ends[1] for ends in ranges))


def scale_to_plate(
    image: Image, *, ends: Annotated[Sequence[tuple[float, float]], FromPlate(find_range)], top: float = 1
) -> Image:
    """Scale counts so that the plate's range is from 0 to `top`.

    Args:
        top: what the highest count becomes.
    """
    return np.stack(
        [(plane - low) * (top / (high - low)) for plane, (low, high) in zip(image, ends, strict=True)]
    ).astype(np.float32)
