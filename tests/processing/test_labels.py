"""Label images are changed object by object."""

from __future__ import annotations

import numpy as np

from openhcs.processing.labels import expand_labels, filter_labels_by_area, remove_border_labels


def two_planes() -> np.ndarray:
    labels = np.zeros((2, 20, 20), np.int32)
    labels[0, 0:4, 0:4] = 1  # at the border, 16 px
    labels[0, 8:12, 8:10] = 2  # 8 px
    labels[1, 5:15, 5:15] = 7  # 100 px
    return labels


def image() -> np.ndarray:
    return np.zeros((2, 20, 20), np.float32)


def test_objects_grow_by_the_distance_and_keep_their_number():
    """A 4 x 2 object grown by 1 gains its sides and no corners."""
    grown = expand_labels(image(), labels=two_planes(), distance_px=1)
    assert grown.dtype == np.int32
    assert np.count_nonzero(grown[0] == 2) == 8 + 2 * (4 + 2)
    assert set(np.unique(grown[1])) == {0, 7}


def test_neighbours_stop_where_they_meet():
    """Growing never takes a pixel of another object."""
    labels = two_planes()
    grown = expand_labels(image(), labels=labels, distance_px=30)
    assert (grown[labels > 0] == labels[labels > 0]).all()
    assert set(np.unique(grown[0])) == {1, 2}


def test_objects_at_the_border_go():
    """The object in the corner is removed, those inside keep their number, and the input stays as it was."""
    labels = two_planes()
    cleared = remove_border_labels(image(), labels=labels)
    assert set(np.unique(cleared)) == {0, 2, 7}
    assert set(np.unique(labels)) == {0, 1, 2, 7}
    assert set(np.unique(remove_border_labels(image(), labels=labels, margin_px=5))) == {0, 2}


def test_objects_are_kept_by_area():
    """Limits are inclusive, and no upper limit keeps all large ones."""
    kept = filter_labels_by_area(image(), labels=two_planes(), minimum_px=16)
    assert set(np.unique(kept)) == {0, 1, 7}
    kept = filter_labels_by_area(image(), labels=two_planes(), minimum_px=0, maximum_px=16)
    assert set(np.unique(kept)) == {0, 1, 2}


def test_no_objects_stay_no_objects():
    """Every function takes an empty label image."""
    none = np.zeros((2, 20, 20), np.int32)
    for change in (expand_labels, remove_border_labels, filter_labels_by_area):
        assert (change(image(), labels=none) == 0).all()
