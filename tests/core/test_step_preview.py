"""Trying a step on one site of a well."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from openhcs.core.demo_plate import make_demo_plate
from openhcs.core.formats import index_plate
from openhcs.core.model import Component, FunctionCall, Pipeline, PlateIndex, Step
from openhcs.core.pipeline_file import load_pipeline, shipped_pipelines
from openhcs.core.rasters import WHOLE
from openhcs.core.step_preview import PreviewDesk, plan_preview
from openhcs.errors import PipelineError, RunError, WellError

SIZE = (16, 16)

ILL = '''\
import time
from openhcs.processing.types import Image

def wait_for_ever(image: Image) -> Image:
    """Wait."""
    print("not among the answers")
    time.sleep(600)
    return image

def fail(image: Image) -> Image:
    """Fail."""
    raise ValueError("no such luck")

def vanish(image: Image) -> Image:
    """End the process."""
    import os
    os._exit(3)
'''


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> PlateIndex:
    """A plate of two wells with two sites, two channels and three z planes."""
    folder = tmp_path_factory.mktemp("plates") / "demo"
    return index_plate(make_demo_plate(folder, wells=("B02", "B03"), size_px=128).folder)


@pytest.fixture(scope="module")
def desk() -> Iterator[PreviewDesk]:
    """One desk for all tests: starting its process takes a second."""
    with PreviewDesk() as desk:
        yield desk


def nuclei() -> Pipeline:
    return load_pipeline(shipped_pipelines()["nuclei"])


def test_a_step_is_tried_on_one_site(index: PlateIndex, desk: PreviewDesk) -> None:
    """The images before and after the step are there, of that site alone, with objects, rows and the step's seconds."""
    told: list[str] = []
    planned = plan_preview(index, nuclei(), 2, "B03", 2)
    preview = desk.carry_out(planned, lambda number, count, name: told.append(name))
    assert told == [
        "Subtract background", "Project maximum", "Subtract background", "Project maximum", "Find nuclei",
    ]  # fmt: skip
    assert preview.before.sites == preview.after.sites == (2,)
    assert preview.before.labels == ()
    assert preview.after.labels == ("nuclei",)
    assert preview.objects["nuclei"] > 0
    assert preview.seconds > 0
    labels = preview.after.label_picture("nuclei", 2, 1, 1, WHOLE, SIZE)
    assert labels is not None
    assert labels.any()


def test_the_first_step_begins_with_what_the_microscope_wrote(index: PlateIndex, desk: PreviewDesk) -> None:
    """Before the first step stand the plate's own planes."""
    preview = desk.carry_out(plan_preview(index, nuclei(), 0, "B02", 1))
    assert preview.before.z_planes == preview.after.z_planes == (1, 2, 3)
    before = preview.before.picture(1, 1, 1, 1, WHOLE, SIZE)
    after = preview.after.picture(1, 1, 1, 1, WHOLE, SIZE)
    assert after.mean() < before.mean()


def test_only_what_has_changed_is_made_again(index: PlateIndex, desk: PreviewDesk) -> None:
    """A step tried again with another parameter takes what comes before it as it is; the same takes everything so."""
    told: list[str] = []

    def try_(pipeline: Pipeline) -> int:
        told.clear()
        planned = plan_preview(index, pipeline, 2, "B02", 1)
        return desk.carry_out(planned, lambda number, count, name: told.append(name)).objects["nuclei"]

    first = try_(nuclei())
    assert try_(nuclei()) == first
    assert told == []
    find = nuclei().steps[2]
    strict = replace(
        find, pattern={"1": (FunctionCall("segment_threshold_watershed", {"minimum_area_px": 4000}),)}, enabled=False
    )
    changed = replace(nuclei(), steps=(*nuclei().steps[:2], strict, *nuclei().steps[3:]))
    assert try_(changed) < first
    assert told == ["Subtract background", "Project maximum", "Find nuclei"]


def test_steps_that_need_all_sites_get_them(index: PlateIndex) -> None:
    """A step that makes one image of the sites is tried on all of them, at one time point."""
    one = Step("Project", (FunctionCall("project_maximum"),), (Component.Z,))
    planned = plan_preview(index, Pipeline("p", (one,)), 0, "B02", 1)
    assert {key.site for key, _ in planned.after.planes} == {1}
    together = replace(one, variable_components=(Component.SITE,))
    planned = plan_preview(index, Pipeline("p", (together,)), 0, "B02", 1)
    assert planned.takes_all_sites
    assert {key.site for key, _ in planned.after.planes} == {1, 2}


def test_a_pipeline_that_does_not_fit_is_told_before_anything_runs(index: PlateIndex) -> None:
    """What the compiler finds is raised with its place."""
    wrong = Pipeline("p", (Step("Blur", (FunctionCall("gaussian_blurr"),)),))
    with pytest.raises(PipelineError, match="gaussian_blur"):
        plan_preview(index, wrong, 0, "B02", 1)


@pytest.fixture
def own_functions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module of the user's, with functions that do not end well."""
    (tmp_path / "ill_functions.py").write_text(ILL, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    return "ill_functions"


def test_what_goes_wrong_is_told(index: PlateIndex, own_functions: str) -> None:
    """A function that fails is named with its error; a process that goes away is told, and the next preview works."""
    with PreviewDesk() as desk:

        def try_(function: str) -> None:
            steps = (Step("Mine", (FunctionCall(function),), (Component.Z,)),)
            desk.carry_out(plan_preview(index, Pipeline("p", steps), 0, "B02", 1, (own_functions,)))

        with pytest.raises(WellError, match="no such luck"):
            try_("fail")
        with pytest.raises(RunError, match="code 3"):
            try_("vanish")
        try_("median_filter")


def test_a_preview_can_be_stopped_at_any_moment(
    index: PlateIndex, own_functions: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopping kills the process while a function works; closing leaves neither a process nor a file behind."""
    temporary = tmp_path_factory.mktemp("t")
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    children = {child.pid for child in psutil.Process().children()}
    desk, begun, stopped, ends = PreviewDesk(), threading.Event(), threading.Event(), list[BaseException]()
    steps = (Step("Mine", (FunctionCall("wait_for_ever"),), (Component.Z,)),)
    planned = plan_preview(index, Pipeline("p", steps), 0, "B02", 1, (own_functions,))

    def work() -> None:
        try:
            desk.carry_out(planned, lambda *_: begun.set(), stopped)
        except RunError as error:
            ends.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert begun.wait(30)
    (new,) = {child.pid for child in psutil.Process().children()} - children
    stopped.set()
    desk.stop()
    thread.join(20)
    assert not thread.is_alive()
    assert "it was stopped" in str(ends[0])
    desk.close()
    assert not psutil.pid_exists(new)
    assert not list(temporary.iterdir())
