"""What is learnt from the whole plate reaches every well: once, the same everywhere, and in spite of damaged images."""

from __future__ import annotations

import errno
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ngio
import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

from openhcs.core.compiler import compile_plate, plans_from_json, plans_to_json
from openhcs.core.formats import index_plate
from openhcs.core.formats.imagexpress import ImageXpress
from openhcs.core.model import Component, Pipeline, Step, WellPlan
from openhcs.core.pattern import normalise_pattern
from openhcs.core.pipeline_file import load_pipeline
from openhcs.core.plate_estimates import forget_estimates
from openhcs.core.results import ResultsFolder
from openhcs.core.store import create_plate
from openhcs.core.worker import failure_of, process_well
from openhcs.errors import PlaneError, WellError
from tests.core.light_digest import light_digest
from tests.core.made_plates import write_plane
from tests.processing.mosaics import DARK_COUNTS, PIXEL_SIZE_UM, CutMosaic, cut_mosaic, vignette

WELLS = ("B02", "B03", "B04", "C02", "C03", "C04")
SIZE_PX = 160
LAMPS = {1: vignette(SIZE_PX), 2: vignette(SIZE_PX, 0.5)[::-1, ::-1]}
CORRECT = {"correct_plate_illumination": {"dark_counts": DARK_COUNTS}}
ESTIMATE = {"estimate_plate_illumination": {"dark_counts": DARK_COUNTS}}
MODULE = "tests.core.learning"
CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def cuts() -> Mapping[str, CutMosaic]:
    """Four overlapping sites of each well: crowded cells under one lamp."""
    return {
        well: cut_mosaic(seed=seed, across=2, size_px=SIZE_PX, overlap=0.2, jitter_px=4, light=LAMPS[1])
        for seed, well in enumerate(WELLS, start=1)
    }


