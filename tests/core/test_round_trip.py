"""What a plate tells of itself is in its results: for the next pipeline, and for other programs of OME-Zarr."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import ngio
import numpy as np
import ome_zarr_models.v05
import pytest
import zarr

from openhcs.core.compiler import compile_plate
from openhcs.core.formats import index_plate, stage_positions
from openhcs.core.model import Component, FunctionCall, Pipeline, PlateIndex, Step
from openhcs.core.pipeline_file import load_pipeline
from openhcs.core.results import ResultsFolder
from openhcs.core.store import create_plate
from openhcs.core.worker import process_well
from tests.core.made_plates import write_plane
from tests.processing.mosaics import PIXEL_SIZE_UM, cut_mosaic

BLUR = Step("Blur", (FunctionCall("gaussian_blur"),))
FIND = Step("Find", {"1": (FunctionCall("segment_threshold_watershed"),)}, output="nuclei")
STITCHING = Path(__file__).parents[2] / "examples" / "stitching.yaml"


def process(index: PlateIndex, out: Path, pipeline: Pipeline) -> Path:
    """Run a pipeline as a run does, but in this process; return the plate of the results."""
    plans = compile_plate(index, pipeline)
    results = ResultsFolder(out)
    results.claim(plans[0].plate, Path(plans[0].root))
    create_plate(results, plans[0].plate)
    for plan in plans:
        process_well(plan, out, lambda *_: None)
    return results.plate


@pytest.mark.parametrize(
    "name",
    [
        "imagexpress/9987_Plate_3434",
        "imagexpress/9987_Plate_3435",
        "imagexpress/SingleChannel",
        "opera_phenix/BR00121482",
    ],
)
def test_results_of_real_plates_tell_what_the_plates_told(plates_folder: Path, tmp_path: Path, name: str) -> None:
    """Channels with their wavelengths, pixel size, heights, times and stage positions."""
    plate = index_plate(plates_folder / name)
    results = index_plate(process(plate, tmp_path / "out", Pipeline("blur", (BLUR,))))
    assert results.channels == plate.channels
    assert all(channel.wavelength_nm for channel in results.channels)
    assert results.pixel_size_um == plate.pixel_size_um
    assert results.t_s == plate.t_s
    assert results.z_um == (plate.z_um if any(key.z > 1 for key in plate.planes) else {})
    assert results.planes.keys() == {key for key in plate.planes if key.z}
    downwards = -1 if plate.y_is_up else 1
    told = {place: (x, downwards * y) for place, (x, y) in stage_positions(plate).items()}
    assert results.positions_um == told
    assert not [remark for remark in results.discrepancies if remark.well is None]


def test_heights_of_a_stack_are_read_from_its_images(plates_folder: Path) -> None:
    """Micrometres above the first plane, from a channel that was taken at every step."""
    assert index_plate(plates_folder / "imagexpress/9987_Plate_3434").z_um == {1: 0.0, 2: 3.0}
    assert index_plate(plates_folder / "imagexpress/SingleChannel").z_um == {1: 0.0, 2: 4.94}


def test_uneven_times_come_back_as_they_were(tmp_path: Path) -> None:
    """Arrays have one step for all time points; the exact times are in the provenance, for us."""
    taken_s = {1: 0.0, 2: 60.5, 3: 300.0}
    for t, seconds in taken_s.items():
        write_plane(tmp_path / "film_Plate_1", np.full((64, 64), 9), t=t, taken_s=seconds, pixel_size_um=0.5)
    plate = process(index_plate(tmp_path / "film_Plate_1"), tmp_path / "out", Pipeline("blur", (BLUR,)))
    assert index_plate(plate).t_s == taken_s
    assert ngio.open_ome_zarr_plate(plate, mode="r").get_image("B", 2, "1").get_image().pixel_size.t == 150


def test_results_are_stitched_by_the_next_pipeline(tmp_path: Path) -> None:
    """Stage positions go with the images, so a mosaic of corrected sites is that of the sites themselves."""
    cut = cut_mosaic(across=2, size_px=200, overlap=0.2, jitter_px=3)
    for site, (pixels, (y, x)) in enumerate(zip(cut.image, cut.stage_px * PIXEL_SIZE_UM, strict=True), start=1):
        place = (round(20_000 + x, 3), round(500 + y, 3))
        write_plane(tmp_path / "cut_Plate_1", pixels, site=site, position_um=place, pixel_size_um=PIXEL_SIZE_UM)
    index = index_plate(tmp_path / "cut_Plate_1")
    stitch = load_pipeline(STITCHING)
    same = Step("Same", (FunctionCall("gaussian_blur", {"sigma_px": 0.01}),))
    first = process(index, tmp_path / "first", Pipeline("same", (same,)))
    at_once = process(index, tmp_path / "at once", stitch)
    one_by_one = process(index_plate(first), tmp_path / "one by one", stitch)
    mosaics = [
        ngio.open_ome_zarr_plate(plate, mode="r").get_image("B", 2, "0").get_image().get_as_numpy()
        for plate in (at_once, one_by_one)
    ]
    np.testing.assert_allclose(mosaics[0], mosaics[1], rtol=1e-4)


@pytest.mark.parametrize("by_index", [True, False])
def test_positions_are_told_downwards(tmp_path: Path, by_index: bool) -> None:
    """OME-Zarr counts y as the image does; plates whose stage counts upwards are turned over, whoever tells."""
    for site, place in ((1, (10.0, 70.0)), (2, (20.0, 50.0))):
        pixels = np.full((64, 64), site)
        write_plane(tmp_path / "up_Plate_1", pixels, site=site, position_um=place, pixel_size_um=0.5)
    index = replace(index_plate(tmp_path / "up_Plate_1"), y_is_up=True)
    if by_index:
        index = replace(index, positions_um=stage_positions(index))
    results = index_plate(process(index, tmp_path / "out", Pipeline("blur", (BLUR,))))
    assert results.positions_um == {("B02", 1): (10.0, -70.0), ("B02", 2): (20.0, -50.0)}


def test_every_part_of_a_plate_of_results_keeps_the_specification(plates_folder: Path, tmp_path: Path) -> None:
    """Plate, wells, images and label images are what the models of OME-Zarr 0.5 accept; ngio opens them all."""
    plate = process(
        index_plate(plates_folder / "imagexpress/9987_Plate_3434"), tmp_path / "out", Pipeline("find", (BLUR, FIND))
    )
    hcs = ome_zarr_models.v05.HCS.from_zarr(zarr.open_group(plate, mode="r"))
    assert [(well.path, well.rowIndex, well.columnIndex) for well in hcs.attributes.ome.plate.wells] == [
        ("B/02", 0, 0),
        ("B/03", 0, 1),
    ]
    opened = ngio.open_ome_zarr_plate(plate, mode="r")
    for well in ("B/02", "B/03"):
        images = ome_zarr_models.v05.Well.from_zarr(zarr.open_group(plate / well, mode="r")).attributes.ome.well.images
        assert [image.path for image in images] == ["1", "2"]
        for image in images:
            group = zarr.open_group(plate / well / image.path, mode="r")
            attributes = ome_zarr_models.v05.Image.from_zarr(group).attributes.ome
            assert [axis.unit for axis in attributes.multiscales[0].axes] == [None, *3 * ["micrometer"]]
            first = attributes.omero["channels"][0]
            assert (first["label"], first["emissionWave"], first["color"]) == ("DAPI", 452, "0000FF")
            labels = ome_zarr_models.v05.ImageLabel.from_zarr(group["labels/nuclei"]).attributes.ome
            assert len(labels.multiscales[0].datasets) == len(attributes.multiscales[0].datasets) == 3
            container = opened.get_image(well[0], int(well[2:]), image.path)
            assert container.list_labels() == ["nuclei"]
            assert container.get_image().pixel_size.z == pytest.approx(3.0)
            assert container.wavelength_ids == ["452", "520", "624"]


def test_a_pixel_size_that_nobody_knows_is_not_told(tmp_path: Path) -> None:
    """Axes without a unit and with a step of 1 count pixels: so the specification has it, and so it is read back."""
    write_plane(tmp_path / "bare_Plate_1", np.arange(64 * 64).reshape(64, 64), position_um=(5, 6))
    index = index_plate(tmp_path / "bare_Plate_1")
    plate = process(index, tmp_path / "out", Pipeline("find", (FIND,)))
    for path in ("B/02/1", "B/02/1/labels/nuclei"):
        (image,) = json.loads((plate / path / "zarr.json").read_bytes())["attributes"]["ome"]["multiscales"]
        assert [axis.get("unit") for axis in image["axes"]] == [None] * len(image["axes"])
        assert set(image["datasets"][0]["coordinateTransformations"][0]["scale"]) == {1.0}
    ome_zarr_models.v05.Image.from_zarr(zarr.open_group(plate / "B/02/1", mode="r"))
    assert ngio.open_ome_zarr_plate(plate, mode="r").get_image("B", 2, "1").list_labels() == ["nuclei"]
    assert index_plate(plate).pixel_size_um is None


def test_a_z_step_that_a_well_lacks_keeps_its_place(tmp_path: Path) -> None:
    """The same number along z is the same height in all wells; what is not there is noted, and no plane when read."""
    folder = tmp_path / "deep_Plate_1"
    for well, steps in (("B02", (1, 2, 3)), ("B03", (1, 3))):
        for z in steps:
            path = write_plane(folder, np.full((64, 64), z), well=well)
            place = path.parent / f"ZStep_{z}" / path.name
            place.parent.mkdir(exist_ok=True)
            path.rename(place)
    same = Step("Same", (FunctionCall("gaussian_blur"),), (Component.Z,))
    plate = process(index_plate(folder), tmp_path / "out", Pipeline("same", (same,)))
    image = ngio.open_ome_zarr_plate(plate, mode="r").get_image("B", 3, "1").get_image()
    assert np.rint(image.get_as_numpy().mean(axis=(0, 2, 3))).tolist() == [1, 0, 3]
    told = json.loads((tmp_path / "out" / "provenance" / "B03.json").read_text())
    assert (told["filled"], told["unwritten"]) == (["image, site 1, channel 1, z 2"], ["1/0[0,1]"])
    assert sorted(key.z for key in index_plate(plate).planes if key.well == "B03") == [1, 3]
