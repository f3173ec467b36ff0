"""What several processing modules need of arrays; not part of the catalogue."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

__all__ = ["Plane", "PlaneLabels", "carry_non_finite", "label_planes", "mosaic_size", "noise_sd", "require_finite"]

Plane = npt.NDArray[np.float32]
"""One plane, (Y, X) float32."""

PlaneLabels = npt.NDArray[np.int32]
"""The label image of one plane, (Y, X) int32, 0 is background."""


def label_planes(segment: Callable[[Plane], PlaneLabels], image: npt.NDArray[np.float32]) -> npt.NDArray[np.int32]:
    """Apply `segment` to each plane of `image: (N, Y, X)`; labels count from 1 in every plane."""
    return np.stack([segment(plane) for plane in image]).astype(np.int32, copy=False)


def mosaic_size(well_px: npt.NDArray[np.float64], size: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of an image that holds planes of `size` (Y, X) at all places `well_px`: (M, 2), y and x."""
    rows, columns = np.rint(np.ptp(well_px, axis=0)).astype(int)
    return int(rows) + size[0], int(columns) + size[1]


def noise_sd(values: npt.NDArray[np.float32]) -> float:
    """The standard deviation of the bulk of `values`, blind to a minority of bright ones; in their unit.

    1.4826 times the median absolute deviation, which is the standard deviation of a Gaussian.
    Source: Rousseeuw and Croux, J. Am. Stat. Assoc. 88:1273 (1993).
    """
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))


def carry_non_finite(result: npt.NDArray[np.float32], image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """`result` with every NaN and infinity of `image` put back.

    Filters that rank or compare values lose NaN, and a broken plane would then pass for a good one.
    """
    finite = np.isfinite(image)
    return result if finite.all() else np.where(finite, result, image)


def require_finite(image: npt.NDArray[np.float32]) -> None:
    """Raise ValueError where a label image would have to be guessed from NaN or infinity."""
    bad = int(image.size - np.count_nonzero(np.isfinite(image)))
    if bad:
        raise ValueError(
            f"image to segment: {bad} of {image.size} pixels are not finite; expected numbers only. "
            "Look at the steps before this one."
        )
