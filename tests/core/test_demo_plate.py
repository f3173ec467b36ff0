"""The demo plate: what it claims, what is in it, and what it leaves alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage
from skimage.feature import peak_local_max
from skimage.filters import gaussian, threshold_otsu
from skimage.segmentation import watershed

from openhcs.core.demo_plate import DemoPlate, make_demo_plate, read_demo_truth
from openhcs.core.formats import format_named, index_plate, stage_positions
from openhcs.errors import PlateError


@pytest.fixture(scope="module")
def plate(tmp_path_factory: pytest.TempPathFactory) -> DemoPlate:
    """The demo plate as users get it."""
    return make_demo_plate(tmp_path_factory.mktemp("demo") / "demo_Plate_1")


def small(folder: Path, seed: int = 1) -> DemoPlate:
    return make_demo_plate(folder, seed=seed, wells=["A01", "H12"], sites=1, z_steps=2, size_px=128)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_plate_is_what_its_plan_says(plate: DemoPlate) -> None:
    """8 wells, 2 sites, 2 channels and 3 z steps are indexed without a single discrepancy."""
    index = index_plate(plate.folder)
    assert index.discrepancies == ()
    assert len(index.planes) == 8 * 2 * 2 * 3
    assert [(channel.name, channel.wavelength_nm) for channel in index.channels] == [("DAPI", 452.0), ("GFP", 520.0)]
    assert index.pixel_size_um == pytest.approx(0.6838)
    assert set(stage_positions(index)) == set(plate.truth)


def test_images_have_the_flaws_of_a_camera(plate: DemoPlate) -> None:
    """Planes are 512 x 512 uint16 with an offset, unsaturated, sharpest at the middle z step."""
    index = index_plate(plate.folder)
    read_plane = format_named(index.format).read_plane
    stack = [
        read_plane(plate.folder / file).astype(float)
        for key, file in index.planes.items()
        if (key.well, key.site, key.channel) == ("B02", 1, 1)
    ]
    assert all(plane.shape == (512, 512) and plane.min() > 60 and plane.max() < 20000 for plane in stack)
    sharpness = [float(ndimage.laplace(ndimage.gaussian_filter(plane, 1)).var()) for plane in stack]
    assert np.argmax(sharpness) == 1


def test_counts_fall_with_the_dose(plate: DemoPlate) -> None:
    """From the first well to the last the nuclei fall from about 60 a site to about 15."""
    counts = list(plate.well_truth().values())
    assert counts[0] > 100 > 60 > counts[-1] > 20


def test_a_plain_segmentation_finds_the_truth(plate: DemoPlate) -> None:
    """Projection, Otsu and a watershed count every well to within 5 % of the truth."""
    index = index_plate(plate.folder)
    read_plane = format_named(index.format).read_plane
    counts = dict.fromkeys(plate.well_truth(), 0)
    for well, site in plate.truth:
        stack = [
            read_plane(plate.folder / file).astype(np.float32)
            for key, file in index.planes.items()
            if (key.well, key.site, key.channel) == (well, site, 1)
        ]
        image = gaussian(np.max(stack, axis=0), 1)
        mask = image > threshold_otsu(image)
        depth = ndimage.distance_transform_edt(mask)
        markers = np.zeros(mask.shape, np.int32)
        peaks = peak_local_max(depth, min_distance=7, exclude_border=False)
        markers[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
        counts[well] += int(watershed(-depth, markers, mask=mask).max())
    for well, truth in plate.well_truth().items():
        assert counts[well] == pytest.approx(truth, rel=0.05), well


def test_known_positions_are_where_the_light_is(plate: DemoPlate) -> None:
    """Every nucleus of the truth lies inside the image, on pixels brighter than the background."""
    truth = json.loads((plate.folder / "truth.json").read_text())
    for site in truth["sites"]:
        file = plate.folder / f"TimePoint_1/ZStep_2/demo_{site['well']}_s{site['site']}_w1.tif"
        image = format_named("ImageXpress").read_plane(file).astype(float)
        background = np.median(image)
        for nucleus in site["nuclei"]:
            assert image[round(nucleus["y_px"]), round(nucleus["x_px"])] > background + 300


def test_equal_seeds_give_equal_bytes(tmp_path: Path) -> None:
    """The same recipe makes the same files to the byte, another seed others."""
    first, again, other = (small(tmp_path / name, seed) for name, seed in (("a", 1), ("b", 1), ("c", 2)))
    assert contents(first.folder) == contents(again.folder)
    assert first.truth == again.truth
    assert contents(first.folder) != contents(other.folder)


def test_a_site_does_not_depend_on_the_others(tmp_path: Path) -> None:
    """Another site in each well leaves the images of the first as they were."""
    one = make_demo_plate(tmp_path / "one", wells=["A01"], sites=1, z_steps=1, size_px=128)
    two = make_demo_plate(tmp_path / "two", wells=["A01"], sites=2, z_steps=1, size_px=128)
    name = "TimePoint_1/demo_A01_s1_w1.tif"
    read_plane = format_named("ImageXpress").read_plane
    np.testing.assert_array_equal(read_plane(one.folder / name), read_plane(two.folder / name))


@pytest.mark.parametrize(("sites", "z_steps"), [(1, 1), (4, 1), (3, 2)])
def test_plates_of_other_shapes_agree_with_their_plan(tmp_path: Path, sites: int, z_steps: int) -> None:
    """Any number of sites and z steps makes a plate that its own .HTD file describes."""
    plate = make_demo_plate(tmp_path / "p", wells=["C07", "A02"], sites=sites, z_steps=z_steps, size_px=128)
    index = index_plate(plate.folder)
    assert (index.wells, index.discrepancies) == (("A02", "C07"), ())
    assert len(index.planes) == 2 * sites * 2 * z_steps


def test_the_same_plate_is_found_and_not_made_again(tmp_path: Path) -> None:
    """A second call leaves every file of the plate as it is and tells the same truth."""
    first = small(tmp_path / "p")
    times = {path: path.stat().st_mtime_ns for path in first.folder.rglob("*")}
    assert small(tmp_path / "p") == first
    assert {path: path.stat().st_mtime_ns for path in first.folder.rglob("*")} == times


def test_truth_is_read_back(tmp_path: Path) -> None:
    """The counts of each well come from the plate's folder alone."""
    plate = small(tmp_path / "p")
    assert read_demo_truth(plate.folder) == plate.well_truth()


