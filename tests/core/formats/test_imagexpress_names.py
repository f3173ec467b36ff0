"""File names and folders of ImageXpress plates."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhcs.core.formats.imagexpress_names import (
    FileName,
    FolderPlace,
    is_layout_folder,
    parse_file_name,
    parse_folder,
)
from openhcs.core.model import well_name

GUID = "17654C10-92F1-4DFD-98AA-6A01BBD77557"

# No part of a plate's name may itself look like a well: `a_B02` would be one, and `a_s1` might.
plate_names = st.lists(
    st.text("abcdefgh 0123456789-.()", min_size=1, max_size=12).filter(lambda part: not part[-1].isdigit()),
    min_size=1,
    max_size=3,
).map("_".join)
wells = st.builds(well_name, st.integers(0, 31), st.integers(0, 47))
numbers = st.none() | st.integers(1, 99999)
guids = st.none() | st.uuids().map(lambda guid: str(guid).upper())


@given(
    st.builds(
        FileName,
        plate=plate_names,
        well=wells,
        site=numbers,
        channel=numbers,
        z=st.none() | st.integers(0, 999),
        thumbnail=st.booleans(),
        guid=guids,
    )
)
def test_a_written_name_is_read_back_as_it_was(name: FileName) -> None:
    """Whatever a name says, and whatever digits its GUID begins with, reading the written name gives it back."""
    assert parse_file_name(str(name)) == name


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("9987_B02.TIF", FileName("9987", "B02")),
        ("9987_B02_s1_w3.TIF", FileName("9987", "B02", 1, 3)),
        (f"Projection-Mix_E08_s1{GUID}.tif", FileName("Projection-Mix", "E08", 1, guid=GUID)),
        (f"Mix_E08_s1_w2{GUID.lower()}.tiff", FileName("Mix", "E08", 1, 2, guid=GUID.lower())),
        (f"Mix_E08_s1_thumb{GUID}.tif", FileName("Mix", "E08", 1, thumbnail=True, guid=GUID)),
        (f"Mix_E08{GUID}.tif", FileName("Mix", "E08", guid=GUID)),
        ("two_A01_parts_a1_S02_W01_z3.tif", FileName("two_A01_parts", "A01", 2, 1, 3)),
        ("plate_AF48.tif", FileName("plate", "AF48")),
    ],
)
def test_names_as_microscopes_write_them(file: str, expected: FileName) -> None:
    """Absent parts stay open, letter case and padding do not matter, a GUID never lends its digits to a number."""
    assert parse_file_name(file) == expected


@pytest.mark.parametrize(
    "file",
    [
        "IMG_2041.tif",
        "beach.tif",
        "plate_A00.tif",
        "plate_A49.tif",
        "plate_AG01.tif",
        "p_A01_s0.tif",
        "p_A01.png",
        "A01.tif",
    ],
)
def test_names_without_a_well_are_nobodys(file: str) -> None:
    """A name that puts no well of a real plate in its place, or counts from 0, is not taken for a plane."""
    assert parse_file_name(file) is None


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", FolderPlace("", "", None, None)),
        ("TimePoint_2", FolderPlace("", "TimePoint_2", 2, None)),
        ("TimePoint_2/ZStep_3", FolderPlace("", "TimePoint_2", 2, 3)),
        ("2023-02-21/1334", FolderPlace("2023-02-21/1334", "2023-02-21/1334", None, None)),
        ("2023-02-21/1334/zstep_0", FolderPlace("2023-02-21/1334", "2023-02-21/1334", None, 0)),
    ],
)
def test_folders_tell_acquisition_time_and_z(path: str, expected: FolderPlace) -> None:
    """What is around the time and z folders is the acquisition."""
    assert parse_folder(path) == expected


def test_only_folders_of_the_layout_are_looked_into() -> None:
    """Results and pictures kept within a plate's folder are never searched for planes."""
    names = ["TimePoint_1", "ZStep_12", "2023-02-21", "1334", "9987_Plate_3434", "results", "Thumbs", "ZStep_x"]
    assert [name for name in names if is_layout_folder(name)] == names[:5]
