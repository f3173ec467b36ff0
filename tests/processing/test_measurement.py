"""Tables of objects, counts and images."""

from __future__ import annotations

import numpy as np
import pytest

from openhcs.processing.measurement import count_objects, measure_image, measure_objects


@pytest.fixture
def labels() -> np.ndarray:
    labels = np.zeros((2, 30, 40), np.int32)
    labels[0, 5:9, 10:20] = 3  # 4 x 10
    labels[1, 0, 0] = 1
    labels[1, 10:20, 10:20] = 2  # 10 x 10
    return labels


@pytest.fixture
def image(labels: np.ndarray) -> np.ndarray:
    image = np.full(labels.shape, 5, np.float32)
    image[labels == 3] = 50
    image[0, 5, 10] = 90
    return image


def test_objects_are_measured_in_the_plane_they_are_in(image, labels):
    """Area, place and intensity of a rectangle of 40 pixels are what one counts by hand."""
    table = measure_objects(image, labels=labels, pixel_size_um=0.5)
    assert table["plane"].tolist() == [0, 1, 1]
    assert table["label"].tolist() == [3, 1, 2]
    assert table["area_px"].tolist() == [40, 1, 100]
    assert table["area_um2"].tolist() == [10, 0.25, 25]
    assert (table["centroid_y_px"][0], table["centroid_x_px"][0]) == (6.5, 14.5)
    assert table["intensity_mean"][0] == pytest.approx(51)
    assert table["intensity_integrated"][0] == pytest.approx(39 * 50 + 90)
    assert (table["intensity_minimum"][0], table["intensity_maximum"][0]) == (50, 90)
    assert table["intensity_sd"][0] == pytest.approx(np.std([90] + 39 * [50]))
    assert table["eccentricity"][0] > 0.8
    assert table["solidity"].tolist() == [1, 1, 1]


def test_without_a_pixel_size_areas_in_micrometres_are_nan(image, labels):
    """The column stays, so that tables of all plates look alike."""
    assert np.isnan(measure_objects(image, labels=labels)["area_um2"]).all()


def test_no_objects_give_an_empty_table_of_the_same_columns(image, labels):
    """Names and types of columns do not depend on what was found."""
    full = measure_objects(image, labels=labels)
    empty = measure_objects(image, labels=np.zeros_like(labels))
    assert {name: column.dtype for name, column in empty.items()} == {
        name: column.dtype for name, column in full.items()
    }
    assert {len(column) for column in empty.values()} == {0}


def test_columns_are_equally_long(image, labels):
    """Every table can become a data frame."""
    for table in (measure_objects(image, labels=labels), count_objects(image, labels=labels), measure_image(image)):
        assert len({len(column) for column in table.values()}) == 1


def test_planes_without_objects_count_0(image, labels):
    """Every plane has a row, so that an empty well shows as 0 and not as a gap."""
    labels[0] = 0
    table = count_objects(image, labels=labels, pixel_size_um=2)
    assert table["plane"].tolist() == [0, 1]
    assert table["count"].tolist() == [0, 2]
    assert table["covered_fraction"].tolist() == [0, pytest.approx(101 / 1200)]
    assert table["density_per_mm2"][1] == pytest.approx(2 / (1200 * 4e-6))
    assert np.isnan(count_objects(image, labels=labels)["density_per_mm2"]).all()


def test_planes_are_described_by_their_intensities():
    """Mean, spread, range and sharpness of each plane."""
    image = np.zeros((2, 8, 8), np.float32)
    image[1, 4, 4] = 64
    table = measure_image(image)
    assert table["mean"].tolist() == [0, 1]
    assert table["maximum"].tolist() == [0, 64]
    assert table["median"].tolist() == [0, 0]
    assert table["focus"][1] > table["focus"][0] == 0
