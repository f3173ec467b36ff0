"""One well at a time, in this process: what functions get, what becomes of what they return, and how wells fail."""

from __future__ import annotations

import json
import platform
import shutil
import socket
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import ngio
import numpy as np
import polars as pl
import pytest
import tifffile

from openhcs.core.compiler import compile_plate
from openhcs.core.formats import index_plate
from openhcs.core.model import Component, FunctionCall, ParameterValue, Pipeline, Step, WellPlan
from openhcs.core.results import ResultsFolder, is_done
from openhcs.core.store import create_plate
from openhcs.core.worker import WellResult, process_well
from openhcs.errors import PlaneError, StoreError, WellError

MODULE = "tests.core.misbehaving"
SITE, CHANNEL, Z, T = Component.SITE, Component.CHANNEL, Component.Z, Component.T


@pytest.fixture
def plate(tmp_path: Path) -> Path:
    """A plate of one well, 2 sites x 2 channels x 3 z, whose planes have the value 100 site + 10 channel + z."""
    folder = tmp_path / "small_Plate_1"
    for z in (1, 2, 3):
        for site in (1, 2):
            for channel in (1, 2):
                path = folder / "TimePoint_1" / f"ZStep_{z}" / f"small_A01_s{site}_w{channel}.TIF"
                path.parent.mkdir(parents=True, exist_ok=True)
                tifffile.imwrite(path, np.full((64, 48), 100 * site + 10 * channel + z, np.uint16))
    return folder


def call(name: str, **parameters: ParameterValue) -> FunctionCall:
    return FunctionCall(name, parameters)


def step(*calls: FunctionCall, over: Sequence[Component] = (Z,), output: str | None = None, name: str = "Step") -> Step:
    return Step(name, calls, tuple(over), output=output)


def planned(plate: Path, *steps: Step) -> WellPlan:
    (plan,) = compile_plate(index_plate(plate), Pipeline("test", steps), modules=(MODULE,))
    return plan


def process(plan: WellPlan, out: Path, steps: list[tuple[int, int, str, str]] | None = None) -> WellResult:
    folder = ResultsFolder(out)
    folder.claim(plan.plate, Path(plan.root))
    create_plate(folder, plan.plate)
    return process_well(plan, out, lambda *report: steps.append(report) if steps is not None else None)


def image_at(out: Path, site: int) -> ngio.OmeZarrContainer:
    return ngio.open_ome_zarr_plate(out / "plate.zarr", mode="r").get_image("A", 1, str(site))


def provenance_of(out: Path) -> Mapping[str, object]:
    content: Mapping[str, object] = json.loads((out / "provenance" / "A01.json").read_text())
    return content


def failure(plan: WellPlan, out: Path) -> WellError:
    """The failure of a well; nothing of the well is left in the results."""
    with pytest.raises(WellError) as caught:
        process(plan, out)
    assert caught.value.well == "A01"
    assert not is_done(plan, out)
    assert ngio.open_ome_zarr_plate(out / "plate.zarr", mode="r").wells_paths() == []
    assert list((out / ".tmp").iterdir()) == []
    return caught.value


def test_planes_go_where_their_keys_say(plate: Path, tmp_path: Path) -> None:
    """Every plane ends at its channel and z of its site's image; steps are counted over the parts, and told of each."""
    steps: list[tuple[int, int, str, str]] = []
    plan = planned(plate, step(call("warn"), name="Same"))
    result = process(plan, tmp_path / "out", steps)
    assert steps == [(1, 2, "Same", "site 1, step 1 of 1"), (2, 2, "Same", "site 2, step 1 of 1")]
    for site in (1, 2):
        image = image_at(tmp_path / "out", site).get_image()
        assert image.axes == ("c", "z", "y", "x")
        means = image.get_as_numpy().mean(axis=(2, 3))
        assert means.tolist() == [[100 * site + 10 * channel + z for z in (1, 2, 3)] for channel in (1, 2)]
    assert is_done(plan, tmp_path / "out")
    assert not is_done(replace(plan, hash="another"), tmp_path / "out")
    assert result.warnings == {"Same: UserWarning: low contrast": 4}
    assert provenance_of(tmp_path / "out")["warnings"] == result.warnings


def test_a_combined_plane_takes_the_place_of_its_stack(plate: Path, tmp_path: Path) -> None:
    """A `(Y, X)` result replaces the whole stack; the image then has no z axis."""
    process(planned(plate, step(call("project_maximum"))), tmp_path / "out")
    image = image_at(tmp_path / "out", 2).get_image()
    assert image.axes == ("c", "y", "x")
    assert image.get_as_numpy().mean(axis=(1, 2)).tolist() == [213, 223]


def test_sites_stacked_together_are_processed_together(plate: Path, tmp_path: Path) -> None:
    """A stack over sites holds all of them, in order; its combined plane is an image of its own."""
    plan = planned(plate, step(call("take_first"), over=(SITE, Z)))
    assert SITE not in plan.independent
    process(plan, tmp_path / "out")
    assert image_at(tmp_path / "out", 0).get_image().get_as_numpy().mean(axis=(1, 2)).tolist() == [111, 121]


