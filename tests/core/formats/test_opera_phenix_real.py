"""A real Opera Phenix plate, as it came from the microscope."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from openhcs.core.formats import format_named, index_plate
from openhcs.core.model import Channel, PlaneKey


@pytest.fixture
def plate(plates_folder: Path) -> Iterator[Path]:
    """The real plate, checked to be untouched afterwards."""
    folder = plates_folder / "opera_phenix" / "BR00121482"
    before = _listing(folder)
    yield folder
    assert _listing(folder) == before


def _listing(folder: Path) -> list[tuple[str, list[str], list[str]]]:
    return [(root, sorted(folders), sorted(files)) for root, folders, files in os.walk(folder)]


def test_a_v5_plate_with_a_missing_plane(plate: Path) -> None:
    """Everything the index tells is there; the channel without a file is told for the plate and for its well."""
    index = index_plate(plate)
    assert (index.name, index.format, index.rows, index.columns) == ("BR00121482", "Opera Phenix", 16, 24)
    assert index.planes == {
        PlaneKey("A01", 1, channel, 1, 1): f"Images/r01c01f01p01-ch{channel}sk1fk1fl1.tiff" for channel in range(1, 6)
    }
    assert index.channels == (
        Channel(1, "Alexa 647", 706.0, 640.0),
        Channel(2, "Alexa 568", 599.0, 561.0),
        Channel(3, "488 long", 599.0, 488.0),
        Channel(4, "Alexa 488", 522.0, 488.0),
        Channel(5, "HOECHST 33342", 456.0, 405.0),
    )
    assert index.pixel_size_um == pytest.approx(0.5979760809567617)
    assert (index.positions_um, index.fields, index.z_um) == ({("A01", 1): (0.0, 0.0)}, {("A01", 1): 1}, {1: -5.0})
    assert [str(discrepancy) for discrepancy in index.discrepancies] == [
        "index says 6 channels, 5 found: no 6 (Brightfield)",
        "well A01: 1 of 6 planes missing: channel 6; no file r01c01f01p01-ch6sk1fk1fl1.tiff",
    ]


def test_its_folder_of_images_is_the_same_plate(plate: Path) -> None:
    """The plate's folder and the `Images` in it lead to the same index."""
    assert index_plate(plate / "Images") == index_plate(plate)


def test_every_plane_of_it_is_read(plate: Path) -> None:
    """The LZW files give planes of 16 bits of the size that the index tells."""
    index = index_plate(plate)
    read_plane = format_named(index.format).read_plane
    for file in index.planes.values():
        pixels = read_plane(Path(index.root, file))
        assert (pixels.shape, pixels.dtype) == ((1080, 1080), np.uint16)
        assert np.ptp(pixels) > 0


def test_a_pipeline_runs_on_it_from_end_to_end(plate: Path, tmp_path: Path) -> None:
    """`openhcs run` finds the three nuclei of the Hoechst channel, and its OME-Zarr has the index's pixel size."""
    (tmp_path / "count.yaml").write_text(
        "name: count\nsteps:\n"
        "  - name: find\n    by_channel: {HOECHST 33342: [gaussian_blur, segment_threshold_watershed]}\n"
    )
    out = tmp_path / "out"
    run = subprocess.run(
        [
            *(sys.executable, "-m", "openhcs", "run", str(plate), "--pipeline", str(tmp_path / "count.yaml")),
            *("--out", str(out), "--workers", "1", "--json"),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    assert "channel 6" in json.dumps(json.loads(run.stdout)["discrepancies"])
    group = json.loads((out / "plate.zarr" / "A" / "01" / "1" / "zarr.json").read_text())
    (image,) = group["attributes"]["ome"]["multiscales"]
    scale = image["datasets"][0]["coordinateTransformations"][0]["scale"]
    assert scale[-2:] == pytest.approx([0.597976, 0.597976], rel=1e-5)
    assert list(json.loads((out / "provenance" / "A01.json").read_text())["objects"].values()) == [3]
