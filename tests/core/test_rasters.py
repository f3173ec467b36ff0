"""Small pictures of planes: each pixel stands for the right ones, contrast and outlines are drawn as promised."""

from __future__ import annotations

import numpy as np
import pytest

from openhcs.core.rasters import WHOLE, Section, compose, contrast_limits, outline, sample, shrink


def test_a_pixel_is_the_mean_of_those_it_stands_for() -> None:
    """Each pixel of the small picture is the mean of its part of the plane, for sizes that do not divide as well."""
    plane = np.arange(7 * 10, dtype=np.uint16).reshape(7, 10)
    assert shrink(plane, WHOLE, (1, 1)) == pytest.approx(plane.mean())
    halves = shrink(plane, WHOLE, (7, 2))
    assert np.allclose(halves, np.stack([plane[:, :5].mean(axis=1), plane[:, 5:].mean(axis=1)], axis=1))
    thirds = shrink(plane, WHOLE, (3, 10))
    assert np.allclose(thirds, np.stack([plane[0:2].mean(axis=0), plane[2:4].mean(axis=0), plane[4:7].mean(axis=0)]))


def test_a_bright_plane_does_not_overflow() -> None:
    """Sums of 16-bit counts are taken in floating point."""
    assert shrink(np.full((512, 512), 65535, dtype=np.uint16), WHOLE, (2, 2)) == pytest.approx(65535)


def test_a_section_nearer_than_its_pixels_repeats_them() -> None:
    """Where fewer pixels are there than asked for, the nearest is shown."""
    plane = np.array([[1, 2], [3, 4]], dtype=np.uint16)
    assert shrink(plane, WHOLE, (4, 4)).tolist() == [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]
    corner = shrink(plane, Section(0.5, 0.5, 1.0, 1.0), (3, 3))
    assert corner.tolist() == [[4, 4, 4]] * 3


def test_labels_are_sampled_not_averaged() -> None:
    """A small label image holds labels of the large one only."""
    labels = np.zeros((40, 40), dtype=np.int32)
    labels[10:30, 10:30] = 7
    assert set(np.unique(sample(labels, WHOLE, (9, 9)))) == {0, 7}


def test_an_outline_lies_inside_its_object() -> None:
    """The border of an object is its own outermost pixels; objects that touch are told apart."""
    labels = np.zeros((6, 8), dtype=np.int32)
    labels[1:5, 1:4] = 1
    labels[1:5, 4:7] = 2
    border = outline(labels)
    assert not border[labels == 0].any()
    assert border[1:5, 3].all()
    assert border[1:5, 4].all()
    assert not border[2:4, 2].any()


def test_contrast_is_one_for_all_pictures_of_a_channel() -> None:
    """Limits come from all pictures together; values that are no numbers do not count, and none at all are fine."""
    dark, bright = contrast_limits([np.full((5, 5), 10, np.float32), np.full((5, 5), 90, np.float32)])
    assert (dark, bright) == (10, 90)
    assert contrast_limits([np.array([[np.nan, 3.0]], dtype=np.float32)]) == (3.0, 3.0)
    assert contrast_limits([]) == (0.0, 1.0)


def test_channels_are_added_in_their_colours() -> None:
    """Full signal is the channel's colour, none is black, two channels add up, and outlines lie on top."""
    full, none = np.full((1, 2), 9, np.float32), np.zeros((1, 2), np.float32)
    border = np.array([[False, True]])
    raster = compose([(full, (0, 9), (200, 0, 0)), (none, (0, 9), (0, 200, 0))], border, (1, 2, 3))
    assert (raster.width, raster.height) == (2, 1)
    assert list(raster.rgb) == [200, 0, 0, 1, 2, 3]
    assert list(raster.outlined) == [0, 1]
    both = compose([(full, (0, 9), (200, 0, 0)), (full, (0, 9), (100, 50, 0))], None, (0, 0, 0))
    assert list(both.rgb[:3]) == [255, 50, 0]
    assert both.outlined == b""
