"""The light that sites share is found and taken out, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from openhcs.processing.illumination import (
    correct_illumination,
    correct_plate_illumination,
    estimate_illumination,
    estimate_plate_illumination,
    fit_plate_light,
)
from openhcs.processing.stitching import align_sites, stitch_sites
from openhcs.processing.types import Image
from tests.processing.mosaics import DARK_COUNTS, PIXEL_SIZE_UM, cut_mosaic, paint_cells, vignette


def test_the_light_is_found_within_two_percent() -> None:
    """From nine crowded sites, into the corners."""
    cut = cut_mosaic(light=vignette(400))
    light = estimate_illumination(cut.image, dark_counts=DARK_COUNTS)
    truth = vignette(400) / vignette(400).mean()
    assert light.mean() == pytest.approx(1, abs=1e-3)
    assert np.median(np.abs(light / truth - 1)) < 0.01
    assert np.abs(light / truth - 1).max() < 0.04


def test_a_corrected_and_stitched_mosaic_is_the_picture() -> None:
    """Whole chain without knowing the lamp: brightness within 2 % of the picture's in 9 of 10 places, 1 % in all."""
    cut = cut_mosaic(seed=2, light=vignette(400))
    even = correct_illumination(cut.image, dark_counts=DARK_COUNTS)
    alignment = align_sites(even, positions=cut.positions, pixel_size_um=PIXEL_SIZE_UM)
    mosaic = stitch_sites(even, positions=cut.positions, pixel_size_um=PIXEL_SIZE_UM, alignment=alignment)
    placed = [alignment[name][0] for name in ("shift_y_px", "shift_x_px")]
    corner = np.rint(cut.true_px[0] - placed).astype(int)
    inner = np.s_[16:1104, 16:1104]
    # The lamp's mean is 1 in the estimate: the picture as the mean light of the lamp shows it.
    truth = (vignette(400).mean() * cut.picture)[corner[0] :, corner[1] :][inner]

    def blocks(image: np.ndarray) -> np.ndarray:
        return image.reshape(34, 32, 34, 32).mean(axis=(1, 3))

    difference = np.abs(blocks(mosaic[inner]) / blocks(truth) - 1)
    assert np.median(difference) < 0.01
    assert np.percentile(difference, 90) < 0.02
    assert mosaic[inner].mean() == pytest.approx(truth.mean(), rel=0.01)


def test_counts_keep_their_range() -> None:
    """Full 16-bit counts are neither clipped nor rounded; the mean stays."""
    light = vignette(128)
    image = np.stack([light * 65_535] * 6)
    corrected = correct_illumination(image)
    assert corrected.dtype == np.float32
    assert np.allclose(corrected, 65_535 * light.mean(), rtol=0.01)


def test_without_light_nothing_is_divided() -> None:
    """Planes at the camera's offset stay finite; the warning says what was not done."""
    with pytest.warns(UserWarning, match="no light above dark_counts"):
        dark = correct_illumination(np.full((5, 64, 48), 100, np.float32), dark_counts=100)
    assert np.all(dark == 0)
    half_dark = np.full((5, 64, 48), 100, np.float32)
    half_dark[:, :, :24] = 500
    corrected = correct_illumination(half_dark, dark_counts=100)
    assert np.all(np.isfinite(corrected))
    assert np.abs(corrected).max() <= 400 / 0.05


def test_one_plane_is_told_to_be_little() -> None:
    """An estimate from fewer than four planes is a warning."""
    image = np.full((1, 64, 64), 500, np.float32)
    with pytest.warns(UserWarning, match="estimated from 1 plane only; objects may be taken for light"):
        assert np.allclose(correct_illumination(image), 500)


@pytest.mark.parametrize("shape", [(4, 1, 1), (4, 3, 500), (4, 65, 130)])
def test_any_size_of_image_is_taken(shape: tuple[int, int, int]) -> None:
    """Images of a pixel, narrow ones, and such that blocks do not fill."""
    assert np.allclose(correct_illumination(np.full(shape, 500, np.float32)), 500, rtol=1e-4)


def plate_planes(cells_per_mpx: float, planes: int, *, seed: int, size_px: int = 256) -> list[Image]:
    """Planes under one lamp, of wells whose cells differ in number by six and in brightness by four."""
    rng = np.random.default_rng(seed)
    lamp, margin = vignette(size_px), 20
    made = []
    for _ in range(planes):
        density = cells_per_mpx * rng.uniform(0.3, 1.7)
        picture = paint_cells(rng, size_px + 2 * margin, size_px + 2 * margin, cells_per_mpx=density)
        seen = lamp * picture[margin:-margin, margin:-margin] * rng.uniform(0.5, 2)
        counts = DARK_COUNTS + rng.poisson(seen / 2) * 2 + rng.normal(0, 6, seen.shape)
        made.append(np.clip(np.rint(counts), 0, 65535).astype(np.float32))
    return made


