"""The images of a well for looking at, from a made plate, from real plates and from results."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from openhcs.core.demo_plate import make_demo_plate
from openhcs.core.formats import index_plate
from openhcs.core.model import Channel
from openhcs.core.orchestrator import Orchestrator
from openhcs.core.pipeline_file import load_pipeline, shipped_pipelines
from openhcs.core.plane_facts import LabelFacts, PlaneFacts, label_facts, plane_facts
from openhcs.core.previews import channel_colours, place_sites, result_images, source_images
from openhcs.core.rasters import WHOLE, outline
from openhcs.core.results import ResultsFolder
from openhcs.core.store import create_plate
from openhcs.core.well_records import provenance_lines, read_history
from openhcs.core.well_tables import numeric_columns, read_well_table, tables_of_well, well_mean
from openhcs.core.worker import process_well
from openhcs.errors import PlaneError, StoreError


@pytest.fixture(scope="module")
def plate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo plate of two wells, two sites and three z planes."""
    return make_demo_plate(tmp_path_factory.mktemp("plates") / "demo", wells=("B02", "B03"), size_px=256).folder


@pytest.fixture(scope="module")
def results(plate: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of B02, made in this process."""
    out = tmp_path_factory.mktemp("results") / "out"
    orchestrator = Orchestrator(plate)
    orchestrator.initialise()
    plans = orchestrator.compile(load_pipeline(shipped_pipelines()["nuclei"]), wells=["B02"])
    folder = ResultsFolder(out)
    folder.claim(plans[0].plate, Path(plans[0].root))
    create_plate(folder, plans[0].plate)
    process_well(plans[0], out, lambda *_: None)
    return out


def test_a_wells_images_are_those_of_its_plate(plate: Path) -> None:
    """Sites, channels and z planes are offered, and a picture is the plane, smaller."""
    index = index_plate(plate)
    images = source_images(index, "B02")
    assert (images.sites, images.z_planes, images.time_points) == ((1, 2), (1, 2, 3), (1,))
    assert [channel.name for channel in images.channels] == ["DAPI", "GFP"]
    assert images.size_px(1) == (256, 256)
    plane = np.asarray(images._read(index.planes[next(key for key in index.planes if key.well == "B02")]))
    assert images.picture(1, 1, 1, 1, WHOLE, (1, 1)) == pytest.approx(plane.mean(), rel=1e-5)
    assert images.picture(1, 1, 1, 1, WHOLE, (30, 40)).shape == (30, 40)


def test_a_well_is_told_in_numbers(plate: Path, results: Path) -> None:
    """Of a plane its size and intensities are told, of a label image its objects; what is not there is an error."""
    index = index_plate(plate)
    images = source_images(index, "B02")
    pixels = np.asarray(images._read(index.planes[next(key for key in index.planes if key.well == "B02")]))
    facts = images.facts(1, 1, 1, 1)
    assert (facts.height_px, facts.width_px) == (256, 256)
    assert (facts.lowest, facts.median, facts.highest) == (pixels.min(), np.median(pixels), pixels.max())
    assert 0 < facts.at_highest < 0.01
    with pytest.raises(PlaneError, match="channel 9"):
        images.facts(1, 9, 1, 1)
    after = result_images(results, index, "B02")
    found = after.label_facts(after.labels[0], 1, 1, 1)
    assert found is not None
    assert found.objects > 3
    assert found.median_area_px is not None
    assert found.median_area_px > 20
    assert after.label_facts("nothing", 1, 1, 1) is None


def test_an_empty_label_image_and_a_plane_without_numbers_have_no_numbers() -> None:
    """Nothing is made up where there is nothing to tell."""
    assert label_facts(np.zeros((4, 4), np.uint32)) == LabelFacts(0, None)
    assert plane_facts(np.full((4, 5), np.nan, np.float32)) == PlaneFacts(4, 5, None, None, None)


def test_sites_stand_as_the_stage_did(plate: Path) -> None:
    """The demo's two sites lie beside each other, by their stage positions."""
    assert source_images(index_plate(plate), "B02").places == {1: (0, 0), 2: (0, 1)}


def test_results_are_read_from_a_level_that_suffices(results: Path, plate: Path) -> None:
    """A small picture opens a small level of the pyramid, a large one the full resolution; labels are outlined."""
    images = result_images(results, index_plate(plate), "B02")
    assert images.labels == ("nuclei",)
    assert [channel.name for channel in images.channels] == ["DAPI", "GFP"]
    assert images.size_px(1) == (256, 256)
    small = images._planes[1, 1, images.z_planes[0], 1].level_for(WHOLE, (40, 40))
    large = images._planes[1, 1, images.z_planes[0], 1].level_for(WHOLE, (200, 200))
    assert small.rpartition("[")[0] != large.rpartition("[")[0]
    assert large.rpartition("[")[0].endswith("/1/0")
    z = images.z_planes[0]
    labels = images.label_picture("nuclei", 1, z, 1, WHOLE, (200, 200))
    assert labels is not None
    assert outline(labels).any()
    assert images.label_picture("no such", 1, z, 1, WHOLE, (10, 10)) is None


def test_a_well_without_results_says_so(results: Path, plate: Path) -> None:
    """Asked for results that are not there, the error names the well and what to do."""
    with pytest.raises(StoreError, match="results of well B03: none"):
        result_images(results, index_plate(plate), "B03")


def test_a_damaged_image_is_one_error_and_the_others_are_read(plate: Path, tmp_path: Path) -> None:
    """A truncated file raises for its own plane; the next site is read."""
    copy = tmp_path / "plate"
    shutil.copytree(plate, copy)
    broken = next(file for file in sorted(copy.rglob("*B02_s1_w1*")))
    images = source_images(index_plate(copy), "B02")
    broken.write_bytes(broken.read_bytes()[:500])
    z = int(broken.parent.name.rpartition("_")[2])
    with pytest.raises(PlaneError, match="image cannot be read"):
        images.picture(1, 1, z, 1, WHOLE, (8, 8))
    assert images.picture(2, 1, z, 1, WHOLE, (8, 8)).shape == (8, 8)
    with pytest.raises(PlaneError, match="no image of well B02: site 9"):
        images.picture(9, 1, 1, 1, WHOLE, (8, 8))


def test_every_real_plate_shows_its_wells(plates_folder: Path) -> None:
    """Each real plate gives a picture of each of its wells' first sites."""
    shown = 0
    for folder in sorted(path for make in plates_folder.iterdir() if make.is_dir() for path in make.iterdir()):
        if not folder.is_dir():
            continue
        index = index_plate(folder)
        for well in index.wells[:2]:
            images = source_images(index, well)
            site, channel = images.sites[0], images.channels[0].number
            picture = images.picture(site, channel, images.z_planes[0], images.time_points[0], WHOLE, (12, 12))
            assert np.isfinite(picture).all()
            shown += 1
    assert shown


def test_places_follow_the_stage_or_the_reading_order() -> None:
    """Jitter does not open a row; y may grow upwards; sites at one place, or without one, stand in reading order."""
    jittered = {1: (0.0, 0.0), 2: (100.4, 1.1), 3: (0.9, 99.0), 4: (99.0, 100.2)}
    assert place_sites((1, 2, 3, 4), jittered) == {1: (0, 0), 2: (0, 1), 3: (1, 0), 4: (1, 1)}
    assert place_sites((1, 3), jittered, y_is_up=True) == {1: (1, 0), 3: (0, 0)}
    assert place_sites((1, 2), {1: (5.0, 5.0), 2: (5.0, 5.0)}) == {1: (0, 0), 2: (0, 1)}
    assert place_sites((1, 2, 3, 4, 5), {}) == {1: (0, 0), 2: (0, 1), 3: (0, 2), 4: (1, 0), 5: (1, 1)}
    assert place_sites((0,), {}) == {0: (0, 0)}


def test_channels_have_colours_of_their_own() -> None:
    """Wavelength decides, then the dye's name, then what is left; no colour is given twice."""
    channels = (Channel(1, "DAPI", 455.0), Channel(2, "Hoechst"), Channel(3, "GFP", 525.0), Channel(4, "Cy5"))
    colours = channel_colours(channels)
    assert len(set(colours.values())) == 4
    assert max(range(3), key=lambda part: colours[1][part]) == 2
    assert max(range(3), key=lambda part: colours[3][part]) == 1
    many = channel_colours([Channel(number, f"c{number}") for number in range(1, 10)])
    assert many[8] == many[9] == (255, 255, 255)


def test_what_made_a_well_is_told(results: Path) -> None:
    """Provenance names plate, plan, steps with their parameters and versions; a well without results has none."""
    text = "\n".join(provenance_lines(results, "B02"))
    for part in ("Plan ", "1 Subtract background", "radius_px=40", "Versions", "nuclei", "Images read: 12"):
        assert part in text
    assert provenance_lines(results, "B03") == ()
    assert read_history(results, "B02").events == ()


def test_tables_are_read_sorted_and_averaged(results: Path, tmp_path: Path) -> None:
    """A well's table can be sorted either way; rows without a value come last; a damaged one is an error."""
    assert tables_of_well(results, "B02") == ("counts", "measurements")
    table = read_well_table(results, "measurements", "B02")
    assert "well" not in table.columns
    assert len(table.row(0)) == len(table.columns)
    place = table.columns.index("area_px")
    areas = [float(table.sorted_by("area_px", descending=True).row(row)[place]) for row in range(table.height)]
    assert areas == sorted(areas, reverse=True)
    assert ("measurements", "area_px") in numeric_columns(results)
    assert ("measurements", "label") not in numeric_columns(results)
    assert well_mean(results, "measurements", "area_px", "B02") == pytest.approx(sum(areas) / len(areas), rel=1e-3)
    assert well_mean(results, "measurements", "area_px", "B03") is None
    some = ResultsFolder(tmp_path).well_table("some", "B02")
    some.parent.mkdir(parents=True)
    pl.DataFrame({"value": [2.0, None, 1.0]}).write_parquet(some)
    for descending, order in ((False, ["1", "2", ""]), (True, ["2", "1", ""])):
        ordered = read_well_table(tmp_path, "some", "B02").sorted_by("value", descending=descending)
        assert [ordered.row(row)[0] for row in range(3)] == order
    assert well_mean(tmp_path, "some", "value", "B02") == 1.5
    damaged = tmp_path / "tables" / "counts" / "B02.parquet"
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"no parquet")
    with pytest.raises(StoreError, match="table cannot be read"):
        read_well_table(tmp_path, "counts", "B02")
