"""Filters over neighbouring pixels."""

from __future__ import annotations

import numpy as np
import pytest

from openhcs.processing.filters import difference_of_gaussians, gaussian_blur, median_filter


def test_a_blurred_point_is_a_gaussian_of_the_same_sum_in_its_own_plane():
    """The height at the centre is 1 / (2 pi sigma^2), the sum stays, the next plane stays empty."""
    image = np.zeros((2, 41, 41), np.float32)
    image[0, 20, 20] = 1
    result = gaussian_blur(image, sigma_px=3)
    assert result[0].sum() == pytest.approx(1, rel=1e-3)
    assert result[0, 20, 20] == pytest.approx(1 / (2 * np.pi * 9), rel=0.01)
    assert (result[1] == 0).all()


def test_the_median_removes_a_hot_pixel_and_keeps_an_edge():
    """A single bright pixel vanishes; a step stays where it is."""
    image = np.zeros((1, 9, 9), np.float32)
    image[0, :, 5:] = 10
    expected = image.copy()
    image[0, 4, 2] = 1000
    assert (median_filter(image, radius_px=1) == expected).all()


def test_the_median_keeps_nan():
    """A missing pixel is not replaced by its neighbours."""
    image = np.zeros((1, 5, 5), np.float32)
    image[0, 2, 2] = np.nan
    assert np.isnan(median_filter(image)[0, 2, 2])


def test_the_difference_of_gaussians_ignores_what_is_flat():
    """An even image gives 0, a point a bright centre and a dark rim."""
    image = np.full((1, 61, 61), 5, np.float32)
    assert np.abs(difference_of_gaussians(image)).max() < 1e-5
    image[0, 30, 30] = 100
    result = difference_of_gaussians(image, low_sigma_px=1, high_sigma_px=4)[0]
    assert result[30, 30] > 0 > result[30, 36]


def test_scales_in_the_wrong_order_are_refused():
    """The narrow blur must be narrower."""
    with pytest.raises(ValueError, match="low_sigma_px: 8; expected less than high_sigma_px"):
        difference_of_gaussians(np.zeros((1, 4, 4), np.float32), low_sigma_px=8, high_sigma_px=2)
