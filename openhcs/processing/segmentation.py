"""Segmentation: image in, label image out, plane by plane.

Each function decides how much brighter than the noise an object must be, so that a well without cells gives no
objects rather than thousands of specks of noise.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
import numpy.typing as npt
import scipy as sp
import skimage as ski

from openhcs.processing.arrays import Plane, PlaneLabels, label_planes, noise_sd, require_finite
from openhcs.processing.declarations import WorkingMemory
from openhcs.processing.types import Bounds, Image, Labels

__all__ = ["segment_spots_log", "segment_threshold_local", "segment_threshold_watershed"]

_Mask = npt.NDArray[np.bool_]

_SPARSE_SD = 5.0
"""Height over the median, in standard deviations of the noise, that a pixel of a smoothed plane of 10^6 pixels reaches
by chance less than once."""


def segment_threshold_watershed(
    image: Image,
    *,
    smoothing_px: Annotated[float, Bounds(0, 50)] = 1.5,
    minimum_contrast: Annotated[float, Bounds(0, 100)] = 4,
    minimum_area_px: Annotated[int, Bounds(1)] = 40,
    seed_distance_px: Annotated[int, Bounds(1, 500)] = 5,
) -> Annotated[Labels, WorkingMemory(planes=12, results=1)]:
    """Find round bright objects such as nuclei: Otsu's threshold, then touching ones cut apart at their waists.

    Each plane is smoothed and thresholded, small holes filled and small pieces dropped. The peaks of the distance to
    the background seed a watershed that cuts objects grown together.

    Otsu's method always finds two classes, also in pure noise. Where they lie closer than `minimum_contrast` the
    threshold is five standard deviations of the noise over the median instead, which finds single nuclei in an almost
    empty field and nothing in an empty one.

    Source: Otsu, IEEE Trans. Syst. Man Cybern. 9:62 (1979); Beucher and Lantuejoul (1979) and
    `skimage.segmentation.watershed` on the distance transform; noise by the median absolute deviation, Rousseeuw and
    Croux, J. Am. Stat. Assoc. 88:1273 (1993).

    Args:
        image: (N, Y, X), any unit, objects brighter than the background.
        smoothing_px: standard deviation in pixels of the blur before the threshold.
        minimum_contrast: least distance of the two classes' means, in standard deviations of the darker class, for
            Otsu's threshold to count. Pure noise has about 2.7.
        minimum_area_px: least area of an object, in pixels; smaller holes are filled.
        seed_distance_px: least distance of two objects' centres in pixels, about the radius of a small object.

    Returns:
        (N, Y, X), objects numbered from 1 in each plane.

    Raises:
        ValueError: the image holds NaN or infinity.
    """
    require_finite(image)

    def segment(plane: Plane) -> PlaneLabels:
        smooth = sp.ndimage.gaussian_filter(plane, smoothing_px, mode="nearest")
        mask = smooth > _threshold(smooth, minimum_contrast)
        return _split_touching(_smooth_out(mask, minimum_area_px), seed_distance_px, minimum_area_px)

    return label_planes(segment, image)


def segment_threshold_local(
    image: Image,
    *,
    smoothing_px: Annotated[float, Bounds(0, 50)] = 1.5,
    neighbourhood_px: Annotated[float, Bounds(1, 500)] = 30,
    minimum_contrast: Annotated[float, Bounds(0, 100)] = 4,
    minimum_area_px: Annotated[int, Bounds(1)] = 40,
    seed_distance_px: Annotated[int, Bounds(1, 500)] = 5,
) -> Annotated[Labels, WorkingMemory(planes=12, results=1)]:
    """Find round bright objects on an uneven background: each pixel is compared with its own neighbourhood.

    A pixel belongs to an object where the smoothed plane exceeds the mean of its neighbourhood, weighted by a Gaussian,
    by `minimum_contrast` standard deviations of the noise. Touching objects are cut apart at their waists.

    Source: `skimage.filters.threshold_local`, method gaussian; Bradley and Roth, J. Graph. Tools 12:13 (2007).

    Args:
        image: (N, Y, X), any unit, objects brighter than their surroundings.
        smoothing_px: standard deviation in pixels of the blur before the comparison.
        neighbourhood_px: standard deviation in pixels of the neighbourhood; two or three times an object's radius.
        minimum_contrast: how far above its neighbourhood a pixel must be, in standard deviations of the difference.
        minimum_area_px: least area of an object, in pixels; smaller holes are filled.
        seed_distance_px: least distance of two objects' centres in pixels, about the radius of a small object.

    Returns:
        (N, Y, X), objects numbered from 1 in each plane.

    Raises:
        ValueError: the image holds NaN or infinity.
    """
    require_finite(image)

    def segment(plane: Plane) -> PlaneLabels:
        smooth = sp.ndimage.gaussian_filter(plane, smoothing_px, mode="nearest")
        excess = smooth - sp.ndimage.gaussian_filter(plane, neighbourhood_px, mode="nearest", truncate=3)
        mask = excess > minimum_contrast * noise_sd(excess)
        return _split_touching(_smooth_out(mask, minimum_area_px), seed_distance_px, minimum_area_px)

    return label_planes(segment, image)


def segment_spots_log(
    image: Image,
    *,
    spot_sigma_px: Annotated[float, Bounds(0.5, 50)] = 1.5,
    minimum_contrast: Annotated[float, Bounds(0, 1000)] = 6,
) -> Annotated[Labels, WorkingMemory(planes=12, results=1.5)]:
    """Find bright spots of one size, such as foci or vesicles, by the Laplacian of Gaussian.

    The filter answers most strongly to spots of radius `spot_sigma_px` times the square root of 2. Every local maximum
    that stands out of the noise becomes a spot; its area is where the answer exceeds half of its limit.

    Source: Lindeberg, Int. J. Comput. Vis. 30:79 (1998); `scipy.ndimage.gaussian_laplace`.

    Args:
        image: (N, Y, X), any unit, spots brighter than the background.
        spot_sigma_px: standard deviation in pixels of the Gaussian that resembles a spot.
        minimum_contrast: least answer at a spot's centre, in standard deviations of the answer to the noise.

    Returns:
        (N, Y, X), spots numbered from 1 in each plane.

    Raises:
        ValueError: the image holds NaN or infinity.
    """
    require_finite(image)

    def segment(plane: Plane) -> PlaneLabels:
        answer = -(spot_sigma_px**2) * sp.ndimage.gaussian_laplace(plane, spot_sigma_px, mode="nearest")
        limit = minimum_contrast * noise_sd(answer)
        distance = max(1, round(spot_sigma_px))
        peaks = ski.feature.peak_local_max(answer, min_distance=distance, threshold_abs=limit, exclude_border=False)
        seeds = _seeds(plane.shape, peaks[answer[tuple(peaks.T)] > 0])
        return np.asarray(ski.segmentation.watershed(-answer, seeds, mask=answer > limit / 2), dtype=np.int32)

    return label_planes(segment, image)


def _threshold(smooth: Plane, minimum_contrast: float) -> float:
    """Otsu's threshold where its classes are apart, a height over the noise where they are not."""
    otsu = float(ski.filters.threshold_otsu(smooth))
    above = smooth > otsu
    if not above.any():
        return otsu
    bright, dark = smooth[above], smooth[~above]
    if bright.mean() - dark.mean() >= minimum_contrast * dark.std():
        return otsu
    return max(otsu, float(np.median(smooth)) + _SPARSE_SD * noise_sd(smooth))