def test_rows_say_where_they_come_from(plate: Path, tmp_path: Path) -> None:
    """A table's rows get plate, well, site, channel, z and t of the plane that their `plane` names."""
    process(planned(plate, step(call("number_planes"), output="means")), tmp_path / "out")
    table = pl.read_parquet(tmp_path / "out" / "tables" / "means" / "A01.parquet")
    assert table.columns == ["plate", "well", "site", "channel", "z", "t", "mean"]
    assert table.height == 12
    assert (table["mean"] == 100 * table["site"] + 10 * table["channel"] + table["z"]).all()
    assert set(table["plate"]) == {index_plate(plate).name}


def test_labels_are_kept_and_handed_on(plate: Path, tmp_path: Path) -> None:
    """Labels are stored beside their image, counted, and given to later steps at the same place of any channel."""
    segment = Step("Find", {"1": (call("segment_each"),)}, (Z,), output="halves")
    plan = planned(plate, segment, step(call("count_halves", labels="halves"), output="sizes"))
    result = process(plan, tmp_path / "out")
    assert result.objects == {"halves": 12}  # 2 objects x 2 sites x 3 z
    container = image_at(tmp_path / "out", 1)
    assert container.list_labels() == ["halves"]
    assert container.get_label("halves").get_as_numpy().shape == (3, 64, 48)
    assert container.get_image().get_as_numpy().mean() == pytest.approx(117)
    sizes = pl.read_parquet(tmp_path / "out" / "tables" / "sizes" / "A01.parquet")
    assert (sizes.height, set(sizes["pixels"])) == (12, {32 * 48})


def test_labels_outlive_a_later_projection(plate: Path, tmp_path: Path) -> None:
    """Labels of every z stay three planes deep though the image is projected afterwards."""
    segment = Step("Find", {"1": (call("segment_each"),)}, (Z,), output="halves")
    process(planned(plate, segment, step(call("project_maximum"))), tmp_path / "out")
    container = image_at(tmp_path / "out", 1)
    assert container.get_label("halves").get_as_numpy().shape == (3, 64, 48)
    assert container.get_image().get_as_numpy().shape == (2, 1, 64, 48)


def test_images_made_on_the_way_to_labels_leave_the_planes_as_they_were(plate: Path, tmp_path: Path) -> None:
    """In a step that ends in labels, an image made on the way serves the labels only."""
    segment = Step("Find", {"1": (call("normalise_percentile"), call("segment_each"))}, (Z,), output="halves")
    process(planned(plate, segment), tmp_path / "out")
    assert image_at(tmp_path / "out", 1).get_image().get_as_numpy()[0].mean(axis=(1, 2)).tolist() == [111, 112, 113]


def test_a_place_without_a_plane_is_zero_and_said_to_be(plate: Path, tmp_path: Path) -> None:
    """Where one channel is projected and another is not, the empty places are zero and named in the provenance."""
    project = Step("Project", {"1": (call("project_maximum"),)}, (Z,))
    process(planned(plate, project), tmp_path / "out")
    means = image_at(tmp_path / "out", 1).get_image().get_as_numpy().mean(axis=(2, 3))
    assert means.tolist() == [[113, 0, 0, 0], [0, 121, 122, 123]]
    filled = provenance_of(tmp_path / "out")["filled"]
    assert isinstance(filled, list)
    assert filled[:2] == ["image, site 1, channel 1, z 1", "image, site 1, channel 1, z 2"]
    assert len(filled) == 8


def test_time_points_come_together_in_one_image(plate: Path, tmp_path: Path) -> None:
    """Time points are processed one by one and stored as one image, whatever channels each has."""
    late = plate / "TimePoint_2" / "ZStep_1" / "small_A01_s1_w2.TIF"
    late.parent.mkdir(parents=True)
    tifffile.imwrite(late, np.full((64, 48), 7, np.uint16))
    steps: list[tuple[int, int, str, str]] = []
    process(planned(plate, step(call("project_maximum"), name="Project")), tmp_path / "out", steps)
    assert steps[-1] == (3, 3, "Project", "site 2, t 1, step 1 of 1")
    image = image_at(tmp_path / "out", 1).get_image()
    assert image.axes == ("t", "c", "y", "x")
    assert image.get_as_numpy().mean(axis=(2, 3)).tolist() == [[113, 123], [0, 7]]
    assert provenance_of(tmp_path / "out")["filled"] == [
        "image, site 1, t 2, channel 1",
        "image, site 2, t 2, channel 1",
        "image, site 2, t 2, channel 2",
    ]


