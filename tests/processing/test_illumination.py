"""The light that sites share is found and taken out, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from openhcs.processing.illumination import correct_illumination, estimate_illumination
from openhcs.processing.stitching import align_sites, stitch_sites
from tests.processing.mosaics import DARK_COUNTS, PIXEL_SIZE_UM, cut_mosaic, vignette


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
