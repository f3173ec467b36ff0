"""Background and illumination."""

from __future__ import annotations

import numpy as np
import pytest

from openhcs.processing.background import (
    flatten_field,
    subtract_background_gaussian,
    subtract_background_tophat,
    subtract_constant,
)


def disc(size: int, centre: tuple[int, int], radius: float) -> np.ndarray:
    y, x = np.mgrid[:size, :size]
    return ((y - centre[0]) ** 2 + (x - centre[1]) ** 2 <= radius**2).astype(np.float32)


def slope(size: int) -> np.ndarray:
    return np.linspace(100, 200, size, dtype=np.float32)[None, :] * np.ones((size, 1), np.float32)


@pytest.mark.parametrize("subtract", [subtract_background_gaussian, subtract_background_tophat])
def test_a_constant_background_is_removed_entirely(subtract):
    """An even image becomes 0 to within rounding."""
    image = np.full((2, 64, 64), 731, np.float32)
    assert np.abs(subtract(image)).max() < 1e-3


def test_the_top_hat_keeps_an_object_and_removes_a_slope():
    """A disc of 500 counts on a slope of 100 to 200 counts comes out as about 500 counts on about 0."""
    size, nucleus = 200, disc(200, (100, 100), 10)
    image = (slope(size) + 500 * nucleus)[None]
    result = subtract_background_tophat(image, radius_px=30)[0]
    assert result[100, 100] == pytest.approx(500, abs=15)
    far = (nucleus == 0) & (disc(size, (100, 100), 80) > 0)
    assert np.abs(result[far]).max() < 20


def test_the_top_hat_of_noise_is_nearly_unbiased():
    """Smoothing before the opening keeps the background off the lower edge of the noise."""
    image = np.random.default_rng(0).normal(1000, 20, (1, 256, 256)).astype(np.float32)
    smoothed = subtract_background_tophat(image, radius_px=20, smoothing_px=3).mean()
    raw = subtract_background_tophat(image, radius_px=20, smoothing_px=0).mean()
    assert smoothed < 10
    assert raw > 40


def test_a_constant_is_subtracted_from_every_pixel():
    """The camera's offset goes; values may become negative."""
    result = subtract_constant(np.array([[[100, 50]]], np.float32), value=80)
    assert result.tolist() == [[[20, -30]]]
    assert result.dtype == np.float32


def test_flattening_removes_the_illumination_that_planes_share():
    """Sites with one object each, under the same vignette, come out as under even light."""
    size = 128
    y, x = np.mgrid[:size, :size]
    light = (1 - 0.4 * ((y - 64) ** 2 + (x - 64) ** 2) / 64**2 / 2).astype(np.float32)
    scene = np.stack([1000 + 800 * disc(size, (20 + 11 * n, 100 - 9 * n), 6) for n in range(9)])
    flat = flatten_field((scene * light).astype(np.float32), sigma_px=3)
    background = np.median(flat, axis=0)[8:-8, 8:-8]
    assert background.std() / background.mean() < 0.01
    assert (scene * light).astype(np.float32)[0].std() > flat[0].std()


def test_flattening_leaves_dark_planes_alone():
    """Where there is no light at all, the image is returned as it is."""
    dark = np.zeros((3, 16, 16), np.float32)
    assert (flatten_field(dark) == 0).all()


@pytest.mark.parametrize("subtract", [subtract_background_gaussian, subtract_background_tophat, subtract_constant])
def test_a_missing_pixel_stays_missing(subtract):
    """NaN is never turned into a number."""
    image = np.ones((1, 32, 32), np.float32)
    image[0, 3, 4] = np.nan
    assert np.isnan(subtract(image)[0, 3, 4])
