"""What functions declare about themselves is true: how much memory they take, and whether they combine a stack."""

from __future__ import annotations

import inspect
import tracemalloc
import warnings

import numpy as np
import pytest

from openhcs.core.functions import Function, catalogue
from openhcs.core.parameters import ParameterKind
from openhcs.processing.types import Role, SitePositions

MIB = 2**20


def scene(planes: int, size: int) -> np.ndarray:
    """Noise with round objects, as many to a pixel whatever the size."""
    rng = np.random.default_rng(3)
    image = rng.normal(110, 5, (planes, size, size)).astype(np.float32)
    y, x = np.ogrid[:size, :size]
    for plane in image:
        for row, column in rng.uniform(0, size, (round(size * size / 4400), 2)):
            plane += 300 * ((y - row) ** 2 + (x - column) ** 2 < 81)
    return image


def arguments_of(function: Function, image: np.ndarray, labels: np.ndarray) -> dict[str, object]:
    """What the engine and the defaults fill in."""
    given: dict[str, object] = {p.name: labels for p in function.parameters if p.kind is ParameterKind.LABELS}
    if function.takes_pixel_size:
        given["pixel_size_um"] = 0.5
    if function.takes_positions:
        side = image.shape[1]
        places = np.array([(0.0, number * side * 0.45) for number in range(len(image))])
        given["positions"] = SitePositions(np.arange(1, len(image) + 1), places, places)
    if function.estimate is not None:
        given[function.estimate.argument] = [function.estimate.callable(list(image))] * len(image)
    return given


def peak_bytes(function: Function, image: np.ndarray, labels: np.ndarray) -> tuple[int, object]:
    """What a call takes beside its arguments, and what it returns; libraries it loads lazily are loaded before."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        arguments = arguments_of(function, image, labels)
        function.callable(image, **arguments)
        tracemalloc.start()
        try:
            result = function.callable(image, **arguments)
            return tracemalloc.get_traced_memory()[1], result
        finally:
            tracemalloc.stop()


@pytest.fixture(scope="module")
def stacks() -> list[tuple[np.ndarray, np.ndarray]]:
    images = [scene(4, 256), scene(1, 512)]
    return [(image, catalogue()["segment_threshold_watershed"].callable(image)) for image in images]


@pytest.mark.parametrize("function", catalogue().values(), ids=list(catalogue()))
def test_functions_take_no_more_than_they_declare(
    function: Function, stacks: list[tuple[np.ndarray, np.ndarray]]
) -> None:
    """Neither with several planes nor with a large one; and their results are of the size that they declare."""
    declared = function.working_memory
    for image, labels in stacks:
        measured, result = peak_bytes(function, image, labels)
        plane = image[0].nbytes
        size = result.nbytes if isinstance(result, np.ndarray) else 0
        bound = declared.stacks * image.nbytes + declared.planes * plane + declared.results * size + declared.mib * MIB
        assert measured <= bound + 0.3 * MIB, f"{measured / plane:.1f} planes, declared {bound / plane:.1f}"
        if function.returns is not Role.TABLE:
            assert isinstance(result, np.ndarray)
            assert (result.ndim == 2) is function.combines


def test_every_function_of_the_catalogue_declares_its_memory() -> None:
    """None is left to the guess that functions of users get."""
    undeclared = [
        function.name for function in catalogue().values() if "WorkingMemory" not in _written_result(function)
    ]
    assert undeclared == []


def _written_result(function: Function) -> str:
    return str(inspect.signature(function.callable).return_annotation)