@pytest.mark.parametrize("content", [None, "", "[]", '{"recipe": {}}', '{"sites": 3, "recipe": {"wells": 1}}'])
def test_a_folder_that_is_no_demo_plate_has_no_truth(tmp_path: Path, content: str | None) -> None:
    """No truth.json, or somebody else's, is no demo plate and no error."""
    if content is not None:
        (tmp_path / "truth.json").write_text(content)
    assert read_demo_truth(tmp_path) is None


def test_foreign_files_are_never_overwritten(tmp_path: Path) -> None:
    """A folder with anything else in it is refused and left as it is."""
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(PlateError, match=r"demo plate cannot be made: .*other files"):
        small(tmp_path)
    assert contents(tmp_path) == {"thesis.txt": b"mine"}


def test_another_demo_plate_is_not_overwritten(tmp_path: Path) -> None:
    """A plate of another seed is refused and left as it is."""
    before = contents(small(tmp_path / "p").folder)
    with pytest.raises(PlateError, match="another demo plate"):
        small(tmp_path / "p", seed=2)
    assert contents(tmp_path / "p") == before


def test_a_damaged_plate_is_not_passed_off_as_whole(tmp_path: Path) -> None:
    """A plate that lost a file, or part of one, is named with that file."""
    file = small(tmp_path / "p").folder / "TimePoint_1/ZStep_2/demo_H12_s1_w2.tif"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(PlateError, match=r"not complete: .*ZStep_2/demo_H12_s1_w2\.tif"):
        small(tmp_path / "p")


def test_an_interrupted_make_leaves_nothing_and_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C halfway leaves no half plate and no rubbish; the next call makes the whole."""
    import openhcs.core.demo_images as demo_images

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(demo_images, "place_nuclei", interrupt)
        with pytest.raises(KeyboardInterrupt):
            small(tmp_path / "p")
    assert list(tmp_path.iterdir()) == []
    assert small(tmp_path / "p").truth


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    """A folder made beforehand is as good as none."""
    (tmp_path / "p").mkdir()
    assert small(tmp_path / "p").truth


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"wells": []}, "wells"),
        ({"wells": ["A1"]}, "wells: A1"),
        ({"wells": ["A01", "A01"]}, "different wells"),
        ({"wells": ["I01"]}, "from A01 to H12"),
        ({"sites": 0}, "sites: 0; expected 1 or more"),
        ({"z_steps": 0}, "z steps: 0"),
        ({"size_px": 10}, "image size in pixels: 10"),
    ],
)
def test_a_plate_that_cannot_be_is_refused(tmp_path: Path, change: dict[str, object], said: str) -> None:
    """Wells off the plate and numbers too small are named with what is expected."""
    with pytest.raises(PlateError, match=said):
        make_demo_plate(tmp_path / "p", **change)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
