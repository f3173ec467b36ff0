"""Label images: change the objects that a segmentation found. Pixels of other objects are never taken over."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import skimage as ski

from openhcs.processing.declarations import WorkingMemory
from openhcs.processing.types import Bounds, Image, Labels

__all__ = ["expand_labels", "filter_labels_by_area", "remove_border_labels"]


def expand_labels(
    image: Image, *, labels: Labels, distance_px: Annotated[float, Bounds(0, 500)] = 5
) -> Annotated[Labels, WorkingMemory(planes=9, results=1.5)]:
    """Grow every object by a distance, as a stand-in for the cell around a nucleus.

    Source: `skimage.segmentation.expand_labels`; the idea of secondary objects by distance: Carpenter et al., Genome
    Biol. 7:R100 (2006).

    Args:
        image: (N, Y, X); only its place counts.
        labels: (N, Y, X), the objects to grow.
        distance_px: how far, in pixels; objects stop where they meet.

    Returns:
        (N, Y, X), the same label numbers.
    """
    grown = [ski.segmentation.expand_labels(plane, distance=distance_px) for plane in labels]
    return np.stack(grown).astype(np.int32, copy=False)


def remove_border_labels(
    image: Image, *, labels: Labels, margin_px: Annotated[int, Bounds(0, 500)] = 0
) -> Annotated[Labels, WorkingMemory(planes=5, results=2)]:
    """Remove objects that touch the edge of the image, whose area and shape are not known.

    Source: `skimage.segmentation.clear_border`.

    Args:
        image: (N, Y, X); only its place counts.
        labels: (N, Y, X), the objects to look at.
        margin_px: width of an additional frame, in pixels, that objects may not touch either.

    Returns:
        (N, Y, X), the label numbers of the remaining objects unchanged.
    """
    cleared = [ski.segmentation.clear_border(plane, buffer_size=margin_px) for plane in labels]
    return np.stack(cleared).astype(np.int32, copy=False)


def filter_labels_by_area(
    image: Image,
    *,
    labels: Labels,
    minimum_px: Annotated[int, Bounds(0)] = 50,
    maximum_px: Annotated[int, Bounds(0)] | None = None,
) -> Annotated[Labels, WorkingMemory(planes=4, results=1)]:
    """Keep objects whose area lies within two limits.

    Source: `numpy.bincount`; as `skimage.morphology.remove_small_objects`, on labels.

    Args:
        image: (N, Y, X); only its place counts.
        labels: (N, Y, X), the objects to look at.
        minimum_px: least area kept, in pixels.
        maximum_px: greatest area kept, in pixels; none sets no limit.

    Returns:
        (N, Y, X), the label numbers of the remaining objects unchanged.
    """
    kept = np.zeros_like(labels)
    for plane, result in zip(labels, kept, strict=True):
        area = np.bincount(plane.ravel())
        keep = area >= minimum_px
        if maximum_px is not None:
            keep &= area <= maximum_px
        keep[0] = True
        np.copyto(result, plane, where=keep[plane])
    return kept
