"""ImageXpress folders as they should not be: incomplete, mixed up, linked in circles, very large."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from openhcs.core.formats import index_plate
from openhcs.core.model import PlaneKey, PlateIndex, well_name
from openhcs.errors import PlateError


@pytest.fixture
def plate(tmp_path: Path) -> Path:
    folder = tmp_path / "p_Plate_1"
    folder.mkdir()
    return folder


def put(folder: Path, *files: str) -> None:
    """Make empty files, which is enough for an index."""
    for file in files:
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def said(index: PlateIndex) -> list[str]:
    """The discrepancies, without the one that says these empty files have no tag."""
    return [str(remark) for remark in index.discrepancies if "no pixel size" not in str(remark)]


def test_a_well_that_lacks_planes_is_told_for_that_well(plate: Path) -> None:
    """What the other wells have and this one has not is summed up by component."""
    put(
        plate,
        *(f"TimePoint_1/p_{well}_s{s}_w{w}.tif" for well in ("A01", "A02", "A03") for s in (1, 2) for w in (1, 2)),
    )
    for gone in ("p_A02_s1_w2.tif", "p_A02_s2_w2.tif", "p_A03_s2_w1.tif"):
        (plate / "TimePoint_1" / gone).unlink()
    assert said(index_plate(plate)) == [
        "well A02: 2 of 4 planes missing: channel 2",
        "well A03: 1 of 4 planes missing: site 2 channel 1 z 1 t 1",
    ]


def test_a_channel_that_skips_time_points_is_told_once(plate: Path) -> None:
    """A channel taken at the first time point only is one remark for the plate, not one for each well."""
    put(plate, *(f"TimePoint_{t}/p_{well}_s1_w1.tif" for t in (1, 2, 3) for well in ("A01", "A02")))
    put(plate, "TimePoint_1/p_A01_s1_w2.tif", "TimePoint_1/p_A02_s1_w2.tif")
    assert said(index_plate(plate)) == ["channel 2 has no planes at t 2-3"]


def test_wells_planned_and_found_are_compared(plate: Path) -> None:
    """Selected wells without files and files of wells not selected are both named."""
    put(plate, "p_A01_s1.tif", "p_A03_s1.tif")
    (plate / "p.HTD").write_text('"XWells", 4\n"YWells", 3\n"WellsSelection1", TRUE, TRUE, FALSE, FALSE\n')
    index = index_plate(plate)
    assert said(index) == ["HTD says 2 wells, 2 found: no A02; A03 not planned"]
    assert (index.rows, index.columns) == (3, 4)


def test_a_plan_too_small_for_the_wells_gives_way(plate: Path) -> None:
    """The grid is the smallest standard plate that holds the wells when the .HTD file's cannot."""
    put(plate, "p_A01_s1.tif", "p_P24_s1.tif")
    (plate / "p.HTD").write_text('"XWells", 12\n"YWells", 8\n')
    index = index_plate(plate)
    assert (index.rows, index.columns) == (16, 24)


def test_an_unreadable_plan_is_a_remark(plate: Path) -> None:
    """A .HTD file of nonsense does not stop the plate; channels are then called by number."""
    put(plate, "p_A01_s1_w2.tif")
    (plate / "p.HTD").write_bytes(b"\x00\xff\x00")
    index = index_plate(plate)
    assert [channel.name for channel in index.channels] == ["w2"]
    assert said(index)[0].startswith(f"HTD file not understood: {plate}/p.HTD")


def test_waves_of_one_name_are_told_apart(plate: Path) -> None:
    """Two waves of the same name carry their numbers, so that a pattern can name one of them."""
    put(plate, "p_A01_s1_w1.tif", "p_A01_s1_w2.tif", "p_A01_s1_w3.tif")
    (plate / "p.HTD").write_text('"NWavelengths", 3\n"WaveName1", "TL"\n"WaveName2", "TL"\n"WaveName3", "DAPI"\n')
    assert [channel.name for channel in index_plate(plate).channels] == ["TL (w1)", "TL (w2)", "DAPI"]


def test_two_files_for_one_plane_are_both_named(plate: Path) -> None:
    """The first by name is taken, the other named; letter case and padding do not make another well."""
    put(plate, "p_A01_s1.tif", "p_a1_s1.tif")
    index = index_plate(plate)
    assert index.planes == {PlaneKey("A01", 1, 1, 1, 1): "p_A01_s1.tif"}
    assert said(index) == ["well A01: two files for one plane: p_A01_s1.tif taken, p_a1_s1.tif left out"]


def test_files_of_another_plate_among_them_are_left_out(plate: Path) -> None:
    """The plate with most files is the plate; strangers among them are counted, not mixed in."""
    put(plate, "p_A01_s1.tif", "p_A02_s1.tif", "other_A01_s1.tif")
    index = index_plate(plate)
    assert list(index.planes.values()) == ["p_A01_s1.tif", "p_A02_s1.tif"]
    assert said(index) == ["1 file left out, named for another plate: other_..."]


def test_tiffs_without_a_well_are_named(plate: Path) -> None:
    """A TIFF that names no well is left out and said so; hidden files and thumbnails are no news."""
    put(plate, "p_A01_s1.tif", "overview.tif", "._p_A01_s1.tif", "p_A01_s1_thumb.tif", "notes.txt")
    index = index_plate(plate)
    assert len(index.planes) == 1
    assert said(index) == ["1 TIFF file left out, no well in the name: overview.tif"]


