"""OME-Zarr plates: our own results, and plates as other programs write them."""

from __future__ import annotations

import json
import shutil
import tracemalloc
from dataclasses import replace
from pathlib import Path

import ngio
import numpy as np
import pytest
import zarr
from ngio import ImageInWellPath

from openhcs.core.compiler import compile_plate
from openhcs.core.demo_plate import make_demo_plate
from openhcs.core.formats import format_named, index_plate
from openhcs.core.model import COMBINED, Channel, Component, FunctionCall, Pipeline, PlaneKey, PlateIndex, Step
from openhcs.core.results import ResultsFolder
from openhcs.core.store import create_plate
from openhcs.core.worker import process_well
from openhcs.errors import PipelineError, PlaneError, PlateError, StoreError, WellError

SEGMENT = Step("find", {"1": (FunctionCall("segment_threshold_watershed"),)}, output="nuclei")
COUNT = Step("count", {"1": (FunctionCall("count_objects", {"labels": "nuclei"}),)}, output="counts")


def said(index: PlateIndex) -> list[str]:
    return [str(remark) for remark in index.discrepancies]


def process(plate: Path, out: Path, *steps: Step, wells: tuple[str, ...] | None = None) -> Path:
    """Run steps on a plate, as a run does but in this process; return the results' plate."""
    plans = compile_plate(index_plate(plate), Pipeline("test", steps), wells)
    results = ResultsFolder(out)
    results.claim(plans[0].plate, Path(plans[0].root))
    create_plate(results, plans[0].plate)
    for plan in plans:
        process_well(plan, out, lambda *_: None)
    return results.plate


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small plate of two wells, two sites and two z steps."""
    return make_demo_plate(
        tmp_path_factory.mktemp("demo") / "plate", wells=("B02", "C10"), sites=2, z_steps=2, size_px=128
    ).folder


@pytest.fixture(scope="module")
def first_results(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a first pipeline; no test may change them."""
    return process(demo, tmp_path_factory.mktemp("first") / "out", SEGMENT)


@pytest.fixture
def results(first_results: Path, tmp_path: Path) -> Path:
    """A copy of the first results, to be changed."""
    shutil.copytree(first_results.parent, tmp_path / "results")
    return tmp_path / "results" / "plate.zarr"


def foreign_plate(folder: Path, version: str, wells: tuple[str, ...] = ("B3", "C10"), **options: object) -> Path:
    """A plate as another program writes it: sites from 0, all axes, 16 bits; each plane holds its own number."""
    images = [ImageInWellPath(row=well[0], column=int(well[1:]), path=site) for well in wells for site in ("0", "1")]
    plate = ngio.create_empty_plate(folder, "foreign", images=images, ngff_version=version)  # type: ignore[arg-type]
    for image in images:
        container = ngio.create_empty_ome_zarr(
            plate.get_image_store(image.row, image.column, image.path),
            **{  # type: ignore[arg-type]
                "shape": (2, 2, 2, 32, 48),
                "pixelsize": 0.5,
                "z_spacing": 2.0,
                "levels": 2,
                "axes_names": ["t", "c", "z", "y", "x"],
                "channels_meta": ["DAPI", "GFP"],
                "ngff_version": version,
                **options,
            },
        )
        pixels = np.arange(8, dtype="uint16").reshape(2, 2, 2, 1, 1) + np.zeros((32, 48), "uint16")
        container.get_image().set_array(pixels)
    return folder


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_plates_of_other_programs_are_read(tmp_path: Path, version: str) -> None:
    """Both versions of the format, and so both of Zarr, give the same index and the planes in their places."""
    index = index_plate(foreign_plate(tmp_path / "foreign.zarr", version))
    assert (index.format, index.name, index.rows, index.columns) == ("OME-Zarr", "foreign", 4, 6) or index.columns == 12
    assert list(index.planes) == [
        PlaneKey(well, site, channel, z, t)
        for well in ("B03", "C10")
        for site in (1, 2)
        for channel in (1, 2)
        for z in (1, 2)
        for t in (1, 2)
    ]
    assert index.channels == (Channel(1, "DAPI"), Channel(2, "GFP"))
    assert (index.pixel_size_um, index.z_um) == (0.5, {1: 0.0, 2: 2.0})
    assert index.discrepancies == ()
    file = index.planes[PlaneKey("C10", 2, 2, 1, 2)]
    pixels = format_named(index.format).read_plane(Path(index.root, file))
    assert (pixels.shape, pixels.dtype, set(pixels.flat)) == ((32, 48), np.uint16, {6})


