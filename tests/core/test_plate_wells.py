"""The list of wells in a results plate: in order, readable by others, and cheap to add to."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path

import ngio
import pytest

from openhcs.core.model import well_name
from openhcs.core.plate_wells import list_well, well_path
from openhcs.core.results import ResultsFolder
from openhcs.core.store import create_plate
from openhcs.errors import StoreError


@pytest.fixture
def plate(tmp_path: Path) -> Path:
    results = ResultsFolder(tmp_path / "out")
    results.claim("P", Path("/plates/P"))
    create_plate(results, "P")
    return results.plate


def test_the_order_of_adding_does_not_show(plate: Path) -> None:
    """Wells added in any order, some twice, are listed once each in row-major order, at their rows and columns."""
    wells = [well_name(row, column) for row in (1, 25, 26, 31) for column in (0, 8, 9, 47)]
    shuffled = wells + wells[:5]
    random.Random(3).shuffle(shuffled)
    for well in shuffled:
        list_well(plate, well)
    listed = ngio.open_ome_zarr_plate(plate, mode="r")
    assert listed.wells_paths() == [well_path(well) for well in wells]
    assert (listed.rows, listed.columns) == (["B", "Z", "AA", "AF"], ["01", "09", "10", "48"])
    for well in listed.meta.plate.wells:
        assert well.path == f"{listed.rows[well.rowIndex]}/{listed.columns[well.columnIndex]}"


def test_a_well_that_is_listed_leaves_the_file_alone(plate: Path) -> None:
    """A well done again is listed already, and nothing is written."""
    list_well(plate, "B02")
    before = (plate / "zarr.json").stat().st_ino
    list_well(plate, "B02")
    assert (plate / "zarr.json").stat().st_ino == before


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"attributes": {"ome": {"plate": {"wells": 3}}}}'])
def test_damaged_metadata_are_named_and_left(plate: Path, text: str) -> None:
    """Metadata that are not a plate's make the well fail with the file's name, and stay as they are."""
    file = plate / "zarr.json"
    file.write_text(text)
    with pytest.raises(StoreError, match=r"zarr\.json .*; expected the metadata of an OME-Zarr plate"):
        list_well(plate, "B02")
    assert file.read_text() == text


def test_the_1536th_well_costs_milliseconds(plate: Path) -> None:
    """Listing the last well of a plate of 1,536 takes less than 30 ms of CPU time; ngio takes 150 ms."""
    list_well(plate, "A01")
    file = plate / "zarr.json"
    content = json.loads(file.read_text())
    listed = content["attributes"]["ome"]["plate"]
    listed["rows"] = [{"name": well_name(row, 0)[:-2]} for row in range(32)]
    listed["columns"] = [{"name": f"{column:02d}"} for column in range(1, 49)]
    listed["wells"] = [
        {"path": well_path(well_name(row, column)), "rowIndex": row, "columnIndex": column}
        for row in range(32)
        for column in range(48)
    ][:-3]
    file.write_text(json.dumps(content))
    spent = []
    for well in ("AF46", "AF47", "AF48"):
        started = time.process_time()
        list_well(plate, well)
        spent.append(time.process_time() - started)
    assert min(spent) < 0.03
    assert len(ngio.open_ome_zarr_plate(plate, mode="r").wells_paths()) == 1536
