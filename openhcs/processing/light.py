"""The light that planes share: a smooth surface fitted to many planes, blind to the objects on them.

A plane is reduced to the means of blocks as it comes, so that what a fit holds does not grow with the images: 32 KiB a
plane. Not part of the catalogue; `illumination` is what a pipeline calls.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from openhcs.processing.arrays import Plane

__all__ = ["Light", "fit_light"]

LEAST_LIGHT = 0.05
"""Below this part of the mean light, a ratio would only amplify noise."""

_GRID_BLOCKS = 64
"""Blocks along the longer side whose means are fitted: enough for any smooth surface, and quick."""

_LOSS_SCALE = 0.02
"""Differences from the surface, relative to the light, that count in full; larger ones are objects and count less."""

_PERCENTILES = tuple(range(10, 100, 10))
"""What is tried where the user names none."""

_REFINEMENTS = 2
"""How often the planes' levels are taken anew under the light found: the second time changes little."""

_MOST_ROUNDS = 50
_STAYS = 1e-6
"""Coefficients that change by less, relative to the light, are found."""


Grid = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Light:
    """The relative illumination of planes of `shape` (Y, X): Legendre coefficients along y and x, 1 in the mean."""

    coefficients: Grid
    shape: tuple[int, int]

    def surface(self) -> Plane:
        """The illumination at each pixel, `(Y, X)` float32, without unit, 0.05 at least."""
        along_y, along_x = (
            np.polynomial.legendre.legvander(_middles(size, size), count - 1)
            for size, count in zip(self.shape, self.coefficients.shape, strict=True)
        )
        surface = (along_y @ self.coefficients).astype(np.float32) @ along_x.T.astype(np.float32)
        return np.maximum(surface, np.float32(LEAST_LIGHT), out=surface)


def fit_light(planes: Iterable[Plane], *, dark_counts: float, percent: float | None, degree: int, few: int) -> Light:
    """The illumination that all `planes`, (Y, X) of one size, share. Even light, with a warning, where there is none.

    Each plane is brought to the same level, a percentile over the planes leaves out objects, and a smooth surface is
    fitted to what remains, by a robust loss. A plane's level is the same percentile of its own blocks, so that it is
    the light's and not the objects' as long as the percentile is: where half of a plane is covered, its median is
    neither. Without `percent`, that of 10, 20, ... 90 is taken by which the planes agree best, in the mean deviation
    from the surface: a low one where background shows between objects, a high one where objects cover everything.
    Planes that are dark, or saturated over more than half, do not count.

    Args:
        few: fewer planes than this are warned of.

    Raises:
        ValueError: there is no plane.
    """
    blocks, tops, shape, side = _read_blocks(planes)
    if len(blocks) < few:
        warnings.warn(
            f"illumination estimated from {len(blocks)} plane{'s' if len(blocks) > 1 else ''} only; objects may be "
            "taken for light",
            UserWarning,
            stacklevel=3,
        )
    levels = np.median(blocks, axis=(1, 2))
    shows = levels > dark_counts
    if np.any(shows & (levels < tops)):
        shows &= levels < tops  # saturated planes agree on even light
    lit = blocks[shows] - dark_counts
    if not len(lit):
        warnings.warn("no light above dark_counts; illumination not corrected", UserWarning, stacklevel=3)
        return Light(np.ones((1, 1)), shape)
    basis = _Basis(lit.shape[1:], side, shape, degree)
    candidates = _PERCENTILES if percent is None else (percent,)
    shared = {candidate: _share(lit, np.ones(lit.shape[1:]), candidate) for candidate in candidates}
    chosen = min(candidates, key=lambda candidate: basis.distance(shared[candidate]))
    coefficients = basis.fit(shared[chosen])
    for _ in range(_REFINEMENTS):
        coefficients = basis.fit(_share(lit, np.maximum(basis.surface(coefficients), LEAST_LIGHT), chosen))
    return Light(coefficients / max(basis.mean(coefficients), LEAST_LIGHT), shape)


