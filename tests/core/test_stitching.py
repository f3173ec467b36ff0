"""Sites of a plate on disk become a mosaic in the results, by a pipeline; what cannot be stitched does not compile."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import ngio
import numpy as np
import polars as pl
import pytest

from openhcs.core.compiler import compile_plate, plans_from_json, plans_to_json
from openhcs.core.formats import index_plate
from openhcs.core.model import Component, Pipeline, Step, WellPlan
from openhcs.core.pattern import normalise_pattern
from openhcs.core.pipeline_file import load_pipeline
from openhcs.core.results import ResultsFolder
from openhcs.core.store import create_plate
from openhcs.core.worker import WellResult, process_well
from openhcs.errors import PipelineError, Problem
from openhcs.processing.segmentation import segment_threshold_watershed
from tests.core.made_plates import write_plane
from tests.processing.mosaics import PIXEL_SIZE_UM, CutMosaic, cut_mosaic, vignette

EXAMPLE = Path(__file__).parents[2] / "examples" / "stitching.yaml"
SITE, Z = (Component.SITE,), (Component.Z,)


def step(pattern, variable=SITE, name="s", **rest) -> Step:
    return Step(name, normalise_pattern(pattern), variable, **rest)


ALIGN = step({1: "align_sites"}, name="align", output="alignment")
STITCH = step([{"stitch_sites": {"alignment": "alignment"}}], name="stitch")


@pytest.fixture(scope="module")
def cut() -> CutMosaic:
    return cut_mosaic(seed=5, light=vignette(400, 0.25), cells_per_mpx=400)


@pytest.fixture(scope="module")
def plate(cut: CutMosaic, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A well of 3 x 3 sites in two channels; the second shows no objects that sites could be aligned by."""
    folder = tmp_path_factory.mktemp("plates") / "cut_Plate_1"
    rng = np.random.default_rng(8)
    for site, (pixels, (y, x)) in enumerate(zip(cut.image, cut.stage_px * PIXEL_SIZE_UM, strict=True), start=1):
        for channel in (1, 2):
            image = pixels if channel == 1 else 110 + 200 * vignette(400, 0.25) + rng.normal(0, 6, pixels.shape)
            write_plane(
                folder,
                image,
                site=site,
                channel=channel,
                position_um=(round(14_300 + x, 3), round(11_200 + y, 3)),
                pixel_size_um=PIXEL_SIZE_UM,
            )
    return folder


def process(plan: WellPlan, out: Path) -> WellResult:
    folder = ResultsFolder(out)
    folder.claim(plan.plate, Path(plan.root))
    create_plate(folder, plan.plate)
    return process_well(plan, out, lambda *_: None)


def problems_of(plate: Path, *steps: Step, **changes) -> list[Problem]:
    with pytest.raises(PipelineError) as caught:
        compile_plate(replace(index_plate(plate), **changes), Pipeline("p", steps))
    return list(caught.value.problems)


