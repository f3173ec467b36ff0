"""How the overlaps of neighbouring sites say where the sites truly lie; not part of the catalogue.

Each pair of overlapping sites is measured by itself, then all pairs together by least squares. Deliberately absent:
putting sites into a mosaic (`stitching`).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import scipy as sp
import skimage as ski

from openhcs.processing.arrays import Plane

__all__ = ["Pair", "measure_pairs", "solve_positions"]

Points = npt.NDArray[np.float64]
"""Places or offsets, (N, 2): y downwards and x, in pixels."""

_NARROWEST_PX = 8
"""Narrower overlaps hold too few pixels to tell a match from noise."""

_SHORTEST_SHARE = 0.25
"""Of a site's side: shorter overlaps are those of corners, which the sites beside them place better."""

_FINE_PX, _COARSE_PX = 1.0, 41
"""Standard deviation of the blur against noise, and side of the window whose mean is taken away as shading."""

_UPSAMPLING = 20
_ROUNDS = 4
_STAGE_WEIGHT = 1e-4
"""Of a stage position against a perfect pair: enough to place what no pair places, too little to pull at pairs."""

_SUSPICION_WEIGHT = 1e-2
"""The same while outliers are looked for: of two explanations, the one nearer to the stage is believed."""


@dataclass(frozen=True, slots=True)
class Pair:
    """What the overlap of two planes, by their index, tells: `offset` (y, x) in pixels of the second from the first.

    `correlation` is Pearson's, of both images in the overlap, -1 to 1.
    """

    first: int
    second: int
    offset: tuple[float, float]
    correlation: float


def measure_pairs(image: npt.NDArray[np.float32], places: Points, max_shift_px: float) -> Iterator[Pair]:
    """Measure every pair of planes `(N, Y, X)` that overlap at these `places`.

    The offset is the best match no farther than `max_shift_px` along either axis from that of the places.
    """
    for first, second in itertools.combinations(range(len(image)), 2):
        nominal = places[second] - places[first]
        if _overlap_is_useful(nominal, image.shape[1:]):
            yield Pair(first, second, *_measure(image[first], image[second], nominal, max_shift_px))


def solve_positions(places: Points, pairs: Sequence[Pair], tolerance_px: float) -> tuple[Points, Sequence[Pair]]:
    """The positions that agree best with all pairs, and the pairs believed; their mean is that of `places`.

    A pair that the others contradict by more than `tolerance_px` is left out. Outliers are found by a robust loss
    (soft L1), the result is the weighted least-squares solution of the rest; a pair weighs as much as its correlation.
    """
    believed = list(pairs)
    if believed:
        suspected = _least_squares(places, believed, _SUSPICION_WEIGHT, robust=True)
        believed = [pair for pair in believed if _residual(suspected, pair) <= tolerance_px]
    return _least_squares(places, believed, _STAGE_WEIGHT, robust=False), believed


def _residual(positions: Points, pair: Pair) -> float:
    return float(np.linalg.norm(positions[pair.second] - positions[pair.first] - pair.offset))


def _least_squares(places: Points, pairs: Sequence[Pair], stage_weight: float, *, robust: bool) -> Points:
    """Positions from pairs and, weakly, from the places themselves."""
    count = len(places)
    system = np.zeros((len(pairs) + count, count))
    target = np.zeros((len(pairs) + count, 2))
    for row, pair in enumerate(pairs):
        weight = np.sqrt(pair.correlation)
        system[row, pair.second], system[row, pair.first] = weight, -weight
        target[row] = weight * (np.array(pair.offset) - places[pair.second] + places[pair.first])
    system[len(pairs) :] = np.sqrt(stage_weight) * np.eye(count)
    shifts = np.asarray(np.linalg.lstsq(system, target, rcond=None)[0], dtype=np.float64)
    if robust:
        shifts = np.column_stack([_robust(system, target[:, axis], shifts[:, axis]) for axis in (0, 1)])
    return places + shifts


def _robust(system: Points, target: Points, start: Points) -> Points:
    """The solution of `system @ shift = target` with a soft L1 loss, quadratic below half a pixel."""

    def differences(shift: Points) -> Points:
        return np.asarray(system @ shift - target, dtype=np.float64)

    def slopes(_: Points) -> Points:
        return system

    found = sp.optimize.least_squares(differences, start, jac=slopes, loss="soft_l1", f_scale=0.5)
    return np.asarray(found.x, dtype=np.float64)


def _overlap_is_useful(offset: Points, shape: tuple[int, ...]) -> bool:
    sides = [size - abs(float(shift)) for size, shift in zip(shape, offset, strict=True)]
    shares = [side / size for side, size in zip(sides, shape, strict=True)]
    return min(sides) >= _NARROWEST_PX and max(shares) >= _SHORTEST_SHARE


