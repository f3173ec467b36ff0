"""What can be said of a plane and of a label image without showing them: numbers for those who cannot see the picture.

Pure functions of arrays; the words are the workbench's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["LabelFacts", "PlaneFacts", "label_facts", "plane_facts"]


@dataclass(frozen=True, slots=True)
class PlaneFacts:
    """The size of a plane, and its intensities in counts; None where no pixel is a number.

    `at_highest` is the share of pixels that are as bright as the brightest: much of it says that a camera was at its
    end, however many bits it had.
    """

    height_px: int
    width_px: int
    lowest: float | None
    median: float | None
    highest: float | None
    at_highest: float = 0.0


@dataclass(frozen=True, slots=True)
class LabelFacts:
    """How many objects a label image has, and the area of the one in the middle of all; None where there is none."""

    objects: int
    median_area_px: float | None


def plane_facts(plane: npt.NDArray[np.generic]) -> PlaneFacts:
    """The facts of a plane `(Y, X)`."""
    height, width = plane.shape
    pixels = plane.astype(np.float32, copy=False)
    known = pixels[np.isfinite(pixels)]
    if not known.size:
        return PlaneFacts(height, width, None, None, None)
    highest = known.max()
    return PlaneFacts(
        height,
        width,
        lowest=float(known.min()),
        median=float(np.median(known)),
        highest=float(highest),
        at_highest=float(np.mean(known == highest)),
    )


def label_facts(labels: npt.NDArray[np.generic]) -> LabelFacts:
    """The facts of a label image `(Y, X)`, whose background is 0."""
    numbers, areas_px = np.unique(labels, return_counts=True)
    of_objects = areas_px[numbers != 0]
    return LabelFacts(len(of_objects), float(np.median(of_objects)) if len(of_objects) else None)
