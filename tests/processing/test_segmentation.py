"""Objects are found where there are some, and only there."""

from __future__ import annotations

import numpy as np
import pytest
import skimage as ski

from openhcs.processing.intensity import normalise_percentile
from openhcs.processing.segmentation import segment_spots_log, segment_threshold_local, segment_threshold_watershed

ALL = [segment_threshold_watershed, segment_threshold_local, segment_spots_log]
SIZE = 256
CENTRES = [(40, 40), (40, 128), (128, 60), (200, 200), (200, 60)]


def field(centres=CENTRES, radius=11, height=800.0, seed=0, size=SIZE, noise=25.0) -> np.ndarray:
    """Discs on an even background with noise, (1, Y, X), counts."""
    y, x = np.mgrid[:size, :size]
    image = np.random.default_rng(seed).normal(300, noise, (size, size))
    lit = np.zeros((size, size), bool)
    for cy, cx in centres:
        lit |= (y - cy) ** 2 + (x - cx) ** 2 <= radius**2
    return (image + height * lit).astype(np.float32)[None]


@pytest.mark.parametrize(
    ("segment", "tolerance"),
    [
        (segment_threshold_watershed, 0.1),
        # Four standard deviations over the neighbourhood is low on a bright disc: its blurred edge belongs to it.
        (segment_threshold_local, 0.3),
    ],
)
def test_discs_are_found_where_they_are_and_as_large_as_they_are(segment, tolerance):
    """Five discs give five objects, their centres within a pixel, their areas within a tolerance."""
    labels = segment(field())
    assert labels.dtype == np.int32
    assert labels.shape == (1, SIZE, SIZE)
    found = ski.measure.regionprops(labels[0])
    assert len(found) == len(CENTRES)
    for region in found:
        nearest = min(CENTRES, key=lambda centre: np.hypot(*np.subtract(centre, region.centroid)))
        assert np.hypot(*np.subtract(nearest, region.centroid)) < 1
        assert region.area == pytest.approx(np.pi * 11**2, rel=tolerance)


def test_touching_discs_are_cut_apart():
    """Two pairs that overlap by a quarter of a radius, and a single disc, give five objects."""
    labels = segment_threshold_watershed(field([(60, 60), (60, 79), (180, 100), (198, 106), (60, 180)]))
    assert labels.max() == 5


@pytest.mark.parametrize("segment", ALL)
@pytest.mark.parametrize("seed", range(3))
def test_noise_holds_no_objects(segment, seed):
    """An empty well gives no objects, also after the stretch that lifts its noise to the whole range."""
    noise = field([], seed=seed)
    assert segment(noise).max() == 0
    assert segment(normalise_percentile(noise, high_percent=99.95)).max() == 0


@pytest.mark.parametrize("segment", ALL)
@pytest.mark.parametrize("value", [0, 4000])
def test_an_even_image_holds_no_objects(segment, value):
    """All zeros, or all of one value, is an empty well."""
    labels = segment(np.full((2, 64, 64), value, np.float32))
    assert labels.shape == (2, 64, 64)
    assert labels.max() == 0


@pytest.mark.parametrize("height", [200, 2000])
def test_a_single_nucleus_in_an_empty_field_is_found(height):
    """Where Otsu's two classes are both noise, the threshold above the noise finds the one object."""
    labels = segment_threshold_watershed(field([(300, 310)], height=height, size=600))
    assert labels.max() == 1
    assert labels[0, 300, 310] == 1


def test_every_plane_is_segmented_for_itself():
    """A dim plane next to a bright one keeps its objects, and labels count from 1 in each."""
    stack = np.concatenate([field(), 0.1 * field([(40, 40), (128, 128)])]).astype(np.float32)
    labels = segment_threshold_watershed(stack)
    assert [int(plane.max()) for plane in labels] == [5, 2]


def test_large_holes_stay_open():
    """A ring of nuclei encloses background, which belongs to none of them."""
    ring = [
        (128 + round(45 * np.sin(a)), 128 + round(45 * np.cos(a)))
        for a in np.linspace(0, 2 * np.pi, 14, endpoint=False)
    ]
    labels = segment_threshold_watershed(field(ring))[0]
    assert labels[128, 128] == 0
    assert labels.max() == 14


def test_spots_of_the_given_size_are_found():
    """Points of light blurred as the microscope blurs them are found, each once."""
    size, places = 128, [(20, 20), (20, 60), (90, 40), (100, 100), (64, 64)]
    image = np.zeros((size, size))
    for y, x in places:
        image[y, x] = 1500
    image = ski.filters.gaussian(image, 1.5) + np.random.default_rng(0).normal(100, 2, (size, size))
    labels = segment_spots_log(image.astype(np.float32)[None])[0]
    assert labels.max() == len(places)
    assert len({int(labels[place]) for place in places} - {0}) == len(places)


@pytest.mark.parametrize("segment", ALL)
def test_an_image_with_nan_is_refused(segment):
    """Objects are never guessed from missing pixels; the message counts them."""
    image = field()
    image[0, 5, 5:8] = np.nan
    with pytest.raises(ValueError, match="3 of 65536 pixels are not finite"):
        segment(image)
