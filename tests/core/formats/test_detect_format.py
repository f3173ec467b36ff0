"""Which format a folder has, and what is said when it has none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from openhcs.core.formats import FORMATS, detect_format, format_named
from openhcs.errors import PlateError


def test_an_imagexpress_plate_is_detected(plates_folder: Path) -> None:
    """A real plate has the format whose name the index carries."""
    assert detect_format(plates_folder / "imagexpress" / "9987_Plate_3434") is format_named("ImageXpress")


def test_a_missing_folder_is_said_to_be_missing(tmp_path: Path) -> None:
    """The path is in the message, and that it was not found."""
    with pytest.raises(PlateError, match=f"folder not found: {tmp_path}/gone"):
        detect_format(tmp_path / "gone")


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    """An image given in place of its folder is named as what it is."""
    (tmp_path / "p_A01_s1.tif").touch()
    with pytest.raises(PlateError, match="not a folder: "):
        detect_format(tmp_path / "p_A01_s1.tif")


def test_an_empty_folder_is_said_to_be_empty(tmp_path: Path) -> None:
    """A folder without anything, but for hidden files, is empty."""
    (tmp_path / ".DS_Store").touch()
    with pytest.raises(PlateError, match=f"empty folder: {tmp_path};"):
        detect_format(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_an_unreadable_folder_is_said_to_be_unreadable(tmp_path: Path) -> None:
    """A folder without permission is not mistaken for an empty one."""
    folder = tmp_path / "closed"
    folder.mkdir(mode=0)
    with pytest.raises(PlateError, match=r"folder cannot be listed: .*closed; .*Permission denied"):
        detect_format(folder)


def test_holiday_pictures_are_no_plate(tmp_path: Path) -> None:
    """The message says what was looked for and what was found instead."""
    for name in ("IMG_1.jpg", "IMG_2.JPG", "beach.png", "scan_A1.tif"):
        (tmp_path / name).touch()
    (tmp_path / "more").mkdir()
    with pytest.raises(PlateError) as caught:
        detect_format(tmp_path)
    message = str(caught.value)
    assert f"no plate recognised in: {tmp_path};" in message
    assert all(known.name in message and known.looked_for in message for known in FORMATS)
    assert "Found here: 2 .jpg, 1 .png, 1 .tif, 1 folder." in message


@pytest.mark.parametrize(
    ("file", "make"),
    [
        ("experiment.jdce", r"ImageXpress HCS\.ai plate.*cannot be read yet"),
        ("acquisition/experiment.JDCE", r"ImageXpress HCS\.ai plate.*cannot be read yet"),
        ("Images/r01c01f01p01-ch1sk1fk1fl1.tiff", "images of an Opera Phenix or Operetta without the index"),
    ],
)
def test_plates_of_other_makes_are_refused_by_name(tmp_path: Path, file: str, make: str) -> None:
    """A plate that cannot be read is called by its make, with what can be read."""
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    path.touch()
    with pytest.raises(PlateError, match=f"{make}.*expected ImageXpress"):
        detect_format(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
@pytest.mark.parametrize("name", ["TimePoint_1", "Images", "plate.zarr"])
def test_a_folder_within_that_may_not_be_read_is_named(tmp_path: Path, name: str) -> None:
    """Where the images may be in a folder without permission, the message says so."""
    (tmp_path / name).mkdir(mode=0)
    with pytest.raises(PlateError, match=f"Not readable: {name}; check the permissions"):
        detect_format(tmp_path)


def test_an_unknown_format_name_lists_the_known(tmp_path: Path) -> None:
    """A name from a newer or damaged file is answered with the names there are."""
    with pytest.raises(PlateError, match="unknown plate format: Kodak; expected one of ImageXpress"):
        format_named("Kodak")


def test_importing_the_formats_imports_no_numpy() -> None:
    """The workbench may import the formats before its first screen."""
    code = "import sys, openhcs.core.formats, openhcs.core.demo_plate; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