def test_results_are_the_next_pipelines_plate(first_results: Path, demo: Path, tmp_path: Path) -> None:
    """Images, pixel size and channels of a first pipeline are those of the plate that a second one takes."""
    index = index_plate(first_results)
    assert (index.name, index.rows, index.columns, index.pixel_size_um) == ("plate", 8, 12, 0.6838)
    assert index.channels == index_plate(demo).channels
    assert {(key.site, key.z) for key in index.planes} == {(1, 1), (1, 2), (2, 1), (2, 2)}
    assert said(index) == []
    second = process(first_results, tmp_path / "out", Step("blur", (FunctionCall("gaussian_blur"),)))
    assert index_plate(second).planes.keys() == index.planes.keys()


def test_the_folder_of_results_leads_to_the_plate_in_it(first_results: Path) -> None:
    """Choosing the results folder is choosing its plate."""
    assert index_plate(first_results.parent) == index_plate(first_results)


def test_label_images_of_the_plate_can_be_taken(first_results: Path, demo: Path, tmp_path: Path) -> None:
    """A pipeline that names a label image of its plate measures the same objects as one that made it."""
    key = PlaneKey("B02", 1, COMBINED, 1, 1)
    assert index_plate(first_results).labels["nuclei"][key] == "B/02/1/labels/nuclei/0[0]"
    one = process(demo, tmp_path / "one", SEGMENT, COUNT)
    two = process(first_results, tmp_path / "two", COUNT)
    rows = [(folder.parent / "tables" / "counts" / "B02.parquet") for folder in (one, two)]
    assert all(path.exists() for path in rows)
    counts = [json.loads((folder.parent / "provenance" / "B02.json").read_text())["rows"] for folder in (one, two)]
    assert counts[0] == counts[1]


def test_a_label_image_that_is_nowhere_is_told_with_those_there_are(first_results: Path) -> None:
    """The plate's own label images are among the names that a message offers."""
    step = Step("count", {"1": (FunctionCall("count_objects", {"labels": "nucli"}),)})
    with pytest.raises(PipelineError, match=r"no label image nucli; expected one of nuclei\. Did you mean nuclei"):
        compile_plate(index_plate(first_results), Pipeline("test", (step,)))


def test_label_images_of_another_size_are_the_wells_failure(results: Path, tmp_path: Path) -> None:
    """Labels that do not fit the image are named with both sizes."""
    array = results / "B" / "02" / "1" / "labels" / "nuclei" / "0"
    shutil.rmtree(array)
    zarr.create_array(array, shape=(2, 64, 64), dtype="int32", chunks=(1, 64, 64))
    with pytest.raises(WellError, match=r"'nuclei' of the plate does not fit: .* 64 x 64 .*expected .* 128 x 128"):
        process(results, tmp_path / "out", COUNT, wells=("B02",))


def test_a_plan_changes_when_its_plate_was_made_anew(demo: Path, tmp_path: Path) -> None:
    """Results of another first pipeline are other planes to the second, though their places are the same."""
    hashes = set()
    for sigma in (1.0, 2.0):
        out = tmp_path / str(sigma)
        made = process(demo, out, Step("blur", (FunctionCall("gaussian_blur", {"sigma_px": sigma}),)), wells=("B02",))
        (plan,) = compile_plate(index_plate(made), Pipeline("test", (SEGMENT,)))
        hashes.add(plan.hash)
    assert len(hashes) == 2


def test_results_cannot_go_into_the_folder_they_come_from(results: Path) -> None:
    """The folder around a plate of results holds that plate, so nothing new is written there."""
    with pytest.raises(StoreError, match=r"holds the plate .* itself"):
        ResultsFolder(results.parent).claim("plate", results)


