"""The .HTD file of an ImageXpress plate."""

from __future__ import annotations

from pathlib import Path

import pytest

from openhcs.core.formats.htd import AcquisitionPlan, parse_htd, read_htd
from openhcs.errors import PlateError


def test_a_real_plan_is_read(plates_folder: Path) -> None:
    """The plan of a real plate: its grid, wells, sites, z steps and the names of its waves."""
    plan = read_htd(plates_folder / "imagexpress" / "9987_Plate_3434" / "9987.HTD")
    assert plan == AcquisitionPlan(
        rows=8,
        columns=12,
        wells=frozenset({"B02", "B03"}),
        sites=2,
        time_points=1,
        z_steps=3,
        waves={1: "DAPI", 2: "FITC", 3: "Texas Red", 4: "Cy5"},
    )


def test_a_plan_without_series_counts_one_of_each(plates_folder: Path) -> None:
    """Sites FALSE, ZSeries FALSE and Waves FALSE mean one site, one plane and one wave."""
    plan = read_htd(plates_folder / "imagexpress" / "9987_Plate_3420" / "9987.HTD")
    assert (plan.sites, plan.z_steps, plan.waves) == (1, 1, {1: "DAPI"})


def test_latin_1_and_unix_lines_are_read(tmp_path: Path) -> None:
    """A file that is no utf-8 is taken as latin-1; the ends of its lines do not matter."""
    path = tmp_path / "x.HTD"
    path.write_bytes('"NWavelengths", 2\n"WaveName1", "Grün"\n"WaveName2", ""\n"Junk\n'.encode("latin-1"))
    assert read_htd(path).waves == {1: "Grün", 2: "w2"}


def test_only_chosen_sites_and_collected_waves_count() -> None:
    """A site that is not selected and a wave that is not collected are not part of the plan."""
    plan = parse_htd(
        '"Sites", TRUE\n"XSites", 2\n"YSites", 2\n"SiteSelection1", TRUE, FALSE\n"SiteSelection2", TRUE, TRUE\n'
        '"NWavelengths", 2\n"WaveName1", "DAPI"\n"WaveName2", "Cy5"\n"WaveCollect1", 0\n"WaveCollect2", 1\n'
    )
    assert (plan.sites, plan.waves) == (3, {2: "Cy5"})


@pytest.mark.parametrize("content", [b"", b"holiday notes", b"\x00\x01\xff"])
def test_a_file_that_is_no_plan_is_refused(tmp_path: Path, content: bytes) -> None:
    """A file without a single known line is named as not understood."""
    path = tmp_path / "x.HTD"
    path.write_bytes(content)
    with pytest.raises(PlateError, match=r"HTD file not understood: .*x\.HTD"):
        read_htd(path)
