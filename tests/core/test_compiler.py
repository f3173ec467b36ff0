"""Plans are made for every well, or everything wrong is told."""

from __future__ import annotations

import itertools
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from openhcs.core.compiler import compile_plate, plans_from_json, plans_to_json
from openhcs.core.formats import index_plate
from openhcs.core.functions import catalogue
from openhcs.core.model import COMBINED, Channel, Component, Pipeline, PlaneKey, PlaneSource, PlateIndex, Step
from openhcs.core.pattern import normalise_pattern
from openhcs.core.pipeline_file import load_pipeline, shipped_pipelines
from openhcs.errors import PipelineError, Problem, StoreError


def plate(wells=("A01", "A02"), sites=(1, 2), channels=(1, 2), zs=(1, 2), ts=(1,), **changes) -> PlateIndex:
    keys = [PlaneKey(*parts) for parts in itertools.product(wells, sites, channels, zs, ts)]
    names = {1: "DAPI", 2: "FITC", 3: "FITC"}
    index = PlateIndex(
        root="/plates/one",
        name="one",
        format="imagexpress",
        rows=8,
        columns=12,
        channels=tuple(Channel(number, names[number]) for number in channels),
        planes={key: f"{number}.tif" for number, key in enumerate(keys)},
        pixel_size_um=0.5,
    )
    return replace(index, **changes)


def step(pattern, name="s", variable=(Component.Z,), **rest) -> Step:
    return Step(name, normalise_pattern(pattern), variable, **rest)


def pipeline(*steps: Step, planes: PlaneSource = PlaneSource.STACK) -> Pipeline:
    return Pipeline("p", steps, planes=planes)


FIND = step({1: "segment_threshold_watershed"}, "find", output="nuclei")
MEASURE = step([{"measure_objects": {"labels": "nuclei"}}], "measure")


def problems_of(*steps: Step, index: PlateIndex | None = None, **arguments) -> list[Problem]:
    with pytest.raises(PipelineError) as caught:
        compile_plate(index or plate(), pipeline(*steps), **arguments)
    return list(caught.value.problems)


def test_a_plan_holds_everything_a_well_needs():
    """Its planes in order, the enabled steps with every parameter, channel names as numbers, names of outputs."""
    first, second = compile_plate(
        plate(),
        pipeline(
            step("gaussian_blur", enabled=False),
            step({"DAPI": [{"segment_threshold_watershed": {"smoothing_px": 2}}]}, "find"),
            step([{"measure_objects": {"labels": "segment_threshold_watershed"}}], "measure", output="cells"),
        ),
    )
    assert (first.well, second.well) == ("A01", "A02")
    assert (first.root, first.plate, first.pixel_size_um) == ("/plates/one", "one", 0.5)
    assert [key for key, _ in first.planes] == sorted(key for key in plate().planes if key.well == "A01")
    find, measure = first.steps
    (call,) = find.pattern["1"]
    assert call.parameters == {
        "smoothing_px": 2.0,
        "minimum_contrast": 4.0,
        "minimum_area_px": 40,
        "seed_distance_px": 5,
    }
    assert type(call.parameters["smoothing_px"]) is float
    assert find.output == "segment_threshold_watershed"
    assert measure.output == "cells"
    assert set(first.versions) == {"openhcs", "numpy", "scipy", "scikit-image"}


def test_wells_are_planned_in_row_major_order():
    """Asked for or not, B02 comes before B10, and AA01 after Z01; a well asked for twice is planned once."""
    wells = ("AA01", "B10", "Z01", "B02")
    index = plate(wells)
    assert [plan.well for plan in compile_plate(index, pipeline(FIND))] == ["B02", "B10", "Z01", "AA01"]
    assert [plan.well for plan in compile_plate(index, pipeline(FIND), ["Z01", "B10", "Z01"])] == ["B10", "Z01"]


@pytest.mark.parametrize(
    ("variables", "independent"),
    [
        ([(Component.Z,)], (Component.SITE, Component.T)),
        ([(Component.Z,), (Component.SITE,)], (Component.T,)),
        ([(Component.SITE,), (Component.T, Component.Z)], ()),
    ],
)
def test_what_no_step_combines_is_independent(variables, independent):
    """Sites and times that never meet in a stack can be taken one after the other."""
    steps = [step("gaussian_blur", f"s{number}", variable) for number, variable in enumerate(variables)]
    assert compile_plate(plate(), pipeline(*steps))[0].independent == independent


def test_projections_and_planes_are_kept_apart():
    """A pipeline starts from one kind: z planes, or what the microscope projected."""
    index = plate(zs=(COMBINED, 1, 2))
    stack = compile_plate(index, pipeline(FIND))[0]
    assert {key.z for key, _ in stack.planes} == {1, 2}
    projection = compile_plate(index, pipeline(FIND, planes=PlaneSource.PROJECTION))[0]
    assert {key.z for key, _ in projection.planes} == {COMBINED}


