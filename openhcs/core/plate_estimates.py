"""What functions want to know of the whole plate, worked out once in each worker process and kept for its wells.

An estimate depends on nothing but its sample, the user's parameters and the planes' size, so every worker on processors
of one kind comes to the same one, bit for bit. A plane that is damaged or missing is left out, with a warning in every
well that used the estimate. One that cannot be read for a reason that may pass is not: with it the estimate would be
another. Checked by tests/core/test_plate_estimates.py.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from openhcs.core.formats import format_named
from openhcs.core.functions import SAMPLE_BY_SITE, SAMPLE_PLANES, PlateEstimate
from openhcs.core.model import COMBINED, FunctionCall, ParameterValue, PlaneKey, PlaneSample, WellPlan
from openhcs.core.result_checks import FloatArray, Place, size_text
from openhcs.core.retries import is_transient
from openhcs.errors import PlaneError, SampleError

__all__ = ["estimates_for", "forget_estimates"]

_KEPT = 64
"""Estimates of a process: the channels of a plate, several times over, or its sites where they are told apart."""


def estimates_for(
    estimate: PlateEstimate, call: FunctionCall, plan: WellPlan, shape: tuple[int, ...], at: Place
) -> Sequence[object]:
    """The estimate for each plane at `at`, of `shape` (Y, X); the same object where it is the same.

    Raises:
        WellError: a plane is of a channel or a site that the plate does not have, since a step has combined it.
        SampleError: too few planes of the sample can be used.
        PlaneError: a plane cannot be read at the moment.
        Exception: whatever the function that estimates raises.
    """
    by_site = call.parameters[SAMPLE_BY_SITE.name]
    asked = call.parameters[SAMPLE_PLANES.name]
    parameters = tuple((name, value) for name, value in call.parameters.items() if name in estimate.parameters)
    samples = {(sample.channel, sample.site): sample for sample in plan.samples if sample.asked == asked}
    made: dict[tuple[int, int], _Estimate] = {}
    for key in at.keys:
        place = _place(key, by_site)
        if place not in samples:
            what = "site and channel" if by_site else "channel"
            raise at.error(f"the plate has no planes like {key}; expected a {what} that no step before has combined.")
        if place not in made:
            made[place] = _estimate(estimate.callable, parameters, samples[place], plan.root, plan.format, shape)
            for category, message in made[place].warnings:
                warnings.warn(message, category, stacklevel=2)
    return [made[_place(key, by_site)].value for key in at.keys]


def forget_estimates() -> None:
    """Be as a process that has made none."""
    _estimate.cache_clear()


@dataclass(frozen=True, slots=True)
class _Estimate:
    value: object
    warnings: tuple[tuple[type[Warning], str], ...]


@lru_cache(maxsize=_KEPT)
def _estimate(
    make: Callable[..., Any],
    parameters: tuple[tuple[str, ParameterValue], ...],
    sample: PlaneSample,
    root: str,
    plate_format: str,
    shape: tuple[int, ...],
) -> _Estimate:
    planes = _Planes(sample, Path(root), plate_format, shape)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        value = make(planes, **dict(parameters))
    told = [(warning.category, str(warning.message)) for warning in caught]
    if planes.left_out:
        told.append((UserWarning, planes.told))
    return _Estimate(value, tuple(told))


class _Planes:
    """The planes of a sample, `(Y, X)` float32 of one size, read one after the other each time."""

    def __init__(self, sample: PlaneSample, root: Path, plate_format: str, shape: tuple[int, ...]) -> None:
        self._sample = sample
        self._root = root
        self._format = format_named(plate_format)
        self._shape = shape
        self.left_out: dict[PlaneKey, str] = {}
        """Why planes are not among these, as far as they have been read."""

    def __iter__(self) -> Iterator[FloatArray]:
        for key, file in self._sample.planes:
            if (plane := self._read(key, file)) is not None:
                yield plane
            elif 2 * len(self.left_out) > len(self._sample.planes):
                raise SampleError(
                    f"planes of the plate for an estimate: {self.told}; expected at least half of them. Look at the "
                    "plate's images."
                )

    @property
    def told(self) -> str:
        """How many planes are left out, and one of the reasons."""
        sample = self._sample
        key, why = next(iter(self.left_out.items()))
        site = "" if sample.site == COMBINED else f", site {sample.site}"
        return (
            f"{len(self.left_out)} of {len(sample.planes)} sample planes of channel {sample.channel}{site} cannot be "
            f"used, such as {key} ({why.rstrip('.')})"
        )

    def _read(self, key: PlaneKey, file: str) -> FloatArray | None:
        """The plane, or None, with the reason noted."""
        try:
            plane: npt.NDArray[np.generic] = self._format.read_plane(self._root / file)
        except PlaneError as error:
            if is_transient(error):
                raise
            self.left_out[key] = str(error)
            return None
        if plane.shape != self._shape:
            self.left_out[key] = f"it is {size_text(plane.shape)} where the image is {size_text(self._shape)}"
            return None
        pixels = plane.astype(np.float32, copy=False)
        if plane.dtype.kind == "f" and not np.isfinite(pixels).all():
            self.left_out[key] = "not all its pixels are finite"
            return None
        return pixels


def _place(key: PlaneKey, by_site: ParameterValue) -> tuple[int, int]:
    return key.channel, key.site if by_site else COMBINED
