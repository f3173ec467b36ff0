"""Plates for the benchmarks of the engine: as many wells as wanted, a few round objects in each, made in a second."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import tifffile

from openhcs.core.model import Component, FunctionCall, Pipeline, Step, well_name

__all__ = ["CELLS", "TRIVIAL", "make_plate"]

_Z = (Component.Z,)
_COLUMNS = 48
_OBJECT_EVERY_PX = 40

TRIVIAL = Pipeline("trivial", (Step("Project", (FunctionCall("project_maximum"),), _Z),))
"""Takes no time to speak of: what a well costs is what it costs to read, to write and to organise."""

CELLS = Pipeline(
    "cells",
    (
        Step("Project", (FunctionCall("project_maximum"),), _Z),
        Step("Find", {"1": (FunctionCall("segment_threshold_watershed"),)}, _Z, output="nuclei"),
        Step("Measure", {"2": (FunctionCall("measure_objects", {"labels": "nuclei"}),)}, _Z, output="objects"),
    ),
)
"""What most pipelines do: objects found in one channel, and measured in another."""


def make_plate(folder: Path, wells: int, *, size_px: int, sites: int = 1, channels: int = 2) -> Path:
    """Make a plate of up to 1,536 wells as an ImageXpress exports one; the images of all wells are equal.

    Every image is a link to one of a few files, so that a plate takes no longer to make than its names.
    """
    random = np.random.default_rng(1)
    originals = folder / "originals"
    images = folder / "P_Plate_1" / "TimePoint_1"
    originals.mkdir(parents=True)
    images.mkdir(parents=True)
    y, x = np.mgrid[:size_px, :size_px]
    image = random.normal(200, 20, (size_px, size_px))
    for _ in range(max(1, (size_px // _OBJECT_EVERY_PX) ** 2)):
        centre_y, centre_x = random.uniform(0, size_px, 2)
        near = tuple(slice(max(0, int(centre) - 20), int(centre) + 20) for centre in (centre_y, centre_x))
        image[near] += 2000 * np.exp(-((y[near] - centre_y) ** 2 + (x[near] - centre_x) ** 2) / 40)
    for channel in range(1, channels + 1):
        tifffile.imwrite(originals / f"{channel}.tif", (image / channel).astype(np.uint16), metadata=None)
    for number in range(wells):
        well = well_name(number // _COLUMNS, number % _COLUMNS)
        for site in range(1, sites + 1):
            for channel in range(1, channels + 1):
                os.link(originals / f"{channel}.tif", images / f"P_{well}_s{site}_w{channel}.TIF")
    return folder / "P_Plate_1"
