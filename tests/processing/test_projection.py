"""Stacks become planes."""

from __future__ import annotations

import numpy as np
import pytest

from openhcs.processing.filters import gaussian_blur
from openhcs.processing.projection import project_best_focus, project_maximum, project_mean, project_sum

ALL = [project_maximum, project_mean, project_sum, project_best_focus]


@pytest.mark.parametrize("project", ALL)
def test_a_stack_of_one_plane_projects_to_that_plane(project):
    """N = 1 is a stack like any other."""
    image = np.random.default_rng(0).normal(size=(1, 6, 5)).astype(np.float32)
    result = project(image)
    assert result.dtype == np.float32
    assert np.allclose(result, image[0])


def test_maximum_mean_and_sum_along_the_stack():
    """Each pixel is taken for itself."""
    image = np.array([[[1, 6]], [[3, 2]]], np.float32)
    assert project_maximum(image).tolist() == [[3, 6]]
    assert project_mean(image).tolist() == [[2, 4]]
    assert project_sum(image).tolist() == [[4, 8]]


def test_sums_run_in_64_bits():
    """The mean of five thousand planes of one value is that value, though their sum has no place in 32 bits."""
    image = np.full((5000, 2, 2), 16777.3, np.float32)
    assert image.mean(axis=0)[0, 0] != image[0, 0, 0]
    assert project_mean(image)[0, 0] == image[0, 0, 0]


def test_the_sharpest_plane_is_the_one_in_focus():
    """Of five planes blurred more the farther they are from the third, the third is chosen."""
    scene = np.random.default_rng(1).random((1, 64, 64)).astype(np.float32)
    stack = np.concatenate([gaussian_blur(scene, sigma_px=sigma) for sigma in (4, 2, 0.5, 2, 4)])
    assert (project_best_focus(stack) == stack[2]).all()


@pytest.mark.parametrize("project", [project_maximum, project_mean, project_sum])
def test_nan_in_one_plane_shows_in_the_projection(project):
    """A broken plane is not covered up by the others."""
    image = np.ones((3, 2, 2), np.float32)
    image[1, 0, 0] = np.nan
    assert np.isnan(project(image)[0, 0])
