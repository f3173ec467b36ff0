"""Plates found below a folder, in formats that are really read."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from openhcs.core.demo_plate import make_demo_plate
from openhcs.core.plate_search import DEEPEST, find_plates, plate_format


@pytest.fixture(scope="module")
def plate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_demo_plate(tmp_path_factory.mktemp("demo") / "plate", wells=("A01",), sites=1, size_px=128).folder


def names(folder: Path) -> list[str]:
    return [str(found.folder.relative_to(folder)) for found in find_plates(folder)]


def test_a_plate_is_found_as_itself(plate: Path) -> None:
    """A plate's own folder is the only one found, under its format."""
    assert [(found.folder, found.format) for found in find_plates(plate)] == [(plate, "ImageXpress")]
    assert plate_format(plate) == "ImageXpress"


def test_plates_are_found_however_deep_the_nearest_first(plate: Path, tmp_path: Path) -> None:
    """Those of one depth in the order in which people count; what is inside a plate is not searched."""
    for name in ("week 1/plate 10", "week 1/plate 9", "plate 2", ".trash/plate 3"):
        shutil.copytree(plate, tmp_path / name)
    shutil.copytree(plate, tmp_path / "plate 2" / "copy")
    (tmp_path / "notes.txt").write_text("no plate")
    assert names(tmp_path) == ["plate 2", "week 1/plate 9", "week 1/plate 10"]


def test_plates_that_lie_side_by_side_are_found_each(plate: Path, tmp_path: Path) -> None:
    """MetaXpress names them so that their folder could be one plate; it is refused as one, so it is none."""
    beside = ["9987_Plate_3420", "9987_Plate_3434"]
    for name in beside:
        shutil.copytree(plate, tmp_path / "screen" / name)
    assert names(tmp_path) == [f"screen/{name}" for name in beside]
    assert names(tmp_path / "screen") == beside


def test_plates_of_other_names_beside_an_export_are_found_too(plate: Path, tmp_path: Path) -> None:
    """A folder with one plate that MetaXpress named is not that plate alone; other folders in it change nothing."""
    for name in ("9987_Plate_3420", "another"):
        shutil.copytree(plate, tmp_path / "mixed" / name)
    assert names(tmp_path / "mixed") == ["9987_Plate_3420", "another"]
    shutil.copytree(plate, tmp_path / "alone" / "2024-07-09" / "1741")
    (tmp_path / "alone" / "figures").mkdir()
    assert names(tmp_path / "alone") == ["."]


def test_results_of_ours_and_what_is_too_deep_are_passed_over(plate: Path, tmp_path: Path) -> None:
    """The results of a run are plates too, and nobody who adds a screen means them."""
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "openhcs.json").write_text("{}")
    shutil.copytree(plate, tmp_path / "results" / "plate")
    shutil.copytree(plate, tmp_path.joinpath(*"x" * DEEPEST, "plate"))
    assert names(tmp_path) == []


def test_a_folder_that_is_linked_into_itself_is_searched_once(plate: Path, tmp_path: Path) -> None:
    """Links are followed, and end where they have been."""
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "linked").symlink_to(plate)
    assert names(tmp_path) == ["linked"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems show no processes as folders")
def test_a_link_that_leads_nowhere_any_more_is_passed_over() -> None:
    """Whoever searches a whole machine comes by processes that are ending, whose folders are links to nothing."""
    with subprocess.Popen(["true"]) as ending:
        os.waitid(os.P_PID, ending.pid, os.WEXITED | os.WNOWAIT)
        assert find_plates(Path(f"/proc/{ending.pid}/cwd")) == ()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_passed_over(plate: Path, tmp_path: Path) -> None:
    """The others are found."""
    shutil.copytree(plate, tmp_path / "plate")
    (tmp_path / "locked").mkdir(mode=0)
    assert names(tmp_path) == ["plate"]


def test_a_folder_that_is_not_there_holds_none(tmp_path: Path) -> None:
    """Nothing found, and no error: who adds it is told when it is initialised."""
    assert find_plates(tmp_path / "gone") == ()
    assert plate_format(tmp_path / "gone") is None


def test_a_search_that_nobody_wants_any_more_ends(plate: Path) -> None:
    """Nothing is looked at once it is not wanted."""
    assert find_plates(plate, lambda: False) == ()