def _measure(first: Plane, second: Plane, nominal: Points, max_shift_px: float) -> tuple[tuple[float, float], float]:
    """Offset and correlation of two planes.

    A shift found in the overlap of the stage moves part of it out of sight, so the overlap is cut anew at what was
    found until that no longer changes; only then is the fraction of a pixel worth having.
    """
    room = int(np.ceil(max_shift_px)) + 1
    meeting = _Meeting(_Side.of(first, nominal, room), _Side.of(second, -nominal, room))
    best = np.rint(nominal)
    correlation = meeting.correlation(best)
    for _ in range(_ROUNDS):
        candidates = [
            offset
            for offset in meeting.candidates(best)
            if np.all(np.abs(offset - nominal) <= max_shift_px) and _overlap_is_useful(offset, first.shape)
        ]
        rated = [(meeting.correlation(offset), tuple(offset)) for offset in candidates]
        if not rated or max(rated)[0] <= correlation:
            break
        correlation, found = max(rated)
        best = np.array(found)
    fine = best + meeting.fraction(best)
    return (float(fine[0]), float(fine[1])), correlation


@dataclass(frozen=True, slots=True)
class _Side:
    """The part of a plane of `shape` where another may overlap it, freed of noise and shading; it begins at `start`."""

    part: Plane
    start: tuple[int, ...]
    shape: tuple[int, ...]

    @classmethod
    def of(cls, plane: Plane, offset: Points, room: int) -> Self:
        """The part that a plane at `offset`, give or take `room` pixels, overlaps."""
        places = np.rint(offset).astype(int)
        spans = [
            (max(0, place - room), min(size, size + place + room))
            for place, size in zip(places, plane.shape, strict=True)
        ]
        (top, bottom), (left, right) = spans
        part = sp.ndimage.gaussian_filter(plane[top:bottom, left:right], _FINE_PX)
        part -= sp.ndimage.uniform_filter(part, _COARSE_PX)
        return cls(part, (top, left), plane.shape)

    def cut(self, at: Points) -> Plane:
        """What a plane at the whole-pixel offset `at` overlaps, mean 0."""
        spans = [
            slice(max(0, place) - start, min(size, size + place) - start)
            for place, size, start in zip(at.astype(int), self.shape, self.start, strict=True)
        ]
        part = self.part[tuple(spans)]
        return np.asarray(part - part.mean(dtype=np.float64), dtype=np.float32)


@dataclass(frozen=True, slots=True)
class _Meeting:
    """Two planes where they may overlap; offsets are of the second from the first."""

    first: _Side
    second: _Side

    def candidates(self, at: Points) -> Iterator[Points]:
        """Whole-pixel offsets at which the planes may match, from their overlap at the offset `at`.

        Whitened (phase) correlation finds sharp detail whatever the light, plain correlation survives more noise. A
        shift is known only up to the size of the overlap, so both readings are given.
        """
        one, other = self._tapered(at)
        for normalization in ("phase", None):
            shift, _, _ = ski.registration.phase_cross_correlation(one, other, normalization=normalization)
            readings = [
                (step, step - np.copysign(size, step)) if step else (step,)
                for step, size in zip(shift, one.shape, strict=True)
            ]
            for reading in itertools.product(*readings):
                yield at + np.array(reading)

    def fraction(self, at: Points) -> Points:
        """What lacks to the whole-pixel offset `at`, under a pixel each way; nothing where the overlap is not clear."""
        one, other = self._tapered(at)
        shift, _, _ = ski.registration.phase_cross_correlation(
            one, other, normalization=None, upsample_factor=_UPSAMPLING
        )
        fraction = np.asarray(shift, dtype=np.float64)
        return fraction if np.all(np.abs(fraction) <= 1) else np.zeros(2)

    def correlation(self, at: Points) -> float:
        """Pearson's correlation in the overlap at a whole-pixel offset; 0 where one of the planes is even."""
        one, other = self.first.cut(at), self.second.cut(-at)
        size = float(np.linalg.norm(one)) * float(np.linalg.norm(other))
        return float(np.vdot(one, other)) / size if size > 0 else 0.0

    def _tapered(self, at: Points) -> tuple[Plane, Plane]:
        """The overlap in both planes, faded out towards its edges, whose jumps would correlate at no shift."""
        one, other = self.first.cut(at), self.second.cut(-at)
        down, across = (sp.signal.windows.tukey(size, 0.25).astype(np.float32) for size in one.shape)
        window = np.multiply.outer(down, across)
        return one * window, other * window