def test_z_in_the_file_name_counts(plate: Path) -> None:
    """`_z2` is z step 2, and `_z0` a projection, without any folder."""
    put(plate, "p_A01_s1_z0.tif", "p_A01_s1_z1.tif", "p_A01_s1_z2.tif")
    assert [key.z for key in index_plate(plate).planes] == [0, 1, 2]


def test_planes_are_in_the_order_of_their_keys(plate: Path) -> None:
    """The index is sorted by key whatever order the disk lists its files in, past 9 as well."""
    put(plate, *(f"ZStep_{z}/p_A01_s{s}.tif" for z in (10, 9, 1) for s in (11, 2)))
    keys = list(index_plate(plate).planes)
    assert keys == sorted(keys)
    assert [key.z for key in keys] == [1, 9, 10] * 2


def test_results_kept_in_the_plate_are_not_planes(plate: Path) -> None:
    """A folder that is no part of the layout is not searched, however its files are named."""
    put(plate, "TimePoint_1/p_A01_s1.tif", "results/p_A01_s1.tif", "TimePoint_1/masks/p_A02_s1.tif")
    assert list(index_plate(plate).planes.values()) == ["TimePoint_1/p_A01_s1.tif"]


def test_time_point_0_is_left_out_by_name(plate: Path) -> None:
    """Time points count from 1; a folder that breaks the rule is told."""
    put(plate, "TimePoint_0/p_A01_s1.tif", "TimePoint_1/p_A01_s1.tif")
    index = index_plate(plate)
    assert [key.t for key in index.planes] == [1]
    assert said(index) == ["folder TimePoint_0 left out: time points count from 1"]


def test_several_acquisitions_are_offered_for_choice(tmp_path: Path) -> None:
    """A folder above several acquisitions is refused; the message names each."""
    put(tmp_path, "2024-01-01/7/p_A01_s1.tif", "2024-01-02/8/TimePoint_1/p_A01_s1.tif")
    with pytest.raises(PlateError, match=r"2 acquisitions in: .*Choose one of them: 2024-01-01/7, 2024-01-02/8\."):
        index_plate(tmp_path)


@pytest.mark.parametrize("part", ["TimePoint_1", "TimePoint_1/ZStep_1"])
def test_a_part_of_a_plate_points_to_the_whole(plate: Path, part: str) -> None:
    """One time point or z step is not indexed as a plate; the message says which folder to open."""
    put(plate, "TimePoint_1/ZStep_1/p_A01_s1.tif")
    with pytest.raises(PlateError, match=f"not a whole plate.*Open {plate} instead"):
        index_plate(plate / part)


def test_links_in_circles_end(plate: Path) -> None:
    """A link to a folder above it, and a link to itself, are left out by name; the plate is indexed."""
    put(plate, "TimePoint_1/p_A01_s1.tif")
    (plate / "TimePoint_1" / "ZStep_1").symlink_to(plate, target_is_directory=True)
    (plate / "TimePoint_2").symlink_to(plate / "TimePoint_2")
    index = index_plate(plate)
    assert len(index.planes) == 1
    assert [remark.split(":")[0] for remark in said(index)] == [
        "folder TimePoint_1/ZStep_1 left out",
        "folder TimePoint_2 left out",
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_an_unreadable_folder_is_told_and_the_rest_indexed(plate: Path) -> None:
    """One time point without permission is named; the others are there."""
    put(plate, "TimePoint_1/p_A01_s1.tif", "TimePoint_2/p_A01_s1.tif")
    (plate / "TimePoint_2").chmod(0)
    try:
        index = index_plate(plate)
    finally:
        (plate / "TimePoint_2").chmod(0o755)
    assert [key.t for key in index.planes] == [1]
    assert said(index) == ["folder TimePoint_2 left out: Permission denied"]


def test_empty_files_are_indexed_and_told_once(plate: Path) -> None:
    """Files without content are planes by their names; that no tag could be read is one remark."""
    put(plate, *(f"p_A0{n}_s1_w{w}.tif" for n in (1, 2, 3, 4) for w in (1, 2)))
    index = index_plate(plate)
    assert (len(index.planes), index.pixel_size_um) == (8, None)
    assert [str(remark).split(":")[0] for remark in index.discrepancies] == ["no pixel size or wavelength for w1, w2"]


def test_a_384_well_plate_of_17280_planes(plate: Path) -> None:
    """Every file of a full plate is indexed, complete and in order."""
    wells = [well_name(row, column) for row in range(16) for column in range(24)]
    for z in (1, 2, 3):
        folder = plate / "TimePoint_1" / f"ZStep_{z}"
        folder.mkdir(parents=True)
        for well in wells:
            for site in (1, 2, 3):
                for wave in (1, 2, 3, 4, 5):
                    (folder / f"p_{well}_s{site}_w{wave}.tif").touch()
    index = index_plate(plate)
    assert len(index.planes) == 17280
    assert index.wells == tuple(wells)
    assert (index.rows, index.columns) == (16, 24)
    assert index.planes[PlaneKey("P24", 3, 5, 3, 1)] == "TimePoint_1/ZStep_3/p_P24_s3_w5.tif"
    assert said(index) == []