def percent_off(light: Image) -> tuple[float, float]:
    """How far `light` is from the lamp: in the median over the pixels, and at most, in per cent."""
    truth = vignette(light.shape[0]) / vignette(light.shape[0]).mean()
    off = 100 * np.abs(light / truth - 1)
    return float(np.median(off)), float(off.max())


@pytest.mark.parametrize(("cells_per_mpx", "median", "most"), [(900, 0.1, 2), (3000, 0.3, 5), (8000, 0.3, 5)])
def test_a_plate_shows_its_lamp_far_better_than_a_well(cells_per_mpx: float, median: float, most: float) -> None:
    """64 planes, a sixth of them covered with cells to nearly all: errors in per cent, and those of four sites."""
    planes = plate_planes(cells_per_mpx, 64, seed=4)
    of_plate = percent_off(fit_plate_light(planes, dark_counts=DARK_COUNTS).surface())
    wells = [np.stack(planes[first : first + 4]) for first in range(0, 16, 4)]
    of_wells = np.mean([percent_off(estimate_illumination(well, dark_counts=DARK_COUNTS)) for well in wells], axis=0)
    assert of_plate[0] < median
    assert of_plate[1] < most
    assert of_plate[0] < of_wells[0] / 3
    assert of_plate[1] < of_wells[1] / 3


def test_the_percentile_is_chosen_by_where_planes_agree() -> None:
    """In crowded wells the median is between background and cells, and several times as far off."""
    planes = plate_planes(3000, 64, seed=4)
    chosen = percent_off(fit_plate_light(planes, dark_counts=DARK_COUNTS).surface())
    median = percent_off(fit_plate_light(planes, dark_counts=DARK_COUNTS, percent=50).surface())
    assert chosen[0] < median[0] / 3
    assert chosen[1] < median[1] / 3


def test_each_plane_is_divided_by_its_own_light() -> None:
    """Planes of several channels in one stack each have the light of theirs; counts above the offset are even."""
    lamps = vignette(96), vignette(96)[::-1, ::-1]
    light = [fit_plate_light([DARK_COUNTS + 500 * lamp] * 16, dark_counts=DARK_COUNTS) for lamp in lamps]
    image = np.stack([DARK_COUNTS + 900 * lamps[channel] for channel in (0, 1, 1, 0)])
    corrected = correct_plate_illumination(image, light=[light[channel] for channel in (0, 1, 1, 0)], dark_counts=110)
    assert np.allclose(corrected, 900 * lamps[0].mean(), rtol=2e-3)
    shown = estimate_plate_illumination(image[:2], light=light)
    assert np.allclose(shown, np.stack([lamp / lamp.mean() for lamp in lamps]), rtol=2e-3)


def test_light_of_another_size_is_refused() -> None:
    """A mosaic is not divided by the light of a site."""
    light = fit_plate_light([np.full((64, 48), 500, np.float32)] * 16)
    with pytest.raises(ValueError, match="illumination of planes of 64 x 48, and the image has 128 x 96"):
        correct_plate_illumination(np.ones((1, 128, 96), np.float32), light=[light])


def test_objects_that_are_left_in_hardly_pull() -> None:
    """Nine crowded sites: cells that no percentile leaves out cost hardly more than 1 per cent of the light."""
    for seed in (10, 11):
        planes = plate_planes(2000, 9, seed=seed, size_px=192)
        assert percent_off(estimate_illumination(np.stack(planes), dark_counts=DARK_COUNTS))[0] < 1.2


def test_odd_planes_hardly_matter() -> None:
    """A quarter saturated, a quarter dark, a quarter with a blot of dirt, and an offset that is wrong by a tenth."""
    planes = plate_planes(900, 64, seed=4)
    rng = np.random.default_rng(1)
    for plane in planes[:16]:
        plane[:] = 65535
    for plane in planes[16:32]:
        plane[:] = DARK_COUNTS + rng.normal(0, 6, plane.shape)
    for plane in planes[32:48]:
        y, x = rng.integers(0, 160, 2)
        plane[y : y + 96, x : x + 96] += 20_000
    median, most = percent_off(fit_plate_light(planes, dark_counts=0.9 * DARK_COUNTS).surface())
    assert median < 1
    assert most < 5


def test_dark_planes_and_few_planes_are_told() -> None:
    """Planes without light do not count; too few planes are warned of; none is an error."""
    lit = [DARK_COUNTS + 500 * vignette(64)] * 2
    with pytest.warns(UserWarning, match="estimated from 3 planes only"):
        light = fit_plate_light([*lit, np.full((64, 64), 100, np.float32)], dark_counts=DARK_COUNTS)
    assert percent_off(light.surface())[1] < 1
    with pytest.raises(ValueError, match="no plane to estimate the illumination from"):
        fit_plate_light([])
