"""Uneven illumination, estimated from many planes and taken out.

Two pairs of functions do the same with different planes: `correct_plate_illumination` learns the light from planes of
the whole plate, `correct_illumination` from the stack at hand. The plate is what to prefer: the light is the lamp's
and does not change from well to well, and objects leave less of a trace in many planes. The stack remains for plates
of a few images, and for light that does change from well to well.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np

from openhcs.processing.declarations import Projection, WorkingMemory
from openhcs.processing.light import Light, fit_light
from openhcs.processing.types import Bounds, FromPlate, Image, PlateSample

__all__ = [
    "correct_illumination",
    "correct_plate_illumination",
    "estimate_illumination",
    "estimate_plate_illumination",
]

_FEW_SITES = 4
_FEW_PLANES = 16


def fit_plate_light(
    sample: PlateSample,
    *,
    dark_counts: Annotated[float, Bounds(0)] = 0,
    percent: Annotated[float, Bounds(0, 100)] | None = None,
    degree: Annotated[int, Bounds(1, 8)] = 4,
) -> Light:
    """The relative illumination that planes from all over a plate share.

    Args:
        sample: planes (Y, X) of one channel, counts.
        dark_counts: the camera's offset in counts: what an image without any light shows. Without it the dim parts stay
            too dim.
        percent: percentile over the planes that is taken for light; empty takes the one by which they agree best.
        degree: highest power of the surface along each axis; more follows the light more closely, and objects too.
    """
    return fit_light(sample, dark_counts=dark_counts, percent=percent, degree=degree, few=_FEW_PLANES)


def estimate_plate_illumination(
    image: Image, *, light: Annotated[Sequence[Light], FromPlate(fit_plate_light)]
) -> Annotated[Image, WorkingMemory(planes=1, results=2, mib=12)]:
    """The relative illumination by which `correct_plate_illumination` divides, as images to look at.

    Source: as `correct_plate_illumination`.

    Args:
        image: (N, Y, X); only its size matters.

    Returns:
        (N, Y, X), without unit, 1 in the mean, 0.05 at least.
    """
    _require_size(image, light)
    return np.stack([own.surface() for own in light])


def correct_plate_illumination(
    image: Image,
    *,
    light: Annotated[Sequence[Light], FromPlate(fit_plate_light)],
    dark_counts: Annotated[float, Bounds(0)] = 0,
) -> Annotated[Image, WorkingMemory(planes=2, results=1, mib=12)]:
    """Take the camera's offset from every plane and divide it by the illumination of its channel on this plate.

    The illumination is a smooth surface, fitted to planes from all over the plate as they are stored, 1 in the mean, so
    that counts keep their range. Nothing is rounded or clipped: noise may be below 0, and what was dim in a corner may
    exceed the camera's 65,535. Make it the first step, or the first but a projection; any variable components will do.

    Source: a common profile of many images of a plate, Singh, Bray, Jones and Carpenter, J. Microsc. 256:231 (2014);
    surface fitting for retrospective correction, Tomazevic, Likar and Pernus, J. Microsc. 208:212 (2002); correction by
    offset and flat field, Model and Burkhardt, Cytometry 44:309 (2001).

    Args:
        image: (N, Y, X), counts.
        dark_counts: the camera's offset in counts: what an image without any light shows. Without it the dim parts stay
            too dim.

    Returns:
        (N, Y, X), counts above `dark_counts` as under even light. Where the light is under 5 % of its mean it counts as
        5 %; channels without light are only freed of the offset.
    """
    _require_size(image, light)
    corrected = image - np.float32(dark_counts)
    surface = light[0].surface()
    for number, (plane, own) in enumerate(zip(corrected, light, strict=True)):
        if number and own is not light[number - 1]:
            surface = own.surface()
        plane /= surface
    return corrected


def estimate_illumination(
    image: Image,
    *,
    dark_counts: Annotated[float, Bounds(0)] = 0,
    percent: Annotated[float, Bounds(0, 100)] | None = None,
    degree: Annotated[int, Bounds(1, 8)] = 4,
) -> Annotated[Projection, WorkingMemory(results=1, mib=12)]:
    """The relative illumination that all planes of the stack share, as an image to look at.

    What `correct_illumination` divides by. Each plane is brought to the same level, a percentile over the planes leaves
    out most objects, and a smooth surface is fitted to what remains, by a robust loss that the objects left in hardly
    pull at. Stack many sites (variable component `site`).

    Source: surface fitting for retrospective correction, Tomazevic, Likar and Pernus, J. Microsc. 208:212 (2002); a
    common profile of many images, Singh, Bray, Jones and Carpenter, J. Microsc. 256:231 (2014);
    `numpy.polynomial.legendre`.

    Args:
        image: (N, Y, X), counts.
        dark_counts: the camera's offset in counts: what an image without any light shows.
        percent: percentile over the planes that is taken for light; empty takes the one by which they agree best.
        degree: highest power of the surface along each axis; more follows the light more closely, and objects too.

    Returns:
        (Y, X), without unit, 1 in the mean, 0.05 at least.
    """
    return fit_light(image, dark_counts=dark_counts, percent=percent, degree=degree, few=_FEW_SITES).surface()


def correct_illumination(
    image: Image,
    *,
    dark_counts: Annotated[float, Bounds(0)] = 0,
    percent: Annotated[float, Bounds(0, 100)] | None = None,
    degree: Annotated[int, Bounds(1, 8)] = 4,
) -> Annotated[Image, WorkingMemory(planes=1, results=1, mib=12)]:
    """Take the camera's offset from every plane and divide it by the illumination that the planes share.

    The illumination is that of `estimate_illumination`: a smooth surface fitted to all planes of the stack, 1 in the
    mean, so that counts keep their range. Nothing is rounded or clipped: noise may be below 0, and what was dim in a
    corner may exceed the camera's 65,535. Stack many sites (variable component `site`), or let
    `correct_plate_illumination` learn the light from the whole plate.

    Source: as `estimate_illumination`; correction by offset and flat field, Model and Burkhardt, Cytometry 44:309
    (2001).

    Args:
        image: (N, Y, X), counts.
        dark_counts: the camera's offset in counts: what an image without any light shows. Without it the dim parts stay
            too dim.
        percent: percentile over the planes that is taken for light; empty takes the one by which they agree best.
        degree: highest power of the surface along each axis; more follows the light more closely, and objects too.

    Returns:
        (N, Y, X), counts above `dark_counts` as under even light. Where the light is under 5 % of its mean it counts as
        5 %; planes without light are only freed of the offset.
    """
    light = fit_light(image, dark_counts=dark_counts, percent=percent, degree=degree, few=_FEW_SITES)
    corrected = image - np.float32(dark_counts)
    corrected /= light.surface()
    return corrected


def _require_size(image: Image, light: Sequence[Light]) -> None:
    """Raise ValueError where planes have another size than those the light was learnt from."""
    for own in light:
        if own.shape != image.shape[1:]:
            stored, here = (" x ".join(map(str, shape)) for shape in (own.shape, image.shape[1:]))
            raise ValueError(
                f"illumination of planes of {stored}, and the image has {here}; expected the size as stored. Correct "
                "the illumination before a step that changes the size"
            )
