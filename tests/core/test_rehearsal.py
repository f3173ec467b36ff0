"""What the steps of a pipeline make must go together; where it does not, that is told before anything runs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from openhcs.core.compiler import compile_plate
from openhcs.core.demo_plate import make_demo_plate
from openhcs.core.estimate import Estimate, estimate_plans
from openhcs.core.functions import catalogue
from openhcs.core.model import Channel, Component, Pipeline, PlaneKey, PlateIndex, Step
from openhcs.core.orchestrator import Orchestrator
from openhcs.core.pattern import normalise_pattern
from openhcs.core.pipeline_rules import step_names
from openhcs.core.plane_sizes import PlaneSizes
from openhcs.errors import PipelineError, Problem

SITE, CHANNEL, Z = Component.SITE, Component.CHANNEL, Component.Z


def plate(wells=("A01", "A02"), sites=(1, 2), channels=(1, 2), zs=(1, 2), apart_um=200.0, **changes) -> PlateIndex:
    keys = [PlaneKey(well, site, channel, z, 1) for well in wells for site in sites for channel in channels for z in zs]
    index = PlateIndex(
        root="/nowhere",
        name="plate",
        format="ImageXpress",
        rows=8,
        columns=12,
        channels=tuple(Channel(number, f"c{number}") for number in channels),
        planes=dict.fromkeys(keys, "a.tif"),
        pixel_size_um=0.5,
        positions_um={(well, site): (site * apart_um, 0.0) for well in wells for site in sites},
    )
    return replace(index, **changes)


def step(pattern, name, variable=(Z,), **rest) -> Step:
    return Step(name, normalise_pattern(pattern), variable, **rest)


PROJECT = step("project_maximum", "Project")
FIND = step({1: "segment_threshold_watershed"}, "Find", output="nuclei")
STITCH = step("stitch_sites", "Stitch", (SITE,))
MEASURE = step([{"measure_objects": {"labels": "nuclei"}}], "Measure", output="rows")


def rehearse(*steps: Step, index: PlateIndex | None = None, modules=(), sizes=((512, 512), (512, 512))) -> Estimate:
    pipeline = Pipeline("p", steps)
    known = PlaneSizes({(channel, False): size for channel, size in enumerate(sizes, start=1)})
    plans = compile_plate(index or plate(), pipeline, modules=modules)
    return estimate_plans(plans, "p", step_names(pipeline), known)


def problems_of(*steps: Step, **rest) -> tuple[Problem, ...]:
    with pytest.raises(PipelineError, match="pipeline p on plate plate: it cannot run") as caught:
        rehearse(*steps, **rest)
    return caught.value.problems


def test_what_goes_together_is_let_through():
    """Projected, stitched, found in the mosaic and measured there; or found and measured site by site."""
    assert rehearse(PROJECT, STITCH, FIND, MEASURE).memory_bytes > rehearse(PROJECT, FIND, MEASURE).memory_bytes


def test_objects_of_sites_beside_a_mosaic_are_told_at_the_step_that_finds_them():
    """They would have no image to lie beside; a run would see that only when it writes."""
    (problem,) = problems_of(PROJECT, FIND, STITCH)
    assert str(problem) == (
        "step Find: label image 'nuclei' is of site 1, and the images in the end are of all sites combined; expected "
        "images there. Find the objects after the sites are combined, or combine the images over the sites as well."
    )


def test_objects_of_sites_cannot_be_measured_in_a_mosaic():
    """The step and its parameter are named, and where there are objects."""
    (problem,) = problems_of(PROJECT, FIND, STITCH, MEASURE)
    assert (problem.well, problem.step, problem.parameter) == (None, "Measure", "labels")
    assert problem.message.startswith("label image 'nuclei' does not exist at all sites combined, all z combined, t 1")
    assert "There is: site 1, all z combined, t 1, site 2" in problem.message


def test_a_mosaic_of_one_channel_beside_a_projection_of_another_is_told():
    """Planes of one image must have one size; both sizes are named, with their channels."""
    steps = (PROJECT, step({1: "stitch_sites", 2: "project_maximum"}, "Join", (SITE,)))
    (problem,) = problems_of(*steps)
    assert "512 x 512 (channel 2) and 512 x 912 (channel 1) pixels" in problem.message
    assert rehearse(*steps, index=plate(sites=(1,))), "a mosaic of one site has the site's size"


def test_channels_of_different_sizes_are_told():
    """A camera that bins one channel: they cannot be one image, nor one stack."""
    (stored,) = problems_of(PROJECT, sizes=((512, 512), (256, 256)))
    assert "256 x 256 (channel 2) and 512 x 512 (channel 1)" in stored.message
    (stacked,) = problems_of(
        step("project_maximum", "Merge", (CHANNEL,), group_by=None), sizes=((512, 512), (256, 256))
    )
    assert stacked.step == "Merge"
    assert stacked.message.startswith("planes of 256 x 256 and of 512 x 512 pixels in one stack; expected one size")


def test_sites_that_are_combined_already_cannot_be_stitched():
    """A step that takes stage positions needs sites; the step before has taken them away."""
    combine = step("project_maximum", "Combine", (SITE,))
    assert [(p.step, "has combined them" in p.message) for p in problems_of(combine, STITCH)] == [("Stitch", True)]


def test_a_site_is_taken_once():
    """Several z in the stack of a step that takes stage positions are told, with what to do."""
    align = step({1: "align_sites"}, "Align", (SITE, Z), output="alignment")
    (problem,) = problems_of(align)
    assert "it would get 4 planes of 2 sites; expected `variable_components: [site]`" in problem.message
    assert rehearse(align, index=plate(zs=(1,)))


def test_sites_far_apart_are_told_before_their_mosaic_fills_the_memory():
    """The mosaic's size is told, and how little of it the sites cover."""
    (problem,) = problems_of(PROJECT, STITCH, index=plate(apart_um=20_000.0))
    assert problem.step == "Stitch"
    assert "a mosaic of 512 x 40512 pixels, of which the 2 sites cover under 5%" in problem.message


