"""Every layout that ImageXpress writes, each row of what is known about them as a plate."""

from __future__ import annotations

from pathlib import Path

import pytest

from openhcs.core.formats import index_plate, stage_positions
from openhcs.core.model import COMBINED, PlaneKey, PlateIndex

GUID = "17654C10-92F1-4DFD-98AA-6A01BBD77557"


def put(folder: Path, *files: str) -> Path:
    """Make empty files, which is enough for an index."""
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).touch()
    return folder


def said(index: PlateIndex) -> list[str]:
    """The discrepancies, without the one that says these empty files have no tag."""
    return [str(remark) for remark in index.discrepancies if "no pixel size" not in str(remark)]


def test_a_database_plate_with_time_points_and_z_steps(tmp_path: Path) -> None:
    """`{name}/{date}/{id}/TimePoint_t/ZStep_z/`: GUIDs split off, thumbnails left out, projections beside the steps."""
    plate = put(
        tmp_path / "assay",
        *(
            f"2024-07-09/1334/TimePoint_{t}/{step}p_A0{column}_s1_w{w}{kind}{GUID}.tif"
            for t in (1, 2)
            for step in ("", "ZStep_1/", "ZStep_2/")
            for column in (1, 2)
            for w in (1, 2)
            for kind in ("", "_thumb")
        ),
    )
    index = index_plate(plate)
    assert index.name == "p_Plate_1334"
    assert list(index.planes) == [
        PlaneKey(f"A0{column}", 1, w, z, t)
        for column in (1, 2)
        for w in (1, 2)
        for z in (COMBINED, 1, 2)
        for t in (1, 2)
    ]
    assert said(index) == []


def test_projections_in_a_folder_of_their_own(tmp_path: Path) -> None:
    """`ZStep_0` holds the projections of the steps beside it."""
    plate = put(tmp_path / "p_Plate_1", *(f"TimePoint_1/ZStep_{z}/p_A01_s1_w1.TIF" for z in (0, 1, 2)))
    assert [key.z for key in index_plate(plate).planes] == [COMBINED, 1, 2]


def test_a_time_point_without_steps_has_its_plane_at_z_1(tmp_path: Path) -> None:
    """It is no projection, for no z steps lie beside it; those of another time point do not count."""
    plate = put(tmp_path / "p_Plate_1", "TimePoint_1/p_A01_s1.tif", "TimePoint_2/ZStep_1/p_A01_s1.tif")
    index = index_plate(plate)
    assert [(key.z, key.t) for key in index.planes] == [(1, 1), (1, 2)]


def test_absent_parts_of_a_name_are_the_first(tmp_path: Path) -> None:
    """Without `_s` it is site 1, without `_w` channel 1, with a GUID straight behind the well too."""
    plate = put(tmp_path / "p_Plate_1", "p_A01.tif", f"p_A02{GUID}.TIF", f"p_A03_w2{GUID}.tif", f"p_A04_s1{GUID}.tif")
    keys = [(key.well, key.site, key.channel) for key in index_plate(plate).planes]
    assert keys == [("A01", 1, 1), ("A02", 1, 1), ("A03", 1, 2), ("A04", 1, 1)]


def test_a_single_plane_channel_copied_into_every_step_is_a_plane_of_each(plates_folder: Path) -> None:
    """The microscope copies a channel without a z series into every step; the copies are planes as they lie there."""
    index = index_plate(plates_folder / "imagexpress" / "9987_Plate_3434")
    files = [Path(index.root, index.planes[PlaneKey("B02", 1, 2, z, 1)]) for z in (1, 2)]
    assert files[0] != files[1]
    assert files[0].read_bytes()[-1000:] == files[1].read_bytes()[-1000:]


def test_a_channel_that_a_time_point_lacks_is_told_for_the_plate(tmp_path: Path) -> None:
    """Channel 2 was taken at the first and the last time point only."""
    plate = put(tmp_path / "p_Plate_1", *(f"TimePoint_{t}/p_{w}_w1.tif" for t in (1, 2, 3) for w in ("A01", "B01")))
    put(plate, *(f"TimePoint_{t}/p_{w}_w2.tif" for t in (1, 3) for w in ("A01", "B01")))
    assert said(index_plate(plate)) == ["channel 2 has no planes at t 2"]


def test_sites_run_along_rows(plates_folder: Path) -> None:
    """Site 2 of a real plate lies to the right of site 1 on the stage, in the same row."""
    positions = stage_positions(index_plate(plates_folder / "imagexpress" / "9987_Plate_3434"))
    for well in ("B02", "B03"):
        (x1, y1), (x2, y2) = positions[well, 1], positions[well, 2]
        assert x2 > x1
        assert y2 == pytest.approx(y1)
