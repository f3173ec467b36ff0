"""The shipped pipeline finds the nuclei there are, on a plate whose truth is known and on a real one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from openhcs.core.compiler import compile_plate
from openhcs.core.demo_plate import make_demo_plate
from openhcs.core.formats import index_plate
from openhcs.core.model import Pipeline
from openhcs.core.pipeline_file import load_pipeline, shipped_pipelines
from openhcs.core.results import ResultsFolder
from openhcs.core.store import create_plate
from openhcs.core.worker import process_well


@pytest.fixture(scope="module")
def nuclei() -> Pipeline:
    return load_pipeline(shipped_pipelines()["nuclei"])


def run_well(plate: Path, pipeline: Pipeline, well: str, out: Path) -> dict[str, pl.DataFrame]:
    """The tables of one well."""
    (plan,) = compile_plate(index_plate(plate), pipeline, [well])
    folder = ResultsFolder(out)
    folder.claim(plan.plate, Path(plan.root))
    create_plate(folder, plan.plate)
    process_well(plan, out, lambda *_: None)
    return {name: pl.read_parquet(folder.well_table(name, well)) for name in ("counts", "measurements")}


@pytest.mark.parametrize("well", ["B02", "C05"])
def test_counts_and_places_are_those_of_the_truth(tmp_path: Path, nuclei: Pipeline, well: str):
    """In a dense and in a sparse well the count is within 5 percent, and nine of ten nuclei have an object on them."""
    plate = make_demo_plate(tmp_path / "demo", wells=(well,))
    tables = run_well(plate.folder, nuclei, well, tmp_path / "out")
    truth = plate.well_truth()[well]
    assert abs(tables["counts"]["count"].sum() - truth) <= 0.05 * truth

    measured = tables["measurements"].filter(pl.col("channel") == 1)
    assert measured.height == tables["counts"]["count"].sum()
    hits = 0
    for site in json.loads((plate.folder / "truth.json").read_text())["sites"]:
        found = measured.filter(pl.col("site") == site["site"]).select("centroid_y_px", "centroid_x_px").to_numpy()
        for nucleus in site["nuclei"]:
            distance = np.hypot(*(found - (nucleus["y_px"], nucleus["x_px"])).T).min()
            hits += distance < nucleus["radius_px"] / 2
    assert hits >= 0.9 * truth


def test_every_channel_is_measured_within_the_same_objects(tmp_path: Path, nuclei: Pipeline):
    """Each nucleus has a row for each channel with the same area; intensities are counts, not stretched ones."""
    plate = make_demo_plate(tmp_path / "demo", wells=("C05",), sites=1)
    measured = run_well(plate.folder, nuclei, "C05", tmp_path / "out")["measurements"]
    dapi, gfp = (measured.filter(pl.col("channel") == channel).sort("label") for channel in (1, 2))
    assert dapi["label"].to_list() == gfp["label"].to_list()
    assert dapi["area_px"].to_list() == gfp["area_px"].to_list()
    assert dapi["intensity_mean"].min() > 20
    assert np.allclose(dapi["area_um2"], dapi["area_px"] * 0.6838**2, rtol=1e-3)


def test_nuclei_of_a_real_plate_are_found(plates_folder: Path, tmp_path: Path, nuclei: Pipeline):
    """Touching nuclei of uneven brightness: the counts were judged on overlays once, and may not drift by a tenth."""
    tables = run_well(plates_folder / "imagexpress" / "9987_Plate_3434", nuclei, "B03", tmp_path / "out")
    first, second = tables["counts"].sort("site")["count"]
    assert first == pytest.approx(51, rel=0.1)
    assert second == pytest.approx(76, rel=0.1)
    areas = tables["measurements"].filter(pl.col("channel") == 1)["area_px"]
    assert 100 < areas.median() < 220