@pytest.fixture(scope="module")
def done(plate: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[WellResult, Path]:
    """The example pipeline, run on the plate."""
    (plan,) = plans_from_json(plans_to_json(compile_plate(index_plate(plate), load_pipeline(EXAMPLE))))
    out = tmp_path_factory.mktemp("results") / "out"
    return process(plan, out), out


def test_the_example_makes_one_image_of_a_well(done: tuple[WellResult, Path]) -> None:
    """All channels in one mosaic with the pixel size of the plate, label image included."""
    container = ngio.open_ome_zarr_plate(done[1] / "plate.zarr", mode="r").get_image("B", 2, "0")
    image = container.get_image()
    assert image.axes == ("c", "y", "x")
    assert image.shape == (2, 1120, 1120)
    assert image.pixel_size.x == pytest.approx(PIXEL_SIZE_UM)
    assert container.list_labels() == ["nuclei"]
    second = image.get_as_numpy()[1]
    assert np.median(second[20:-20, 20:-20]) == pytest.approx(200 * vignette(400, 0.25).mean(), rel=0.02)


def test_a_cell_on_a_border_is_counted_once(cut: CutMosaic, done: tuple[WellResult, Path]) -> None:
    """The mosaic has as many nuclei as the picture; the sites one by one have many more."""
    corner = cut.true_px.min(axis=0).astype(int)
    seen = cut.picture[corner[0] :, corner[1] :][:1120, :1120]
    truth = int(segment_threshold_watershed(seen[np.newaxis]).max())
    by_sites = sum(int(segment_threshold_watershed(site[np.newaxis]).max()) for site in cut.image)
    found = pl.read_parquet(done[1] / "tables" / "nuclei_counts" / "B02.parquet")
    assert found.select("site", "channel", "z", "t").row(0) == (0, 1, 0, 1)
    assert found["count"][0] == pytest.approx(truth, rel=0.03)
    assert by_sites > 1.12 * truth
    rows = pl.read_parquet(done[1] / "tables" / "nuclei_measurements" / "B02.parquet")
    assert rows.height == 2 * found["count"][0]


def test_how_sites_were_aligned_is_in_the_results(cut: CutMosaic, done: tuple[WellResult, Path]) -> None:
    """A row a site: shifts, pairs used and rejected, residuals; the shifts are those the plate was made with."""
    table = pl.read_parquet(done[1] / "tables" / "alignment" / "B02.parquet")
    assert table["site"].to_list() == list(range(1, 10))
    assert set(table["channel"]) == {1}
    shifts = table.select("shift_y_px", "shift_x_px").to_numpy()
    errors = np.linalg.norm(shifts - shifts.mean(axis=0) - cut.true_shifts, axis=1)
    assert np.median(errors) < 0.5
    assert table["residual_px"].max() < 1


def test_rejected_pairs_are_told_with_the_well(plate: Path, tmp_path: Path) -> None:
    """Aligning by the channel without objects warns, in the result and in the provenance, and uses the stage."""
    (plan,) = compile_plate(
        index_plate(plate), Pipeline("p", (step({2: "align_sites"}, name="align", output="alignment"), STITCH))
    )
    result = process(plan, tmp_path / "out")
    told = json.loads((tmp_path / "out" / "provenance" / "B02.json").read_text())["warnings"]
    assert told == result.warnings
    assert any(message.startswith("align: UserWarning: overlaps that show nothing in common") for message in told)
    shifts = pl.read_parquet(tmp_path / "out" / "tables" / "alignment" / "B02.parquet")["shift_y_px"]
    assert shifts.abs().max() == 0


def test_a_plan_holds_positions_only_where_they_are_needed(plate: Path) -> None:
    """Reading them costs a file a site; y grows downwards in the plan, whichever way the microscope counts it."""
    index = index_plate(plate)
    (without,) = compile_plate(index, Pipeline("p", (step("gaussian_blur"),)))
    assert without.positions_um == ()
    (plan,) = compile_plate(index, Pipeline("p", (ALIGN, STITCH)))
    assert [site for site, _, _ in plan.positions_um] == list(range(1, 10))
    (upwards,) = compile_plate(replace(index, y_is_up=True), Pipeline("p", (ALIGN, STITCH)))
    assert [(site, x, -y) for site, x, y in upwards.positions_um] == list(plan.positions_um)
    assert upwards.hash != plan.hash


def test_a_plate_without_positions_does_not_compile(tmp_path: Path) -> None:
    """Told once for a plate, by well where some have them."""
    folder = tmp_path / "bare_Plate_1"
    for well in ("B02", "B03"):
        for site in (1, 2):
            write_plane(folder, np.zeros((64, 64)), well=well, site=site, pixel_size_um=1)
    (problem,) = problems_of(folder, step("stitch_sites"))
    assert (problem.well, problem.step) == (None, "s")
    assert "stitch_sites needs stage positions, and the plate has none" in problem.message
    (problem,) = problems_of(
        folder, step("stitch_sites"), positions_um={("B02", 1): (0, 0), ("B02", 2): (1, 0), ("B03", 1): (0, 0)}
    )
    assert problem.well == "B03"
    assert "site 2 has none" in problem.message


def test_what_cannot_be_stitched_does_not_compile(plate: Path) -> None:
    """Other variable components, an unknown table, no pixel size."""
    (problem,) = problems_of(plate, step("stitch_sites", Z))
    assert "takes the sites together; expected `variable_components: [site]`" in problem.message
    (problem,) = problems_of(plate, step("stitch_sites", (*SITE, *Z)))
    assert "takes the sites alone, not each z with them" in problem.message
    (problem,) = problems_of(plate, STITCH)
    assert (problem.parameter, problem.message) == (
        "alignment",
        "no table alignment; expected a step before this one that writes a table.",
    )
    (problem,) = problems_of(plate, replace(ALIGN, output="alinement"), STITCH)
    assert problem.message == "no table alignment; expected one of alinement. Did you mean alinement?"
    (problem,) = problems_of(plate, step("stitch_sites"), pixel_size_um=None)
    assert "needs the pixel size" in problem.message


def test_a_real_plate_is_stitched(plates_folder: Path, tmp_path: Path) -> None:
    """Two sites with 10 % overlap: in B03 two channels agree on where they lie, in B02 the overlap shows no cell."""
    index = index_plate(plates_folder / "imagexpress" / "9987_Plate_3434")
    project = step("project_maximum", Z, name="project")
    other = step({2: "align_sites"}, name="align by FITC", output="other")
    for plan in compile_plate(index, Pipeline("p", (project, ALIGN, other, STITCH))):
        result = process(plan, tmp_path / "out")
        tables = [
            pl.read_parquet(tmp_path / "out" / "tables" / name / f"{plan.well}.parquet")
            for name in ("alignment", "other")
        ]
        shifts = [table.select("shift_y_px", "shift_x_px").to_numpy() for table in tables]
        if plan.well == "B03":
            assert [table["pairs"].to_list() for table in tables] == [[1, 1], [1, 1]]
            assert np.abs(np.diff(shifts[0], axis=0) - np.diff(shifts[1], axis=0)).max() < 0.5
            assert np.abs(shifts[0]).max() < 3
        else:
            assert np.all(shifts[0] == 0)
            assert any("show nothing in common, left out: sites 1-2" in message for message in result.warnings)
        column = int(plan.well[1:])
        image = ngio.open_ome_zarr_plate(tmp_path / "out" / "plate.zarr", mode="r").get_image("B", column, "0")
        assert image.get_image().shape == (3, 256, 486)