def test_equal_work_has_an_equal_hash_wherever_the_plate_lies():
    """The folder may move; nothing else may change."""
    plans = compile_plate(plate(), pipeline(FIND))
    assert plans == compile_plate(plate(), pipeline(FIND))
    moved = compile_plate(plate(root="/elsewhere/one"), pipeline(FIND))
    assert [plan.hash for plan in moved] == [plan.hash for plan in plans]
    assert len({plan.hash for plan in plans}) == 2
    assert len(plans[0].hash) == 64


@pytest.mark.parametrize(
    "other",
    [
        lambda: compile_plate(plate(pixel_size_um=0.6), pipeline(FIND)),
        lambda: compile_plate(plate(zs=(1, 2, 3)), pipeline(FIND)),
        lambda: compile_plate(plate(), pipeline(replace(FIND, output="cells"))),
        lambda: compile_plate(plate(), pipeline(replace(FIND, variable_components=(Component.SITE,)))),
        lambda: compile_plate(plate(), pipeline(FIND, MEASURE)),
        lambda: compile_plate(
            plate(),
            pipeline(step({1: [{"segment_threshold_watershed": {"smoothing_px": 9}}]}, "find", output="nuclei")),
        ),
    ],
)
def test_other_work_has_another_hash(other):
    """A change of the plate's facts, of any step or parameter is another plan."""
    assert other()[0].hash != compile_plate(plate(), pipeline(FIND))[0].hash


def test_writing_a_default_out_is_the_same_work():
    """The hash is taken when all parameters are filled in."""
    explicit = step({1: [{"segment_threshold_watershed": {"minimum_contrast": 4}}]}, "find", output="nuclei")
    assert compile_plate(plate(), pipeline(explicit)) == compile_plate(plate(), pipeline(FIND))


def test_plans_survive_the_trip_to_the_runner():
    """JSON there and back gives equal plans, floats still floats, and hashes unchanged."""
    plans = compile_plate(plate(), pipeline(FIND, MEASURE, step("clip_intensity", "clip")))
    back = plans_from_json(plans_to_json(plans))
    assert back == plans
    parameters = back[0].steps[0].pattern["1"][0].parameters
    assert [type(value) for value in parameters.values()] == [float, float, int, int]


def test_text_that_holds_no_plans_is_refused():
    """The message says what was expected."""
    with pytest.raises(StoreError, match="expected plans"):
        plans_from_json('[{"well": 1}]')


@pytest.mark.parametrize(
    ("broken", "parameter", "message"),
    [
        (
            step("gausian_blur"),
            None,
            "no function gausian_blur; expected one of the catalogue. Did you mean gaussian_blur?",
        ),
        (
            step([{"gaussian_blur": {"sigma": 1}}]),
            "sigma",
            "no such parameter of gaussian_blur; expected one of sigma_px.",
        ),
        (step([{"project_mean": {"axis": 0}}]), "axis", "no such parameter of project_mean; expected none."),
        (step([{"gaussian_blur": {"sigma_px": -1}}]), "sigma_px", "-1; expected a number from 0 to 1000"),
        (step([{"gaussian_blur": {"sigma_px": "wide"}}]), "sigma_px", "'wide'; expected a number from 0 to 1000"),
        (step("count_objects"), "labels", "count_objects needs it; expected the name of a label image"),
        (MEASURE, "labels", "no label image nuclei; expected a step before this one that finds objects."),
        (step({"DAPI ": "gaussian_blur"}), None, "expected one of 1, 2, DAPI, FITC. Did you mean DAPI?"),
        (step({7: "gaussian_blur"}), None, "no channel 7 on this plate; expected one of 1, 2, DAPI, FITC."),
        (step({3: "gaussian_blur"}, group_by=Component.SITE), None, "no site 3 on this plate; expected one of 1, 2."),
        (step({1: "gaussian_blur", "DAPI": "gaussian_blur"}), None, "channel DAPI is named twice"),
        (step({1: "gaussian_blur"}, group_by=None), None, "no group_by; expected one"),
        (step("gaussian_blur", group_by=Component.Z), None, "group_by is z, which is among variable_components"),
        (step("gaussian_blur", output="x"), None, "output x: no function here writes labels or a table"),
        (replace(FIND, output="a/b"), None, "output 'a/b'; expected up to 64 letters"),
        (step("segment_threshold_watershed"), None, "objects of channels 1, 2 would be kept under one name"),
        (
            step({1: "segment_threshold_watershed", 2: "segment_spots_log"}, output="x"),
            None,
            "objects of channels 1, 2 would be kept under one name",
        ),
        (
            step({1: ["segment_threshold_watershed", "measure_image"]}),
            None,
            "segment_threshold_watershed and measure_image write an output each",
        ),
        (
            step({1: "segment_threshold_watershed", 2: "measure_image"}, output="x"),
            None,
            "measure_image and segment_threshold_watershed write under one name",
        ),
    ],
)
def test_a_fault_of_a_step_is_told_once_with_its_place(broken, parameter, message):
    """Step, parameter, value and what was expected; not once for every well."""
    (problem,) = problems_of(broken)
    assert (problem.step, problem.parameter, problem.well) == (broken.name, parameter, None)
    assert message in problem.message