def _smooth_out(mask: _Mask, area_px: int) -> _Mask:
    """Fill holes and drop pieces smaller than `area_px`. Larger holes stay: a ring of nuclei is not one nucleus."""
    return _without_small(~_without_small(~mask, area_px), area_px)


def _without_small(mask: _Mask, minimum_area_px: int) -> _Mask:
    pieces, _ = sp.ndimage.label(mask)
    large = np.bincount(pieces.ravel()) >= minimum_area_px
    large[0] = False
    return np.asarray(large[pieces], dtype=np.bool_)


def _split_touching(mask: _Mask, seed_distance_px: int, minimum_area_px: int) -> PlaneLabels:
    """Label `mask`, cut at its waists; slivers that the cuts leave are dropped."""
    # A little blur keeps the ragged outline of a noisy object from adding peaks; it must not reach over the outline.
    distance = sp.ndimage.gaussian_filter(sp.ndimage.distance_transform_edt(mask), 1) * mask
    peaks = ski.feature.peak_local_max(distance, min_distance=seed_distance_px, labels=mask, exclude_border=False)
    labels = ski.segmentation.watershed(-distance, _seeds(mask.shape, peaks), mask=mask)
    keep = np.bincount(labels.ravel()) >= minimum_area_px
    keep[0] = False
    numbers = np.cumsum(keep, dtype=np.int32) * keep
    return np.asarray(numbers[labels], dtype=np.int32)


def _seeds(shape: tuple[int, ...], peaks: npt.NDArray[np.int_]) -> PlaneLabels:
    seeds = np.zeros(shape, np.int32)
    seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    return seeds