@pytest.fixture(scope="module")
def made(cuts: Mapping[str, CutMosaic], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six wells of four sites and two channels; the second has no cells and another lamp."""
    folder = tmp_path_factory.mktemp("plates") / "light_Plate_1"
    rng = np.random.default_rng(9)
    for well, cut in cuts.items():
        for site, (pixels, (y, x)) in enumerate(zip(cut.image, cut.stage_px * PIXEL_SIZE_UM, strict=True), start=1):
            for channel in (1, 2):
                image = pixels if channel == 1 else DARK_COUNTS + 400 * LAMPS[2] + rng.normal(0, 6, pixels.shape)
                write_plane(
                    folder,
                    image,
                    well=well,
                    site=site,
                    channel=channel,
                    position_um=(round(x, 3), round(y, 3)),
                    pixel_size_um=PIXEL_SIZE_UM,
                )
    return folder


@pytest.fixture
def plate(made: Path, tmp_path: Path) -> Path:
    """A copy to break."""
    return Path(shutil.copytree(made, tmp_path / made.name))


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    """As far as estimates go, each test has a new worker process."""
    forget_estimates()


def step(*functions: object, over: Sequence[Component] = (Component.Z,), name: str = "s", **rest: Any) -> Step:
    return Step(name, normalise_pattern(list(functions)), tuple(over), **rest)


def planned(plate: Path, *steps: Step, wells: Sequence[str] = ("B02",)) -> tuple[WellPlan, ...]:
    plans = compile_plate(index_plate(plate), Pipeline("p", steps), wells, modules=(MODULE,))
    return plans_from_json(plans_to_json(plans))


def process(plans: Sequence[WellPlan], out: Path) -> None:
    folder = ResultsFolder(out)
    folder.claim(plans[0].plate, Path(plans[0].root))
    create_plate(folder, plans[0].plate)
    for plan in plans:
        process_well(plan, out, lambda *_: None)


def image_of(out: Path, well: str = "B02", site: int = 1) -> npt.NDArray[np.float32]:
    container = ngio.open_ome_zarr_plate(out / "plate.zarr", mode="r").get_image(well[0], int(well[1:]), str(site))
    return np.asarray(container.get_image().get_array(), dtype=np.float32)


def provenance(out: Path, well: str = "B02") -> Mapping[str, Any]:
    content: Mapping[str, Any] = json.loads((out / "provenance" / f"{well}.json").read_text())
    return content


def percent_off(light: npt.NDArray[np.float32], channel: int) -> float:
    """How far `light` is from a channel's lamp where it is farthest, in per cent."""
    truth = LAMPS[channel] / LAMPS[channel].mean()
    return float(100 * np.abs(light / truth - 1).max())


def file_of(plate: Path, well: str, site: int, channel: int = 1) -> Path:
    return plate / "TimePoint_1" / f"light_{well}_s{site}_w{channel}.TIF"


def test_each_channel_has_its_own_light(made: Path, tmp_path: Path) -> None:
    """One well, run alone: its planes are divided by the lamps of both channels, within 2 per cent at worst."""
    process(planned(made, step(ESTIMATE)), tmp_path / "out")
    light = image_of(tmp_path / "out")
    assert percent_off(light[0], 1) < 2
    assert percent_off(light[1], 2) < 1


def test_channels_in_one_stack_have_each_their_light(made: Path, tmp_path: Path) -> None:
    """Whatever the stack is made of."""
    over = (Component.SITE, Component.CHANNEL)
    process(planned(made, step(ESTIMATE, over=over, group_by=None)), tmp_path / "out")
    light = image_of(tmp_path / "out", site=3)
    assert percent_off(light[0], 1) < 2
    assert percent_off(light[1], 2) < 1


def test_provenance_lists_the_planes_once(made: Path, tmp_path: Path) -> None:
    """Each well names the files that hold them; there are as many as samples."""
    out = tmp_path / "out"
    process(planned(made, step(CORRECT), wells=WELLS[:2]), out)
    samples = provenance(out)["samples"]
    assert samples == provenance(out, "B03")["samples"]
    assert [(sample["channel"], sample["asked"], sample["planes"]) for sample in samples] == [(1, 64, 24), (2, 64, 24)]
    planes = json.loads((out / samples[0]["file"]).read_text())
    assert planes["C03, site 2, channel 1, z 1, t 1"] == "TimePoint_1/light_C03_s2_w1.TIF"
    assert len(list((out / "samples").iterdir())) == 2


def test_the_sample_is_read_once_for_all_wells(plate: Path, tmp_path: Path) -> None:
    """After the first well its files are not needed any more."""
    first, second = planned(plate, step(CORRECT), wells=("B02", "C04"))
    process([first], tmp_path / "out")
    for well in set(WELLS) - {"C04"}:
        for site in (1, 2, 3, 4):
            file_of(plate, well, site).unlink()
    process([second], tmp_path / "out")
    assert provenance(tmp_path / "out", "C04")["warnings"] == {}


def test_every_worker_comes_to_the_same_bits(made: Path) -> None:
    """A process that starts with another well makes the estimate anew, and it is the same."""
    first, last = planned(made, step(ESTIMATE), wells=("B02", "C04"))
    code = (
        "import sys\n"
        "from openhcs.core.compiler import plans_from_json\n"
        "from tests.core.light_digest import light_digest\n"
        "print(light_digest(*plans_from_json(sys.stdin.read()), int(sys.argv[1])))"
    )
    other = subprocess.run(
        [sys.executable, "-c", code, str(SIZE_PX)],
        input=plans_to_json([last]).decode(),
        capture_output=True,
        text=True,
        check=True,
        cwd=CHECKOUT,
        timeout=120,
    )
    assert other.stdout.strip() == light_digest(first, SIZE_PX)


def test_damaged_and_missing_planes_are_left_out(plate: Path, tmp_path: Path) -> None:
    """A truncated file, one that is gone and one of another size: wells are finished, and each tells it."""
    plans = planned(plate, step(ESTIMATE, over=(Component.SITE,)), wells=("B02", "B03"))
    cut = file_of(plate, "C02", 1)
    cut.write_bytes(cut.read_bytes()[:5000])
    file_of(plate, "C02", 2).unlink()
    write_plane(plate, np.full((64, 64), 500), well="C02", site=3)
    process(plans, tmp_path / "out")
    for well in ("B02", "B03"):
        (warning,) = provenance(tmp_path / "out", well)["warnings"]
        assert "s: UserWarning: 3 of 24 sample planes of channel 1 cannot be used, such as C02, site 1" in warning
        assert "cut short" in warning
    assert percent_off(image_of(tmp_path / "out")[0], 1) < 3


def test_too_few_planes_are_a_named_failure(plate: Path, tmp_path: Path) -> None:
    """The failure says how many planes are lacking, and one reason; another try would not mend it."""
    plans = planned(plate, step(CORRECT))
    for well in set(WELLS) - {"B02"}:
        for site in (1, 2, 3, 4):
            file_of(plate, well, site).unlink()
    found = "13 of 24 sample planes of channel 1 cannot be used, such as B03, site 1"
    with pytest.raises(WellError, match=found) as caught:
        process(plans, tmp_path / "out")
    failure = failure_of(caught.value)
    assert (failure.kind, failure.step, failure.may_pass) == ("SampleError", "s", False)


def test_a_plane_that_may_be_there_in_a_moment_is_not_left_out(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file server that does not answer is the well's failure, which is tried again: the estimate stays the same."""
    plans = planned(made, step(CORRECT))
    read = ImageXpress.read_plane

    def stale(self: ImageXpress, path: Path) -> npt.NDArray[np.generic]:
        if path.name == "light_C03_s1_w1.TIF":
            raise PlaneError(f"image cannot be read: {path}") from OSError(errno.ESTALE, "Stale file handle")
        return read(self, path)

    with monkeypatch.context() as patched:
        patched.setattr(ImageXpress, "read_plane", stale)
        with pytest.raises(WellError, match=r"light_C03_s1_w1\.TIF") as caught:
            process(plans, tmp_path / "out")
    assert failure_of(caught.value).may_pass
    process(plans, tmp_path / "out")
    assert provenance(tmp_path / "out")["warnings"] == {}


def test_sites_that_are_shaded_differently_have_lights_of_their_own(tmp_path: Path) -> None:
    """Where sites are told apart, the light of each is learnt from that site in all wells, at all times."""
    folder = tmp_path / "shaded_Plate_1"
    shades = {1: vignette(96), 2: vignette(96, 0.6)[:, ::-1]}
    rng = np.random.default_rng(2)
    for well in WELLS:
        for site, shade in shades.items():
            for t in (1, 2, 3):
                counts = DARK_COUNTS + 500 * shade + rng.normal(0, 6, shade.shape)
                write_plane(folder, counts, well=well, site=site, t=t)
    function = {"estimate_plate_illumination": {"dark_counts": DARK_COUNTS, "sample_by_site": True}}
    process(planned(folder, step(function, over=(Component.SITE, Component.T))), tmp_path / "out")
    for site, shade in shades.items():
        light = image_of(tmp_path / "out", site=site)[2].squeeze()
        assert np.allclose(light, shade / shade.mean(), rtol=0.01)


def test_few_planes_are_told(tmp_path: Path) -> None:
    """A plate of fewer planes than asked gives all it has; so few that objects may show are warned of."""
    folder = tmp_path / "small_Plate_1"
    for site in (1, 2, 3):
        write_plane(folder, DARK_COUNTS + 500 * LAMPS[1], site=site)
    process(planned(folder, step(CORRECT, over=(Component.SITE,))), tmp_path / "out")
    (warning,) = provenance(tmp_path / "out")["warnings"]
    assert "illumination estimated from 3 planes only; objects may be taken for light" in warning


def test_combined_channels_have_no_light(made: Path, tmp_path: Path) -> None:
    """The failure says what has to come first."""
    combine = step("project_maximum", over=(Component.CHANNEL,), group_by=None, name="combine")
    with pytest.raises(WellError, match=r"no planes like B02, site 1, channel 0, .* that no step before has combined"):
        process(planned(made, combine, step(CORRECT)), tmp_path / "out")


def test_functions_of_the_users_own_learn_from_the_plate(made: Path, tmp_path: Path) -> None:
    """A module's function gets its estimate and its own parameters; the estimator gets its parameters."""
    scale = {"scale_to_plate": {"top": 2.0, "low": 5.0, "high": 95.0}}
    process(planned(made, step(scale)), tmp_path / "out")
    scaled = image_of(tmp_path / "out")
    assert 1.5 < np.percentile(scaled[1], 95) <= 2
    assert abs(np.percentile(scaled[1], 5)) < 0.3


def test_an_estimator_that_fails_is_the_wells_failure(made: Path, tmp_path: Path) -> None:
    """With its own words."""
    with pytest.raises(WellError, match="scale_to_plate: ValueError: Percentiles must be in the range"):
        process(planned(made, step({"scale_to_plate": {"low": 500.0}})), tmp_path / "out")


def test_stitched_wells_have_even_light(cuts: Mapping[str, CutMosaic], made: Path, tmp_path: Path) -> None:
    """Corrected, aligned and stitched in one pipeline: the seams are gone, and shifts are found within a pixel."""
    correct = step(CORRECT, name="even")
    align = Step("align", normalise_pattern({1: "align_sites"}), (Component.SITE,), output="alignment")
    stitch = step({"stitch_sites": {"alignment": "alignment"}}, over=(Component.SITE,), name="stitch")
    process(planned(made, correct, align, stitch), tmp_path / "out")
    inner = image_of(tmp_path / "out", site=0)[1, 16:-16, 16:-16]
    side = 16 * (min(inner.shape) // 16)
    blocks = inner[:side, :side].reshape(side // 16, 16, side // 16, 16).mean(axis=(1, 3))
    assert np.abs(blocks / blocks.mean() - 1).max() < 0.015, "neither a seam nor a corner"
    shifts = pl.read_parquet(tmp_path / "out" / "tables" / "alignment" / "B02.parquet").sort("site")
    found = shifts.select("shift_y_px", "shift_x_px").to_numpy()
    assert np.abs(found - cuts["B02"].true_shifts).max() <= 1


def test_the_example_fits_a_plate(made: Path) -> None:
    """It compiles, and samples every channel."""
    plans = compile_plate(index_plate(made), load_pipeline(CHECKOUT / "examples" / "plate_illumination.yaml"))
    assert [sample.channel for sample in plans[0].samples] == [1, 2]
