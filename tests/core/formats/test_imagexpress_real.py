"""Real ImageXpress plates, as they came from the microscope."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from openhcs.core.formats import format_named, index_plate
from openhcs.core.model import Channel, PlaneKey


@pytest.fixture
def plates(plates_folder: Path) -> Iterator[Path]:
    """The real ImageXpress plates, checked to be untouched afterwards."""
    folder = plates_folder / "imagexpress"
    before = _listing(folder)
    yield folder
    assert _listing(folder) == before


def _listing(folder: Path) -> list[tuple[str, list[str], list[str]]]:
    return [(root, sorted(folders), sorted(files)) for root, folders, files in os.walk(folder)]


def test_a_plate_with_z_steps_and_projections(plates: Path) -> None:
    """36 planes of which 12 are projections; what the .HTD file promises beyond them is told, nothing else."""
    index = index_plate(plates / "9987_Plate_3434")
    assert (index.name, index.format, index.rows, index.columns) == ("9987_Plate_3434", "ImageXpress", 8, 12)
    assert list(index.planes) == [
        PlaneKey(well, site, channel, z, 1)
        for well in ("B02", "B03")
        for site in (1, 2)
        for channel in (1, 2, 3)
        for z in (0, 1, 2)
    ]
    assert index.planes[PlaneKey("B03", 2, 3, 0, 1)] == "TimePoint_1/ZStep_0/9987_B03_s2_w3.TIF"
    assert index.channels == (Channel(1, "DAPI", 452.0), Channel(2, "FITC", 520.0), Channel(3, "Texas Red", 624.0))
    assert index.pixel_size_um == 1.3672
    assert [str(discrepancy) for discrepancy in index.discrepancies] == [
        "HTD says 4 waves, 3 found: no w4 (Cy5)",
        "HTD says 3 z steps, 2 found: no z step 3",
    ]


def test_a_plate_with_time_points(plates: Path) -> None:
    """16 planes at two time points of the six planned."""
    index = index_plate(plates / "9987_Plate_3435")
    assert {(key.z, key.t) for key in index.planes} == {(1, 1), (1, 2)}
    assert len(index.planes) == 16
    assert [str(discrepancy) for discrepancy in index.discrepancies] == [
        "HTD says 4 waves, 2 found: no w3 (Texas Red), w4 (Cy5)",
        "HTD says 6 time points, 2 found: no time point 3-6",
    ]


def test_a_plate_of_one_bare_name(plates: Path) -> None:
    """A name without site and wave is site 1 of channel 1."""
    index = index_plate(plates / "9987_Plate_3420")
    assert index.planes == {PlaneKey("B02", 1, 1, 1, 1): "TimePoint_1/9987_B02.TIF"}
    assert index.discrepancies == ()


@pytest.mark.parametrize("level", ["SingleChannel", "SingleChannel/2023-02-21", "SingleChannel/2023-02-21/1334"])
def test_a_database_plate_from_any_of_its_folders(plates: Path, level: str) -> None:
    """Each folder down to the acquisition leads to the same plate: GUIDs split off, thumbnails left out, files beside
    the z steps taken for projections."""
    index = index_plate(plates / level)
    assert Path(index.root) == plates / "SingleChannel/2023-02-21/1334"
    assert index.name == "Projection-Mix_Plate_1334"
    assert list(index.planes) == [
        PlaneKey(well, site, 1, z, 1) for well in ("E07", "E08") for site in (1, 2) for z in (0, 1, 2)
    ]
    assert index.planes[PlaneKey("E08", 1, 1, 0, 1)] == (
        "Projection-Mix_E08_s117654C10-92F1-4DFD-98AA-6A01BBD77557.tif"
    )
    assert (index.channels, index.rows, index.columns) == ((Channel(1, "w1", 536.0),), 6, 8)
    assert index.discrepancies == ()


@pytest.mark.parametrize(
    ("plate", "shape"),
    [
        ("9987_Plate_3434", (256, 256)),
        ("9987_Plate_3435", (256, 256)),
        ("9987_Plate_3420", (256, 256)),
        ("SingleChannel", (512, 512)),
    ],
)
def test_every_plane_of_the_real_plates_is_read(plates: Path, plate: str, shape: tuple[int, int]) -> None:
    """Each indexed file, LZW and deflate compressed ones too, gives one uint16 plane that is not empty."""
    index = index_plate(plates / plate)
    read_plane = format_named(index.format).read_plane
    for file in index.planes.values():
        pixels = read_plane(Path(index.root, file))
        assert pixels.shape == shape
        assert pixels.dtype == np.uint16
        assert np.ptp(pixels) > 0