@pytest.mark.parametrize(
    ("function", "says"),
    [
        ("not_finite", r"not_finite: 1 of 9216 pixels of the image result are not finite; expected numbers only"),
        ("halve", r"halve: result of 3 x 32 x 48; expected 3 x 64 x 48 or 64 x 48"),
        ("segment_as_floats", r"label result of type float32; expected integers"),
        ("measure_without_plane", r"without a column 'plane', of 3 planes"),
        ("uneven_columns", r"expected equally long columns"),
    ],
)
def test_an_odd_result_fails_the_well(plate: Path, tmp_path: Path, function: str, says: str) -> None:
    """A result that is not what was promised fails the well, with step, planes, and what was expected."""
    plan = planned(plate, Step("Odd", {"1": (call(function),)}, (Z,)))
    error = failure(plan, tmp_path / "out")
    assert error.step == "Odd"
    assert error.plane == "A01, site 1, channel 1, z 1, t 1 to A01, site 1, channel 1, z 3, t 1"
    with pytest.raises(WellError, match=says):
        raise error


def test_an_image_that_cannot_be_read_fails_the_well(plate: Path, tmp_path: Path) -> None:
    """A damaged file fails the well and is named; parts already done leave nothing."""
    broken = plate / "TimePoint_1" / "ZStep_2" / "small_A01_s2_w1.TIF"
    plan = planned(plate, step(call("project_maximum"), name="Project"))
    broken.write_bytes(broken.read_bytes()[:2000])
    error = failure(plan, tmp_path / "out")
    assert (error.step, error.plane) == ("Project", "A01, site 2, channel 1, z 2, t 1")
    assert error.file == "TimePoint_1/ZStep_2/small_A01_s2_w1.TIF"
    assert isinstance(error.__cause__, PlaneError)


def test_an_image_that_no_step_touches_is_read_all_the_same(plate: Path, tmp_path: Path) -> None:
    """A damaged file of a channel that passes through fails the well: it is part of the result."""
    broken = plate / "TimePoint_1" / "ZStep_2" / "small_A01_s2_w2.TIF"
    plan = planned(plate, Step("Project", {"1": (call("project_maximum"),)}, (Z,)))
    broken.write_bytes(b"")
    error = failure(plan, tmp_path / "out")
    assert (error.step, error.plane) == (None, "A01, site 2, channel 2, z 2, t 1")


def test_planes_of_different_sizes_cannot_be_stacked(plate: Path, tmp_path: Path) -> None:
    """A stack of channels needs planes of one size; the odd one is named."""
    for odd in plate.rglob("*_w2.TIF"):
        tifffile.imwrite(odd, np.zeros((32, 48), np.uint16))
    error = failure(
        planned(plate, Step("Step", (call("project_maximum"),), (CHANNEL,), group_by=None)), tmp_path / "out"
    )
    assert error.plane == "A01, site 1, channel 2, z 1, t 1"
    assert "plane of 32 x 48 among planes of 64 x 48" in str(error)


def test_provenance_tells_how_the_well_came_to_be(plate: Path, tmp_path: Path) -> None:
    """Plan, parameters, versions, files, times, warnings, machine, user and memory: all that the guide promises."""
    plan = planned(plate, step(call("project_maximum"), name="Project"))
    process(plan, tmp_path / "out")
    told = provenance_of(tmp_path / "out")
    assert told["hash"] == plan.hash
    assert told["recipe"]["versions"] == dict(plan.versions)  # type: ignore[index]
    assert told["recipe"]["steps"][0]["pattern"] == [{"function": "project_maximum", "parameters": {}}]  # type: ignore[index]
    assert told["planes"] == {str(key): file for key, file in plan.planes}
    assert told["step_seconds"].keys() == {"Project"}  # type: ignore[attr-defined]
    assert (
        datetime.fromisoformat(str(told["started"])) <= datetime.fromisoformat(str(told["ended"])) < datetime.now(UTC)
    )
    assert str(told["user"]).endswith(f"@{socket.gethostname()}")
    assert told["python"] == platform.python_version()
    assert 2**24 < told["peak_memory_bytes"] < 2**36  # type: ignore[operator]
    guide = (Path(__file__).parents[2] / "docs" / "results.md").read_text()
    assert [name for name in told if f"`{name}`" not in guide] == []


def test_labels_that_are_not_there_are_named(plate: Path, tmp_path: Path) -> None:
    """Labels made of a projection cannot be used on single z planes, and the message says where there are some."""
    segment = Step("Find", {"1": (call("project_maximum"), call("segment_each"))}, (Z,), output="halves")
    plan = planned(plate, segment, step(call("count_halves", labels="halves"), name="Measure"))
    error = failure(plan, tmp_path / "out")
    assert error.step == "Measure"
    assert "label image 'halves' does not exist at A01, site 1, channel 1, z 1, t 1" in str(error)


def test_results_that_cannot_be_written_fail_the_well(plate: Path, tmp_path: Path) -> None:
    """A results folder that cannot take a file fails the well, saying which and what to do; the well is not done."""
    plan = planned(plate, step(call("number_planes"), output="means"))
    out = tmp_path / "out"
    process(plan, out)
    shutil.rmtree(out / "tables")
    (out / "tables").touch()
    with pytest.raises(
        WellError, match=r"results cannot be written: .*/tables/means.*A file is where a folder is needed"
    ) as caught:
        process_well(plan, out, lambda *_: None)
    assert isinstance(caught.value.__cause__, StoreError)
    assert not is_done(plan, out)