def test_all_wells_that_have_a_problem_are_named_in_one():
    """What is wrong with some wells names these, what is wrong with all names none."""
    index = plate(("A01", "A02", "A03", "B01"))
    alone = {key: file for key, file in index.planes.items() if key.well in ("A01", "B01") or key.channel == 1}
    (problem,) = problems_of(PROJECT, index=replace(index, planes=alone), sizes=((512, 512), (256, 256)))
    assert problem.well == "A01-B01"
    assert str(problem).startswith("wells A01-B01: the image of site 1")


def test_steps_of_the_same_name_are_told_apart():
    """Messages number them."""
    again = replace(MEASURE, name="Find", output="again")
    (problem,) = problems_of(PROJECT, FIND, STITCH, again)
    assert problem.step == "Find (number 4)"


@pytest.fixture
def own_functions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    (tmp_path / "own_functions.py").write_text(
        "from openhcs.processing.types import Image\n\n\n"
        "def brightest(image: Image) -> Image:\n    return image.max(axis=0)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "own_functions"
    catalogue.cache_clear()
    sys.modules.pop("own_functions", None)


def test_what_is_not_known_beforehand_is_left_to_the_run(own_functions: str):
    """A function of the user's that may or may not combine the stack is given the benefit of the doubt."""
    steps = (step("brightest", "Project"), FIND, STITCH)
    assert rehearse(*steps, modules=(own_functions,), index=plate(zs=(1,))).memory_bytes > 0


def test_a_plate_with_such_a_pipeline_is_not_compiled(tmp_path: Path):
    """The front ends' door refuses it, and the plate stays initialised."""
    orchestrator = Orchestrator(make_demo_plate(tmp_path / "p", wells=("B02",), z_steps=1, size_px=128).folder)
    orchestrator.initialise()
    with pytest.raises(PipelineError, match="step Find: label image 'nuclei' is of site 1"):
        orchestrator.compile(Pipeline("p", (FIND, STITCH)))
    assert orchestrator.plans == ()
