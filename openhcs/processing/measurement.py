"""Measurements: one row for each object or plane. The engine adds the columns that say where a row comes from.

A table has the same columns whatever it is made from: no object gives no row, and what is not defined is NaN.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
import numpy.typing as npt
import scipy as sp
import skimage as ski

from openhcs.processing.arrays import Plane, PlaneLabels
from openhcs.processing.declarations import WorkingMemory
from openhcs.processing.types import Image, Labels, PixelSizeUm, Table

__all__ = ["count_objects", "measure_image", "measure_objects"]

_Columns = dict[str, npt.NDArray[np.generic]]

_OBJECT_PROPERTIES = {
    "label": "label",
    "num_pixels": "area_px",
    "centroid-0": "centroid_y_px",
    "centroid-1": "centroid_x_px",
    "eccentricity": "eccentricity",
    "solidity": "solidity",
    "intensity_mean": "intensity_mean",
    "intensity_min": "intensity_minimum",
    "intensity_max": "intensity_maximum",
    "intensity_std": "intensity_sd",
}
"""Column of `regionprops_table` to column of ours."""


def measure_objects(
    image: Image, *, labels: Labels, pixel_size_um: PixelSizeUm = None
) -> Annotated[Table, WorkingMemory(stacks=0.1, planes=2)]:
    """Measure size, place, shape and intensity of every object.

    Columns: plane, label, area_px, area_um2, centroid_y_px, centroid_x_px, eccentricity, solidity, and of the image's
    intensity within the object intensity_mean, _minimum, _maximum, _sd and _integrated.

    Source: `skimage.measure.regionprops_table`.

    Args:
        image: (N, Y, X), any unit; its intensities are measured.
        labels: (N, Y, X), the objects.
        pixel_size_um: side of a pixel in micrometres; unknown makes area_um2 NaN.

    Returns:
        One row an object. Eccentricity is 0 for a circle and near 1 for a line; solidity is the area over the area of
        the convex hull.
    """
    parts = [
        _measure_plane(index, plane, objects) for index, (plane, objects) in enumerate(zip(image, labels, strict=True))
    ]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    area = np.asarray(columns["area_px"], dtype=np.float64)
    columns["area_um2"] = area * (np.nan if pixel_size_um is None else pixel_size_um**2)
    columns["intensity_integrated"] = np.asarray(columns["intensity_mean"], dtype=np.float64) * area
    return columns


def count_objects(
    image: Image, *, labels: Labels, pixel_size_um: PixelSizeUm = None
) -> Annotated[Table, WorkingMemory(stacks=0.3, planes=2)]:
    """Count the objects of every plane; a plane without objects has a row that says 0.

    Columns: plane, count, covered_fraction, density_per_mm2.

    Source: `numpy.unique`.

    Args:
        image: (N, Y, X); only its place counts.
        labels: (N, Y, X), the objects.
        pixel_size_um: side of a pixel in micrometres; unknown makes density_per_mm2 NaN.

    Returns:
        One row a plane. The covered fraction is the part of the plane, 0 to 1, that objects cover.
    """
    count = np.array([np.count_nonzero(np.unique(plane)) for plane in labels], dtype=np.int64)
    plane_px = labels[0].size
    plane_mm2 = np.nan if pixel_size_um is None else plane_px * (pixel_size_um / 1000) ** 2
    return {
        "plane": np.arange(len(labels), dtype=np.int32),
        "count": count,
        "covered_fraction": np.count_nonzero(labels, axis=(1, 2)) / plane_px,
        "density_per_mm2": count / plane_mm2,
    }


def measure_image(image: Image) -> Annotated[Table, WorkingMemory(stacks=2, planes=2)]:
    """Measure the intensities and the sharpness of every plane, as a check of its quality.

    Columns: plane, mean, sd, minimum, median, maximum, focus.

    Source: Bray, Fraser, Hasaka and Carpenter, J. Biomol. Screen. 17:266 (2012), on quality control by statistics of
    images; focus is the variance of the Laplacian, Pech-Pacheco et al., ICPR 3:314 (2000).

    Args:
        image: (N, Y, X), any unit.

    Returns:
        One row a plane, in the unit of the image, focus in its square.
    """
    pixels = image.reshape(len(image), -1)
    return {
        "plane": np.arange(len(image), dtype=np.int32),
        "mean": pixels.mean(axis=1, dtype=np.float64),
        "sd": pixels.std(axis=1, dtype=np.float64),
        "minimum": pixels.min(axis=1),
        "median": np.median(pixels, axis=1),
        "maximum": pixels.max(axis=1),
        "focus": np.array([sp.ndimage.laplace(plane).var(dtype=np.float64) for plane in image]),
    }


def _measure_plane(index: int, plane: Plane, objects: PlaneLabels) -> _Columns:
    names = dict.fromkeys(name.partition("-")[0] for name in _OBJECT_PROPERTIES)
    found = ski.measure.regionprops_table(objects, intensity_image=plane, properties=tuple(names))
    columns: _Columns = {ours: np.asarray(found[theirs]) for theirs, ours in _OBJECT_PROPERTIES.items()}
    return {"plane": np.full(len(columns["label"]), index, dtype=np.int32), **columns}
