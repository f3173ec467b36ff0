"""What OME-Zarr says of an image of ours: how far apart its planes lie and where, and what its channels are.

What nobody knows is not said. An axis without a unit counts pixels, planes or time points, which the specification
allows; a step of 1 with a unit would be a length that was never measured. Emission and excitation go beside the
channel's label under the name that OMERO gives the first (`emissionWave`), in nanometres. Heights and times that are
not evenly spaced have no place in the standard: the exact ones are in the provenance.

ngio is imported with this module (1.5 s): only worker processes may import it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from ngio import Channel as ShownChannel

from openhcs.core.model import COMBINED, Channel, Component, WellPlan

__all__ = ["AxisStep", "axis_steps", "complete_attributes", "shown_channels", "window_of"]

_MICROMETRE = "micrometer"
_SECOND = "second"

_SHOWN_PERCENT = (0.1, 99.9)

_COLOURS = (
    (480, "0000FF"),
    (500, "00FFFF"),
    (565, "00FF00"),
    (595, "FFFF00"),
    (615, "FF8000"),
    (680, "FF0000"),
    (float("inf"), "FF00FF"),
)
"""The colour that a channel is shown in, by the longest emission in nanometres that has it: far red is magenta."""


@dataclass(frozen=True, slots=True)
class AxisStep:
    """How far apart two neighbours on an axis lie, and where the first lies; without a unit these are 1 and 0."""

    step: float = 1.0
    start: float = 0.0
    unit: str | None = None


def axis_steps(
    plan: WellPlan, values: Mapping[Component, Sequence[int]], position_um: tuple[float, float] | None
) -> Mapping[str, AxisStep]:
    """The steps of the axes t, z, y and x.

    Args:
        plan: tells pixel size, times and heights, as far as they are known.
        values: the numbers of the planes along each axis of the array.
        position_um: where the stage stood (x, y), y downwards in the image.
    """
    size, (x, y) = plan.pixel_size_um, position_um or (0.0, 0.0)
    return {
        "t": _series(dict(plan.t_s), values.get(Component.T, ()), _SECOND),
        "z": _series(dict(plan.z_um), values.get(Component.Z, ()), _MICROMETRE),
        "y": AxisStep() if size is None else AxisStep(size, y, _MICROMETRE),
        "x": AxisStep() if size is None else AxisStep(size, x, _MICROMETRE),
    }


def window_of(planes: Iterable[npt.NDArray[Any]], every_px: int) -> tuple[float, float]:
    """The values from black to white in which viewers show a channel: all but the outermost pixels above zero.

    Args:
        planes: of the channel, `(Y, X)`.
        every_px: looks at one pixel in so many, along y and x.
    """
    sample = np.concatenate([np.ravel(plane[::every_px, ::every_px]) for plane in planes])
    sample = sample[sample > 0]
    if not sample.size:
        return 0.0, 1.0
    start, end = map(float, np.percentile(sample, _SHOWN_PERCENT, method="nearest"))
    end = end if end > start else float(sample.max())
    return start if end > start else 0.0, end


def shown_channels(
    numbers: Sequence[int], channels: Sequence[Channel], windows: Mapping[int, tuple[float, float]]
) -> list[ShownChannel]:
    """Label, colour, wavelength and window of each channel number; labels differ, as OME-Zarr wants them to.

    A name that occurs twice gets the number. Without a wavelength the colour is guessed from the name.
    """
    known = {channel.number: channel for channel in channels} | {COMBINED: Channel(COMBINED, "combined")}
    often = Counter(known[number].name for number in numbers if number in known)
    shown = []
    for number in numbers:
        channel = known.get(number, Channel(number, "channel"))
        unique = often[channel.name] == 1
        wavelength, (start, end) = channel.wavelength_nm, windows[number]
        shown.append(
            ShownChannel.default_init(
                label=channel.name if unique else f"{channel.name} {number}",
                wavelength_id=None if wavelength is None else f"{wavelength:g}",
                color=None if wavelength is None else _colour(wavelength),
                start=start,
                end=end,
            )
        )
    return shown


def complete_attributes(
    image: Path,
    steps: Mapping[str, AxisStep],
    *,
    is_placed: bool,
    numbers: Sequence[int] = (),
    channels: Sequence[Channel] = (),
) -> None:
    """Put right what ngio wrote of an image or label image, and add what it has no words for.

    Args:
        image: the folder of its group. The file is edited as such: through zarr it would take 5 ms.
        steps: by axis; those without a unit get none, though ngio always writes one.
        is_placed: whether the stage's position is known. If so the place is told, also where it is 0, 0.
        numbers: of the image's channels, in order; none for a label image.
        channels: their wavelengths.
    """
    file = image / "zarr.json"
    content = json.loads(file.read_bytes())
    attributes: dict[str, Any] = content["attributes"]["ome"]
    (multiscale,) = attributes["multiscales"]
    for axis in multiscale["axes"]:
        if axis["name"] in steps and steps[axis["name"]].unit is None:
            axis.pop("unit", None)
    if is_placed:
        start = [steps[axis["name"]].start if axis["name"] in steps else 0.0 for axis in multiscale["axes"]]
        for level in multiscale["datasets"]:
            scale = next(one for one in level["coordinateTransformations"] if one["type"] == "scale")
            level["coordinateTransformations"] = [scale, {"type": "translation", "translation": start}]
    known = {channel.number: channel for channel in channels}
    for number, shown in zip(numbers, attributes.get("omero", {}).get("channels", ()), strict=False):
        channel = known.get(number)
        if channel is not None and channel.wavelength_nm is not None:
            shown["emissionWave"] = channel.wavelength_nm
        if channel is not None and channel.excitation_nm is not None:
            shown["excitationWave"] = channel.excitation_nm
    file.write_text(json.dumps(content), encoding="utf-8")


def _series(places: Mapping[int, float], numbers: Sequence[int], unit: str) -> AxisStep:
    """The mean step of the planes on an axis from the first to the last, of which both must be known."""
    if len(numbers) < 2 or numbers[0] not in places or numbers[-1] not in places:
        return AxisStep()
    first, last = places[numbers[0]], places[numbers[-1]]
    if last == first:
        return AxisStep()
    # A stack taken downwards: the standard has no negative steps, so it tells the distance and not the place.
    start = first if last > first else 0.0
    return AxisStep(abs(last - first) / (len(numbers) - 1), start, unit)


def _colour(wavelength_nm: float) -> str:
    return next(colour for longest, colour in _COLOURS if wavelength_nm <= longest)
