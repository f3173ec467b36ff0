"""A cheap look at folders: what they are and how many wells, without reading them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from openhcs.core.formats import glance as module
from openhcs.core.formats import index_plate
from openhcs.core.formats.glance import glance


def plate(folder: Path, wells: int, sites: int) -> Path:
    """An ImageXpress plate of empty files."""
    (folder / "TimePoint_1").mkdir(parents=True)
    for well in range(wells):
        for site in range(1, sites + 1):
            (folder / "TimePoint_1" / f"p_{chr(65 + well // 24)}{well % 24 + 1:02}_s{site}_w1.tif").touch()
    return folder


@pytest.mark.parametrize(
    "name", ["imagexpress/9987_Plate_3420", "imagexpress/9987_Plate_3435", "opera_phenix/BR00121482"]
)
def test_real_plates_are_told_as_they_are_indexed(plates_folder: Path, name: str) -> None:
    """Format and number of wells are those that opening the plate tells."""
    index = index_plate(plates_folder / name)
    seen = glance(plates_folder / name)
    assert seen is not None
    assert (seen.format, seen.wells) == (index.format, len({key.well for key in index.planes}))


def test_what_is_no_plate_is_not_told_for_one(plates_folder: Path, tmp_path: Path) -> None:
    """A folder of plates, a part of a plate, an empty, a missing and a forbidden folder are no plates."""
    assert glance(plates_folder / "imagexpress") is None
    assert glance(plates_folder / "imagexpress" / "9987_Plate_3434" / "TimePoint_1" / "ZStep_1") is None
    (tmp_path / "scan_B2.tif").touch()
    assert glance(tmp_path) is None
    assert glance(tmp_path / "gone") is None
    assert glance(tmp_path / "scan_B2.tif") is None


def test_a_large_plate_is_not_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many files some are looked at: the wells are those planned, or else at least those seen."""
    monkeypatch.setattr(module, "NAMES_AT_MOST", 40)
    folder = plate(tmp_path / "plate", wells=30, sites=4)
    seen = glance(folder)
    assert seen is not None
    assert seen.more
    assert str(seen) == f"ImageXpress, {seen.wells}+ wells"
    wells = ", ".join(["TRUE"] * 12)
    rows = "".join(f'"WellsSelection{row}", {wells}\n' for row in range(1, 9))
    (folder / "plate.HTD").write_text(f'"XWells", 12\n"YWells", 8\n{rows}')
    assert str(glance(folder)) == "ImageXpress, 96 wells"


def test_ome_zarr_plates_tell_their_wells(tmp_path: Path) -> None:
    """The metadata of an OME-Zarr plate is enough."""
    wells = [{"path": f"A/{column}", "rowIndex": 0, "columnIndex": column} for column in range(1)]
    attributes = {"plate": {"version": "0.4", "rows": [{"name": "A"}], "columns": [{"name": "0"}], "wells": wells}}
    (tmp_path / ".zattrs").write_text(json.dumps(attributes))
    (tmp_path / ".zgroup").write_text('{"zarr_format": 2}')
    assert str(glance(tmp_path)) == "OME-Zarr, 1 well"
    (tmp_path / ".zattrs").write_text("{")
    assert glance(tmp_path) is None
