"""Point operations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from openhcs.processing.intensity import adjust_gamma, clip_intensity, normalise_percentile

images = arrays(
    np.float32,
    (2, 5, 7),
    elements=st.floats(-1e4, 7e4, width=32, allow_nan=False, allow_infinity=False, allow_subnormal=False),
)


@given(images)
def test_normalised_intensities_lie_between_0_and_1(image):
    """Whatever comes in, clipped results are within 0 and 1."""
    result = normalise_percentile(image)
    assert result.dtype == np.float32
    assert result.shape == image.shape
    assert ((result >= 0) & (result <= 1)).all()


def test_the_two_percentiles_become_0_and_1():
    """Of 0, 1 ... 100 the 10th percentile becomes 0, the 90th 1, and without clipping the ends lie outside."""
    image = np.arange(101, dtype=np.float32).reshape(1, 1, 101)
    result = normalise_percentile(image, low_percent=10, high_percent=90, clip=False)[0, 0]
    assert result[10] == pytest.approx(0)
    assert result[90] == pytest.approx(1)
    assert result[100] == pytest.approx(90 / 80)


def test_planes_keep_their_ratio_unless_each_is_stretched():
    """Over the stack the dim plane stays dim; over each plane both fill the range."""
    ramp = np.linspace(0, 1, 100, dtype=np.float32).reshape(10, 10)
    image = np.stack([ramp, 4 * ramp])
    assert normalise_percentile(image)[0].max() < 0.3
    assert normalise_percentile(image, over="plane")[0].max() == pytest.approx(1)


def test_an_even_image_becomes_0():
    """There is nothing to stretch, and nothing is divided by 0."""
    assert (normalise_percentile(np.full((1, 4, 4), 7, np.float32)) == 0).all()


def test_percentiles_in_the_wrong_order_are_refused():
    """The message names both parameters."""
    with pytest.raises(ValueError, match=r"low_percent: 60; expected less than high_percent, which is 40"):
        normalise_percentile(np.zeros((1, 2, 2), np.float32), low_percent=60, high_percent=40)


def test_normalising_shows_a_broken_plane():
    """NaN in, NaN out: the engine then fails the well instead of measuring a guess."""
    image = np.ones((1, 4, 4), np.float32)
    image[0, 0, 0] = np.nan
    assert np.isnan(normalise_percentile(image)).any()


def test_clipping_bounds_either_side():
    """Below and above the limits values are replaced by them; None leaves a side open."""
    image = np.array([[[-5, 3, 99]]], np.float32)
    assert clip_intensity(image, low=0, high=10).tolist() == [[[0, 3, 10]]]
    assert clip_intensity(image, low=None, high=10).tolist() == [[[-5, 3, 10]]]
    with pytest.raises(ValueError, match="low: 9; expected at most high, which is 1"):
        clip_intensity(image, low=9, high=1)


def test_gamma_one_half_is_the_square_root():
    """16 becomes 4, and what is negative counts as 0."""
    assert adjust_gamma(np.array([[[16, -4]]], np.float32), gamma=0.5).tolist() == [[[4, 0]]]