def test_wells_that_their_run_did_not_finish_are_left_out(results: Path) -> None:
    """A well without provenance may be half written: it is told, not read."""
    (results.parent / "provenance" / "C10.json").unlink()
    index = index_plate(results)
    assert index.wells == ("B02",)
    assert said(index) == ["well C10: well left out: the run that writes it has not finished it; run again to have it"]


def test_places_that_no_plane_was_written_to_are_no_planes(demo: Path, tmp_path: Path) -> None:
    """Where the run had no image the array holds zeros; they are told and never measured."""
    shutil.copytree(demo, tmp_path / "plate")
    (tmp_path / "plate" / "TimePoint_1" / "ZStep_2" / "demo_B02_s1_w2.tif").unlink()
    made = process(tmp_path / "plate", tmp_path / "out", Step("blur", (FunctionCall("gaussian_blur"),)), wells=("B02",))
    index = index_plate(made)
    assert PlaneKey("B02", 1, 2, 2, 1) not in index.planes
    assert len(index.planes) == 7
    assert said(index) == [
        "well B02: no plane in: B/02/1/0[1,1]; the run had no image for it",
        "well B02: 1 of 8 planes missing: site 1 channel 2 z 2 t 1",
    ]


def test_an_unknown_pixel_size_stays_unknown(tmp_path: Path) -> None:
    """A plate whose pixel size nobody knows does not get one by being processed."""
    plate = make_demo_plate(tmp_path / "plate", wells=("B02",), sites=1, z_steps=1, size_px=128).folder
    index = index_plate(plate)

    (plan,) = compile_plate(replace(index, pixel_size_um=None), Pipeline("test", (SEGMENT,)))
    results = ResultsFolder(tmp_path / "out")
    results.claim(plan.plate, plate)
    create_plate(results, plan.plate)
    process_well(plan, results.path, lambda *_: None)
    assert index_plate(results.plate).pixel_size_um is None


def test_missing_wells_and_sites_are_told_by_well(tmp_path: Path) -> None:
    """What the plate's metadata lists and the disk has not is told for its well; the rest is there."""
    plate = foreign_plate(tmp_path / "p.zarr", "0.5", wells=("A1", "A2", "A3"))
    shutil.rmtree(plate / "A" / "02")
    shutil.rmtree(plate / "A" / "03" / "1" / "0")
    index = index_plate(plate)
    assert index.wells == ("A01", "A03")
    assert [remark.well for remark in index.discrepancies] == ["A02", "A03", "A03"]
    assert "well left out: metadata missing" in said(index)[0]
    assert "site 2 left out" in said(index)[1]


def test_images_that_are_no_sites_are_left_out_by_name(tmp_path: Path) -> None:
    """A projection stored beside a site, and images of a later acquisition, are not taken for sites."""
    plate = foreign_plate(tmp_path / "p.zarr", "0.4", wells=("A1",))
    path = plate / "A" / "01" / ".zattrs"
    well = json.loads(path.read_text())
    well["well"]["images"] = [
        {"path": "0", "acquisition": 0},
        {"path": "0_mip", "acquisition": 0},
        {"path": "1", "acquisition": 1},
    ]
    path.write_text(json.dumps(well))
    index = index_plate(plate)
    assert {key.site for key in index.planes} == {1}
    assert said(index) == ["well A01: images of other acquisitions or kinds left out: 0_mip, 1"]


@pytest.mark.parametrize(
    ("where", "path"),
    [("plate", "../other/A"), ("well", "../../../secret"), ("well", "/etc"), ("image", "../0"), ("link", "")],
)
def test_paths_that_lead_out_of_the_plate_are_refused_by_name(tmp_path: Path, where: str, path: str) -> None:
    """Paths of wells, images and arrays, and links in their place, never lead out of the plate."""
    plate = foreign_plate(tmp_path / "p.zarr", "0.4", wells=("A1", "A2"))
    secret = foreign_plate(tmp_path / "secret", "0.4", wells=("A1",))
    files = {
        "plate": plate / ".zattrs",
        "well": plate / "A" / "02" / ".zattrs",
        "image": plate / "A" / "02" / "0" / ".zattrs",
    }
    if where == "link":
        shutil.rmtree(plate / "A" / "02")
        (plate / "A" / "02").symlink_to(secret / "A" / "01")
    else:
        content = json.loads(files[where].read_text())
        part = {
            "plate": lambda: content["plate"]["wells"][1],
            "well": lambda: content["well"]["images"][0],
            "image": lambda: content["multiscales"][0]["datasets"][0],
        }[where]()
        part["path"] = path
        files[where].write_text(json.dumps(content))
    index = index_plate(plate)
    assert all(Path(plate, file.partition("[")[0]).resolve().is_relative_to(plate) for file in index.planes.values())
    told = " ".join(said(index))
    assert (path if path else "is a link out of the plate") in told