def _read_blocks(planes: Iterable[Plane]) -> tuple[Grid, Grid, tuple[int, int], int]:
    """Block means of each plane `(N, blocks, blocks)`, their highest counts, their size, and the side of a block."""
    grids: list[Grid] = []
    tops: list[float] = []
    shape, side = (0, 0), 0
    for plane in planes:
        if not grids:
            shape = (plane.shape[0], plane.shape[1])
            side = min(math.ceil(max(shape) / _GRID_BLOCKS), *shape)
        grids.append(_block_means(plane, side))
        tops.append(float(plane.max()))
    if not grids:
        raise ValueError("no plane to estimate the illumination from; expected at least one")
    return np.stack(grids), np.array(tops), shape, side


def _block_means(plane: Plane, side: int) -> Grid:
    """The means of square blocks; what does not fill a block at the far edges is left out."""
    rows, columns = (size // side for size in plane.shape)
    cut = plane[: rows * side, : columns * side].reshape(rows, side, columns, side)
    return np.asarray(cut.mean(axis=(1, 3), dtype=np.float64))


def _share(blocks: Grid, light: Grid, percent: float) -> Grid:
    """What planes have in common, each brought to the same level, where the light is about `light`."""
    levels = np.percentile(blocks / light, percent, axis=(1, 2))
    lit = levels > 0  # a low percentile may have no light where the median has
    if not np.any(lit):
        return np.zeros(light.shape)
    return np.asarray(np.percentile(blocks[lit] / levels[lit, np.newaxis, np.newaxis], percent, axis=0))


class _Basis:
    """Polynomials on the middles of the blocks of planes, and how a surface of them is fitted."""

    def __init__(self, grid: tuple[int, ...], side: int, shape: tuple[int, int], degree: int) -> None:
        self._shape = shape
        self._powers = [min(degree, count - 1) for count in grid]
        y, x = (_middles(count, size / side) for count, size in zip(grid, shape, strict=True))
        at_y, at_x = np.meshgrid(y, x, indexing="ij")
        self._grid = grid
        self._at_blocks: Grid = np.asarray(
            np.polynomial.legendre.legvander2d(at_y.ravel(), at_x.ravel(), self._powers), dtype=np.float64
        )

    def fit(self, values: Grid) -> Grid:
        """The coefficients of the surface through `values`, of which objects pull at it little.

        Least squares, reweighted until they stay: what is far away weighs as 1 over its distance (soft L1 loss).
        Source: Holland and Welsch, Commun. Stat. A 6:813 (1977). With so few coefficients the normal equations are
        twenty times as quick as `scipy.optimize.least_squares`, and take one thread.
        """
        coefficients = self._nearest(values, np.ones(values.shape))
        for _ in range(_MOST_ROUNDS):
            distances = (values - self.surface(coefficients)) / _LOSS_SCALE
            before, coefficients = coefficients, self._nearest(values, 1 / np.hypot(1, distances))
            if np.abs(coefficients - before).max() < _STAYS:
                break
        return coefficients

    def distance(self, values: Grid) -> float:
        """How far `values` are from a surface, relative to it: the median of the absolute distances."""
        surface = self.surface(self._nearest(values, np.ones(values.shape)))
        return (
            float(np.median(np.abs(values - surface) / np.maximum(surface, LEAST_LIGHT)))
            if np.any(values)
            else math.inf
        )

    def surface(self, coefficients: Grid) -> Grid:
        """The surface at the blocks."""
        return np.asarray((self._at_blocks @ coefficients.ravel()).reshape(self._grid))

    def mean(self, coefficients: Grid) -> float:
        """The surface's mean over all pixels."""
        over_y, over_x = (
            np.polynomial.legendre.legvander(_middles(size, size), count - 1).mean(axis=0)
            for size, count in zip(self._shape, coefficients.shape, strict=True)
        )
        return float(over_y @ coefficients @ over_x)

    def _nearest(self, values: Grid, weights: Grid) -> Grid:
        """The coefficients of weighted least squares."""
        weighted = self._at_blocks.T * weights.ravel()
        found = np.linalg.solve(weighted @ self._at_blocks, weighted @ values.ravel())
        return np.asarray(found.reshape([power + 1 for power in self._powers]), dtype=np.float64)


def _middles(count: int, size: float) -> Grid:
    """Where the middles of `count` pieces of a side lie, the whole of which is `size` pieces and goes from -1 to 1."""
    return np.asarray((np.arange(count) + 0.5) * (2 / size) - 1, dtype=np.float64)
