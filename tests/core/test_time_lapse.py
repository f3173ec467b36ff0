"""Plates with several time points: each is processed by itself, stored along one axis, and told in the tables."""

from __future__ import annotations

import json
from pathlib import Path

import ngio
import numpy as np
import polars as pl
import pytest

from openhcs.core.compiler import compile_plate
from openhcs.core.formats import index_plate
from openhcs.core.model import Component, FunctionCall, Pipeline, Step
from openhcs.core.results import ResultsFolder
from openhcs.core.store import create_plate
from openhcs.core.worker import process_well
from tests.core.made_plates import write_plane
from tests.processing.mosaics import PIXEL_SIZE_UM, cut_mosaic

MEASURE = Step("Measure", (FunctionCall("measure_image"),), (Component.SITE,), output="quality")
TAKEN_S = {1: 0.0, 2: 60.5, 3: 121.0}  # over midnight


@pytest.fixture
def plate(tmp_path: Path) -> Path:
    """Two wells of 2 sites at 3 time points, of which B03 lacks the second; planes have the value 100 t + site."""
    folder = tmp_path / "film_Plate_1"
    for well in ("B02", "B03"):
        for t, taken in TAKEN_S.items():
            for site in (1, 2):
                if (well, t) != ("B03", 2):
                    pixels = np.full((64, 64), 100 * t + site)
                    write_plane(folder, pixels, well=well, site=site, t=t, pixel_size_um=0.5, taken_s=taken + site)
    return folder


def run(plate: Path, out: Path, *steps: Step) -> list[tuple[str, int, int, str, str]]:
    """Process every well; what was reported, with the well."""
    reports: list[tuple[str, int, int, str, str]] = []
    folder = ResultsFolder(out)
    index = index_plate(plate)
    folder.claim(index.name, Path(index.root))
    create_plate(folder, index.name)
    for plan in compile_plate(index, Pipeline("p", steps)):
        process_well(plan, out, lambda *report, well=plan.well: reports.append((well, *report)))
    return reports


def image_of(out: Path, column: int, site: int = 1) -> ngio.Image:
    return ngio.open_ome_zarr_plate(out / "plate.zarr", mode="r").get_image("B", column, str(site)).get_image()


def test_a_missing_time_point_is_a_discrepancy(plate: Path) -> None:
    """Told for the well that lacks it."""
    (found,) = index_plate(plate).discrepancies
    assert str(found) == "well B03: 2 of 6 planes missing: t 2"


def test_seconds_are_those_of_the_plates_own_clock(plate: Path) -> None:
    """From the first time point, across midnight; a plate whose images tell no time has none."""
    assert index_plate(plate).t_s == {1: 0, 2: 60.5, 3: 121}
    silent = plate.parent / "silent_Plate_1"
    for t in (1, 2):
        write_plane(silent, np.zeros((64, 64)), t=t)
    assert index_plate(silent).t_s == {}


def test_each_time_point_is_processed_by_itself(plate: Path, tmp_path: Path) -> None:
    """A stack over sites holds those of one time point, and steps are counted for each that is there."""
    reports = run(plate, tmp_path / "out", Step("Mean", (FunctionCall("project_mean"),), (Component.SITE,)))
    assert [report[1:3] for report in reports if report[0] == "B02"] == [(1, 3), (2, 3), (3, 3)]
    assert [report[1:3] for report in reports if report[0] == "B03"] == [(1, 2), (2, 2)]
    assert [report[4] for report in reports if report[0] == "B03"] == ["t 1, step 1 of 1", "t 3, step 1 of 1"]
    means = image_of(tmp_path / "out", 2, site=0).get_as_numpy().mean(axis=(1, 2, 3))
    assert means.tolist() == [101.5, 201.5, 301.5]