def test_a_codec_that_runs_code_is_refused(tmp_path: Path) -> None:
    """Zarr 2 knows a codec that unpickles; an array that asks for it is refused before a byte of it is decoded."""
    plate = foreign_plate(tmp_path / "p.zarr", "0.4", wells=("A1",))
    index = index_plate(plate)
    file = next(iter(index.planes.values()))
    header = plate / "A" / "01" / "0" / "0" / ".zarray"
    content = json.loads(header.read_text())
    content["filters"] = [{"id": "pickle", "protocol": 5}]
    header.write_text(json.dumps(content))
    with pytest.raises(PlaneError, match="the codec pickle, which is not one of"):
        format_named(index.format).read_plane(plate / file)


@pytest.mark.parametrize(
    ("shape", "chunks", "says"),
    [
        ((2, 2, 2, 10**6, 10**6), (1, 1, 1, 32, 48), "a header that says 1000000 x 1000000 pixels"),
        ((2, 2, 2, 32, 48), (1, 1, 1, 10**6, 10**6), "chunks of 1 x 1 x 1 x 1000000 x 1000000 pixels"),
        ((2, 2, 2, 32, 48), (1, 1, 10**12, 32, 48), "chunks of 1 x 1 x 1000000000000 x 32 x 48 pixels"),
        ((2, 2, 2, 10**4, 10**4), (1, 1, 1, 1, 1), "100000000 chunks in one plane"),
    ],
)
def test_sizes_that_no_plane_has_are_refused_before_memory_is_used(
    tmp_path: Path, shape: tuple[int, ...], chunks: tuple[int, ...], says: str
) -> None:
    """A header may claim anything: planes, chunks that are decoded as a whole, and their number have limits."""
    plate = foreign_plate(tmp_path / "p.zarr", "0.4", wells=("A1",))
    header = plate / "A" / "01" / "0" / "0" / ".zarray"
    header.write_text(json.dumps({**json.loads(header.read_text()), "shape": shape, "chunks": chunks}))
    index = index_plate(plate)
    tracemalloc.start()
    try:
        with pytest.raises(PlaneError, match=says):
            format_named(index.format).read_plane(plate / index.planes[PlaneKey("A01", 1, 1, 1, 1)])
        assert tracemalloc.get_traced_memory()[1] < 2**26
    finally:
        tracemalloc.stop()


def test_a_shape_of_too_many_planes_is_refused_by_name(tmp_path: Path) -> None:
    """The site is left out before a plane of it is listed, and the other is there."""
    plate = foreign_plate(tmp_path / "p.zarr", "0.4", wells=("A1",))
    header = plate / "A" / "01" / "0" / "0" / ".zarray"
    header.write_text(json.dumps({**json.loads(header.read_text()), "shape": [10**9, 10**9, 2, 32, 48]}))
    index = index_plate(plate)
    assert {key.site for key in index.planes} == {2}
    assert "has the shape (1000000000, 1000000000, 2, 32, 48); expected sizes for the axes" in said(index)[0]


@pytest.mark.parametrize("name", ["../../../secret", "/etc", "a\0b", "a\x1b[2Jb\nc", "n" * 300, "", "."])
def test_odd_names_of_label_images_are_told_and_left_out(results: Path, name: str) -> None:
    """Whatever a plate calls its label images, nothing is opened but what lies in it, and its images are read."""
    group = results / "B" / "02" / "1" / "labels" / "zarr.json"
    content = json.loads(group.read_text())
    content["attributes"]["ome"]["labels"] = [name]
    group.write_text(json.dumps(content))
    index = index_plate(results)
    assert len(index.planes) == 16
    assert index.labels["nuclei"].keys() == {
        key for key in index.labels["nuclei"] if (key.well, key.site) != ("B02", 1)
    }
    assert [f"label image {name} of site 1 left out" in remark for remark in said(index)].count(True) == 1