def test_everything_wrong_is_told_at_once():
    """Steps and wells, each fault once, in one error."""
    problems = problems_of(
        step([{"gaussian_blur": {"sigma_px": -1, "sigm": 2}}, "blur"], "first"),
        step({"GFP": "gaussian_blur"}, "second"),
        MEASURE,
        wells=["A01", "H12"],
    )
    assert [(problem.well, problem.step, problem.parameter) for problem in problems] == [
        ("H12", None, None),
        (None, "first", "sigm"),
        (None, "first", "sigma_px"),
        (None, "first", None),
        (None, "second", None),
        (None, "measure", "labels"),
    ]


def test_steps_of_one_name_are_told_apart():
    """Where names repeat, the message adds the position."""
    (problem,) = problems_of(step("gaussian_blur"), step("no_such"))
    assert problem.step == "s (number 2)"


def test_labels_are_known_only_after_the_step_that_writes_them():
    """Too late, or in a disabled step, is not there; the message says which step it was."""
    (late,) = problems_of(MEASURE, FIND)
    assert "Step find writes nuclei, but not as a label image before this step." in late.message
    (disabled,) = problems_of(replace(FIND, enabled=False), MEASURE)
    assert "Step find, which writes nuclei, is disabled." in disabled.message
    (misspelt,) = problems_of(FIND, step([{"measure_objects": {"labels": "nucle"}}], "measure"))
    assert "expected one of nuclei. Did you mean nuclei?" in misspelt.message


def test_an_output_has_one_kind_and_tables_one_writer():
    """Label images may be refined under their name; anything else would hide what was there."""
    refine = step({1: [{"remove_border_labels": {"labels": "nuclei"}}]}, "refine", output="nuclei")
    assert len(compile_plate(plate(), pipeline(FIND, refine, MEASURE))) == 2
    (kinds,) = problems_of(FIND, replace(MEASURE, output="nuclei"))
    assert "step find writes a label image of that name" in kinds.message
    (twice,) = problems_of(FIND, MEASURE, replace(MEASURE, name="again"))
    assert "step measure writes that table already" in twice.message


def test_one_name_for_two_channels_is_no_name():
    """Channels 2 and 3 are both called FITC: a number is asked for."""
    (problem,) = problems_of(step({"FITC": "gaussian_blur"}), index=plate(channels=(1, 2, 3)))
    assert "several channels have that name; expected a number" in problem.message


def test_without_an_enabled_step_there_is_nothing_to_run():
    """An empty pipeline, or one whose steps are all disabled."""
    for steps in ((), (replace(FIND, enabled=False),)):
        (problem,) = problems_of(*steps)
        assert problem.message == "no step is enabled; expected at least one"


def test_an_unknown_well_is_told_with_those_there_are():
    """The nearest names are suggested, a long list is shortened."""
    (problem,) = problems_of(FIND, wells=["A03"])
    assert (problem.well, problem.message) == (
        "A03",
        "no such well; expected one of A01, A02. Did you mean A02 or A01?",
    )
    (problem,) = problems_of(FIND, index=plate([f"A{n:02}" for n in range(1, 25)]), wells=["Q99"])
    assert "A10, ... A24 (24 in all)" in problem.message
    (problem,) = problems_of(FIND, wells=[])
    assert "no well was asked for" in problem.message


def test_planes_of_the_other_kind_only_are_told():
    """Once for a whole plate, by well where some have what is wanted."""
    (problem,) = problems_of(FIND, index=plate(zs=(COMBINED,)))
    assert (problem.well, problem.message) == (
        None,
        "only projections are stored; expected z planes. Set `planes: projection` in the pipeline.",
    )
    mixed = {**plate(["A01"]).planes, **plate(["A02"], zs=(COMBINED,)).planes}
    (problem,) = problems_of(FIND, index=plate(planes=mixed))
    assert problem.well == "A02"


def test_an_empty_plate_is_told():
    """There is nothing to plan."""
    problems = problems_of(step("gaussian_blur"), index=plate(planes={}))
    assert "no image planes" in problems[0].message


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module of the user's that needs the pixel size."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "lab_scale.py").write_text(
        "from openhcs.processing.types import Image, PixelSizeUm\n"
        "def scale(image: Image, *, pixel_size_um: PixelSizeUm) -> Image:\n    return image * pixel_size_um\n"
    )
    yield tmp_path
    sys.modules.pop("lab_scale", None)
    catalogue.cache_clear()