def test_every_well_has_the_time_axis_of_the_plate(plate: Path, tmp_path: Path) -> None:
    """The third time point is the third of the axis also where the second is missing, which is empty and said to be."""
    run(plate, tmp_path / "out", MEASURE)
    for column, means in ((2, [101, 201, 301]), (3, [101, 0, 301])):
        image = image_of(tmp_path / "out", column)
        assert image.axes == ("t", "c", "y", "x")
        assert image.get_as_numpy().mean(axis=(1, 2, 3)).tolist() == means
        assert image.pixel_size.t == pytest.approx(60.5)
    told = json.loads((tmp_path / "out" / "provenance" / "B03.json").read_text())
    assert told["filled"] == ["image, site 1, t 2, channel 1", "image, site 2, t 2, channel 1"]
    again = index_plate(tmp_path / "out")
    assert sorted({key.t for key in again.planes if key.well == "B03"}) == [1, 3]


def test_rows_tell_time_point_and_seconds(plate: Path, tmp_path: Path) -> None:
    """Columns t and t_s, which no row has for a time point that is missing."""
    run(plate, tmp_path / "out", MEASURE)
    rows = pl.read_parquet(tmp_path / "out" / "tables" / "quality" / "B03.parquet")
    assert rows.columns[:7] == ["plate", "well", "site", "channel", "z", "t", "t_s"]
    assert rows.sort("t", "site").select("t", "t_s", "mean").rows() == [
        (1, 0.0, 101.0),
        (1, 0.0, 102.0),
        (3, 121.0, 301.0),
        (3, 121.0, 302.0),
    ]


def test_time_is_stacked_only_where_a_step_names_it(plate: Path, tmp_path: Path) -> None:
    """With `variable_components: [t]` the planes of all time points come together."""
    run(plate, tmp_path / "out", Step("Brightest", (FunctionCall("project_maximum"),), (Component.T,)))
    image = image_of(tmp_path / "out", 2)
    assert image.axes == ("c", "y", "x")
    assert image.get_as_numpy().mean() == 301


def test_all_five_axes_are_kept(tmp_path: Path) -> None:
    """A film of z stacks is stored as t, c, z, y, x."""
    folder = tmp_path / "deep_Plate_1"
    for t in (1, 2):
        for z in (1, 2, 3):
            path = write_plane(folder, np.full((64, 64), 10 * t + z), t=t)
            place = path.parent / f"ZStep_{z}" / path.name
            place.parent.mkdir()
            path.rename(place)
    run(folder, tmp_path / "out", Step("Same", (FunctionCall("gaussian_blur"),), (Component.Z,)))
    image = image_of(tmp_path / "out", 2)
    assert image.axes == ("t", "c", "z", "y", "x")
    assert np.rint(image.get_as_numpy().mean(axis=(1, 3, 4))).tolist() == [[11, 12, 13], [21, 22, 23]]


def test_a_film_is_stitched_to_one_size(tmp_path: Path) -> None:
    """Each time point is aligned by itself; one that lacks a site is as large as the others."""
    cut = cut_mosaic(across=2, size_px=200, overlap=0.2, jitter_px=4)
    folder = tmp_path / "moving_Plate_1"
    for t in (1, 2):
        for site, (pixels, (y, x)) in enumerate(zip(cut.image, cut.stage_px * PIXEL_SIZE_UM, strict=True), start=1):
            if (t, site) != (2, 4):
                write_plane(folder, pixels, site=site, t=t, position_um=(x, y), pixel_size_um=PIXEL_SIZE_UM)
    align = Step("Align", (FunctionCall("align_sites"),), (Component.SITE,), output="alignment")
    stitch = Step("Stitch", (FunctionCall("stitch_sites", {"alignment": "alignment"}),), (Component.SITE,))
    run(folder, tmp_path / "out", align, stitch)
    first, second = image_of(tmp_path / "out", 2, site=0).get_as_numpy()[:, 0]
    assert first.shape == (360, 360)
    assert np.all(second[220:, 220:] == 0)
    assert np.all(first[220:340, 220:340] > 0)
    rows = pl.read_parquet(tmp_path / "out" / "tables" / "alignment" / "B02.parquet")
    assert rows.group_by("t").len().sort("t").rows() == [(1, 4), (2, 3)]
