"""A known picture, cut into the sites of a well as a stage with play and a lamp that is no even one would take them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from openhcs.processing.types import SitePositions

Plane = npt.NDArray[np.float32]

PIXEL_SIZE_UM = 0.65
DARK_COUNTS = 110.0


@dataclass(frozen=True)
class CutMosaic:
    """`image` are the sites, counts; `true_px` and `stage_px` their corners in `picture`, (N, 2) y, x."""

    picture: Plane
    image: Plane
    true_px: npt.NDArray[np.float64]
    stage_px: npt.NDArray[np.float64]

    @property
    def positions(self) -> SitePositions:
        """What the stage tells."""
        place_um = self.stage_px * PIXEL_SIZE_UM + 20_000
        return SitePositions(np.arange(1, len(place_um) + 1), place_um, place_um)

    @property
    def true_shifts(self) -> npt.NDArray[np.float64]:
        """The stage's errors, less their mean, which nothing can tell."""
        errors = self.true_px - self.stage_px
        shifts: npt.NDArray[np.float64] = errors - errors.mean(axis=0)
        return shifts


def paint_cells(rng: np.random.Generator, height: int, width: int, *, cells_per_mpx: float = 900) -> Plane:
    """Round cells of 1,500 counts on a background of 300, without noise."""
    picture = np.zeros((height, width), np.float32)
    count = int(cells_per_mpx * height * width / 1e6)
    picture[rng.integers(0, height, count), rng.integers(0, width, count)] = rng.uniform(0.6, 1.4, count)
    disc = np.hypot(*np.ogrid[-9:10, -9:10]) <= 8
    cells = ndimage.gaussian_filter(ndimage.grey_dilation(picture, footprint=disc), 1.5)
    return np.asarray(300 + 1500 * cells, np.float32)


def vignette(size_px: int, depth: float = 0.35) -> Plane:
    """Relative light: 1 near the middle, `1 - depth` in the farthest corner."""
    y, x = np.ogrid[: 1 : size_px * 1j, : 1 : size_px * 1j]
    far = (y - 0.45) ** 2 + (x - 0.55) ** 2
    return np.asarray(1 - depth * far / far.max(), np.float32)


def cut_mosaic(
    *,
    seed: int = 1,
    across: int = 3,
    size_px: int = 400,
    overlap: float = 0.1,
    jitter_px: float = 8,
    cells_per_mpx: float = 900,
    light: Plane | None = None,
) -> CutMosaic:
    """`across` x `across` sites whose places are whole pixels, up to `jitter_px` from where the stage says."""
    rng = np.random.default_rng(seed)
    pitch = round(size_px * (1 - overlap))
    margin = int(np.ceil(jitter_px))
    side = pitch * (across - 1) + size_px + 2 * margin
    picture = paint_cells(rng, side, side, cells_per_mpx=cells_per_mpx)
    stage = margin + pitch * np.array(list(itertools.product(range(across), repeat=2)))
    true = stage + rng.integers(-margin, margin + 1, stage.shape)
    lamp = np.ones((size_px, size_px), np.float32) if light is None else light
    sites = []
    for y, x in true:
        seen = lamp * picture[y : y + size_px, x : x + size_px]
        counts = DARK_COUNTS + rng.poisson(seen / 2) * 2 + rng.normal(0, 6, seen.shape)
        sites.append(np.clip(np.rint(counts), 0, 65535).astype(np.float32))
    return CutMosaic(picture, np.stack(sites), true.astype(float), stage.astype(float))