def test_functions_of_the_users_need_their_module(lab: Path):
    """Without it the name is unknown; with it the plan names the module and a digest of its source."""
    scale = step("scale")
    assert "no function scale" in problems_of(scale)[0].message
    (plan, _) = compile_plate(plate(), pipeline(scale), modules=["lab_scale"])
    assert plan.modules == ("lab_scale",)
    source = lab / "lab_scale.py"
    source.write_text(source.read_text() + "# changed\n")
    (changed, _) = compile_plate(plate(), pipeline(scale), modules=["lab_scale"])
    assert changed.versions["lab_scale"] != plan.versions["lab_scale"]
    assert changed.hash != plan.hash


def test_a_function_that_needs_the_pixel_size_gets_a_plate_that_has_one(lab: Path):
    """Where the metadata is silent this is told before the run, not by the first well."""
    (problem,) = problems_of(step("scale"), index=plate(pixel_size_um=None), modules=["lab_scale"])
    assert "scale needs the pixel size" in problem.message


def test_a_module_that_cannot_be_imported_is_told():
    """As a problem like any other."""
    (problem,) = problems_of(FIND, modules=["no_such_lab"])
    assert "no_such_lab" in problem.message


def test_the_shipped_pipeline_fits_any_plate():
    """One plane or many, one channel or three, a known pixel size or none."""
    nuclei = load_pipeline(shipped_pipelines()["nuclei"])
    for index in (
        plate(sites=(1,), channels=(1,), zs=(1,), pixel_size_um=None),
        plate(channels=(1, 2, 3), zs=(1, 2, 3), ts=(1, 2)),
    ):
        assert compile_plate(index, nuclei)[0].independent == (Component.SITE, Component.T)


@pytest.mark.parametrize("name", ["cells", "quality", "spots", "stitching"])
def test_the_examples_fit_a_plate_of_two_channels(name: str):
    """Each can be run as it is."""
    example = load_pipeline(Path(__file__).parents[2] / "examples" / f"{name}.yaml")
    assert example.name == name
    positions = {(well, site): (site, 0.0) for well in ("A01", "A02") for site in (1, 2)}
    assert len(compile_plate(plate(positions_um=positions), example)) == 2


@pytest.mark.parametrize("name", ["9987_Plate_3434", "9987_Plate_3435", "9987_Plate_3420", "SingleChannel"])
def test_the_shipped_pipeline_compiles_on_real_plates(plates_folder: Path, name: str):
    """Every well of the plate gets a plan."""
    index = index_plate(plates_folder / "imagexpress" / name)
    plans = compile_plate(index, load_pipeline(shipped_pipelines()["nuclei"]))
    assert [plan.well for plan in plans] == list(index.wells)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            {"normalise_percentile": {"low_percent": 50, "high_percent": 20}},
            "50; expected less than high_percent, which",
        ),
        ({"normalise_percentile": {"low_percent": 99.8}}, "99.8; expected less than high_percent, which is 99.8"),
        ({"clip_intensity": {"low": 5, "high": 2}}, "5; expected at most high, which is 2"),
        ({"difference_of_gaussians": {"low_sigma_px": 9}}, "9; expected less than high_sigma_px, which is 8"),
    ],
)
def test_parameters_that_need_an_order_are_compared(call, said):
    """Every well would fail by them; equal ones only where that makes no sense, and none that is not set."""
    (problem,) = problems_of(step([call], "stretch"))
    assert (problem.step, problem.parameter) == ("stretch", next(iter(next(iter(call.values())))))
    assert problem.message.startswith(said)
    compile_plate(
        plate(), pipeline(step([{"clip_intensity": {"low": 5}}]), step([{"clip_intensity": {"low": 2, "high": 2}}]))
    )


def test_a_wrong_channel_is_told_once():
    """That its objects would share a name with another's is no second problem."""
    found = problems_of(step({"DAPPI": "segment_threshold_watershed", 9: "segment_threshold_watershed"}, "find"))
    assert [problem.message.split(" on")[0] for problem in found] == ["no channel DAPPI", "no channel 9"]


def test_wells_that_share_a_problem_are_named_together():
    """One problem for all wells that have it, as people write them."""
    index = plate(("A01", "A02", "A03", "B01"), zs=(1,))
    mixed = {
        key if key.well in ("A01", "B01") else replace(key, z=COMBINED): file for key, file in index.planes.items()
    }
    (problem,) = problems_of(FIND, index=replace(index, planes=mixed))
    assert problem.well == "A02-A03"
    assert str(problem).startswith("wells A02-A03: only projections are stored; expected z planes.")