def test_damaged_arrays_are_named(first_results: Path, results: Path) -> None:
    """A missing array, a truncated chunk, a place outside of the array: each an error with the path and a next step."""
    index = index_plate(results)
    read_plane = format_named(index.format).read_plane
    file = index.planes[PlaneKey("B02", 1, 1, 1, 1)]
    chunk = next(path for path in (results / "B" / "02" / "1" / "0" / "c" / "0" / "0").rglob("*") if path.is_file())
    chunk.write_bytes(chunk.read_bytes()[:20])
    for path in (
        file,
        file.replace("[0,0]", "[9,9]"),
        file.replace("[0,0]", "[0]"),
        file.replace("[0,0]", ""),
        "gone/0[0]",
    ):
        with pytest.raises(PlaneError, match=r"image cannot be read: (.|\n)*expected(.|\n)*Copy the plate again"):
            read_plane(results / path)
    assert read_plane(first_results / file).shape == (128, 128)


@pytest.mark.parametrize(
    "content", ["", "[]", "{", "[" * 100_000, '{"plate": 1}', '{"multiscales": []}', '{"plate": {"wells": [{}]}}']
)
def test_a_folder_of_other_zarr_metadata_is_no_plate(tmp_path: Path, content: str) -> None:
    """Damaged metadata, and that of a single image, is refused with what was looked for."""
    (tmp_path / ".zattrs").write_text(content)
    (tmp_path / "0").mkdir()
    with pytest.raises(PlateError, match=r"OME-Zarr.*looked for zarr\.json or \.zattrs with the metadata of a plate"):
        index_plate(tmp_path)


def test_an_empty_plate_is_an_error(tmp_path: Path) -> None:
    """A plate without wells says so."""
    ngio.create_empty_plate(tmp_path / "p.zarr", "empty", ngff_version="0.5")
    with pytest.raises(PlateError, match=r"no images in: .*got no wells"):
        index_plate(tmp_path / "p.zarr")


def test_several_plates_are_offered_for_choice(tmp_path: Path) -> None:
    """A folder with two plates is refused; the message names both."""
    for name in ("a.zarr", "b.zarr"):
        foreign_plate(tmp_path / name, "0.5", wells=("A1",))
    with pytest.raises(PlateError, match=r"2 plates in: .*Choose one of them: a\.zarr, b\.zarr"):
        index_plate(tmp_path)


def test_axes_in_another_order_are_refused_by_name(tmp_path: Path) -> None:
    """An image whose last axes are not y and x is left out with its axes."""
    plate = foreign_plate(tmp_path / "p.zarr", "0.4", wells=("A1", "A2"))
    path = plate / "A" / "01" / "0" / ".zattrs"
    content = json.loads(path.read_text())
    content["multiscales"][0]["axes"].reverse()
    path.write_text(json.dumps(content))
    assert "axes not understood: x, y, z, c, t" in said(index_plate(plate))[0]


def test_a_length_without_a_unit_is_no_pixel_size(tmp_path: Path) -> None:
    """A scale whose unit nobody tells is not taken for micrometres; other units are converted."""
    plate = foreign_plate(tmp_path / "p.zarr", "0.4", wells=("A1",), space_unit="nanometer", pixelsize=500.0)
    assert index_plate(plate).pixel_size_um == 0.5
    for path in plate.glob("A/01/*/.zattrs"):
        content = json.loads(path.read_text())
        for axis in content["multiscales"][0]["axes"]:
            axis.pop("unit", None)
        path.write_text(json.dumps(content))
    assert index_plate(plate).pixel_size_um is None


def test_results_of_stitched_sites_are_site_one(demo: Path, tmp_path: Path) -> None:
    """An image that a first pipeline made from all sites is the only site of the next."""
    project = Step("project", (FunctionCall("project_maximum"),), (Component.SITE, Component.Z))
    index = index_plate(process(demo, tmp_path / "out", project, wells=("B02",)))
    assert {(key.site, key.z) for key in index.planes} == {(1, 1)}
