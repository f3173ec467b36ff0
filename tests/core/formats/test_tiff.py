"""Reading one plane out of one TIFF file."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import tifffile

from openhcs.core.formats.metaseries import read_tag
from openhcs.core.formats.tiff import read_tiff_plane
from openhcs.errors import PlaneError

PLANE = np.arange(64 * 48, dtype=np.uint16).reshape(64, 48)


@pytest.fixture
def plane_file(tmp_path: Path) -> Path:
    path = tmp_path / "plate_A01.tif"
    tifffile.imwrite(path, PLANE, metadata=None, rowsperstrip=16)
    return path


def test_a_plane_comes_back_as_stored(plane_file: Path) -> None:
    """Shape, type and values are those of the file."""
    pixels = read_tiff_plane(plane_file)
    assert pixels.dtype == np.uint16
    np.testing.assert_array_equal(pixels, PLANE)


@pytest.mark.parametrize("keep", [0, 5, 100, 1000, 5000])
def test_a_truncated_file_is_an_error_not_zeros(plane_file: Path, keep: int) -> None:
    """A file cut short anywhere raises and names the file; it never yields an image with made-up pixels."""
    plane_file.write_bytes(plane_file.read_bytes()[:keep])
    with pytest.raises(PlaneError, match=r"image cannot be read: .*plate_A01\.tif; expected"):
        read_tiff_plane(plane_file)


def test_a_file_cut_within_its_pixels_says_how_much_is_there(plane_file: Path) -> None:
    """The message tells the bytes present and needed."""
    whole = plane_file.stat().st_size
    plane_file.write_bytes(plane_file.read_bytes()[:-1])
    with pytest.raises(PlaneError, match=f"cut short: {whole - 1} bytes of {whole}"):
        read_tiff_plane(plane_file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A file that is gone since the index was made is said to be missing."""
    with pytest.raises(PlaneError, match=r"gone\.tif.*no such file"):
        read_tiff_plane(tmp_path / "gone.tif")


def test_a_folder_is_no_plane(tmp_path: Path) -> None:
    """A folder named like an image is an error with a name, too."""
    with pytest.raises(PlaneError, match="image cannot be read"):
        read_tiff_plane(tmp_path)


def test_text_is_no_plane(tmp_path: Path) -> None:
    """A file that is no TIFF is said to be none."""
    path = tmp_path / "plate_A01.tif"
    path.write_text("not an image")
    with pytest.raises(PlaneError, match="not a TIFF file"):
        read_tiff_plane(path)


@pytest.mark.parametrize(
    ("pixels", "photometric", "said"),
    [
        (np.zeros((3, 20, 20), np.uint16), "minisblack", "3 planes in one file"),
        (np.zeros((20, 20, 3), np.uint8), "rgb", r"shape \(20, 20, 3\)"),
    ],
)
def test_anything_but_one_grey_plane_is_refused(
    tmp_path: Path, pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint16]], photometric: str, said: str
) -> None:
    """A stack or a colour image is refused with what it is."""
    path = tmp_path / "plate_A01.tif"
    tifffile.imwrite(path, pixels, photometric=photometric, metadata=None)
    with pytest.raises(PlaneError, match=said):
        read_tiff_plane(path)


@pytest.mark.parametrize("compression", [None, "lzw", "zlib"])
def test_a_damaged_file_never_raises_anything_else(tmp_path: Path, compression: str | None) -> None:
    """Bytes changed at random anywhere give a plane or a `PlaneError`, for the pixels and for the tag alike."""
    path = tmp_path / "plate_A01.tif"
    tifffile.imwrite(path, PLANE, metadata=None, compression=compression, description="<MetaData></MetaData>")
    whole = path.read_bytes()
    chance = random.Random(7)
    refused = 0
    for _ in range(100):
        damaged = bytearray(whole)
        for _ in range(3):
            damaged[chance.randrange(min(len(damaged), 400))] = chance.randrange(256)
        path.write_bytes(damaged)
        for read in (read_tiff_plane, read_tag):
            try:
                read(path)
            except PlaneError:
                refused += 1
    assert refused > 0
