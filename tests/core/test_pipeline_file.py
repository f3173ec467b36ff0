"""Pipelines as files."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhcs.core.functions import catalogue
from openhcs.core.model import Component, FunctionCall, Pipeline, PlaneSource, Step
from openhcs.core.pipeline_file import (
    dump_pipeline,
    load_pipeline,
    parse_pipeline,
    pipeline_schema,
    save_pipeline,
    shipped_pipelines,
)
from openhcs.errors import PipelineError, StoreError

# YAML has no way to write lone surrogates; everything else a person can type must come back.
texts = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=12)
values = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts
calls = st.builds(FunctionCall, texts, st.dictionaries(texts, values, max_size=3))
chain_values = st.lists(calls, min_size=1, max_size=3).map(tuple)
variable = st.lists(st.sampled_from(Component), unique=True, max_size=3).map(tuple)
plain_steps = st.builds(
    Step, texts, chain_values, variable, st.none() | st.sampled_from(Component), st.none() | texts, st.booleans()
)
grouped_steps = st.builds(
    Step,
    texts,
    st.dictionaries(texts, chain_values, min_size=1, max_size=3),
    variable,
    st.sampled_from(Component),
    st.none() | texts,
    st.booleans(),
)
pipelines = st.builds(
    Pipeline,
    texts,
    st.lists(plain_steps | grouped_steps, max_size=3).map(tuple),
    st.just("") | texts,
    st.sampled_from(PlaneSource),
)


@given(pipelines)
def test_a_pipeline_survives_its_file(pipeline):
    """Whatever can be built in the editor is read back from its YAML as it was."""
    assert parse_pipeline(dump_pipeline(pipeline), "test") == pipeline


TEXT = """\
name: two channels
steps:
  - name: Project
    functions:
      - gaussian_blur: {sigma_px: 1}
      - project_maximum
    variable_components: [z]
  - name: Find
    by_channel:
      1: segment_threshold_watershed
      FITC: {segment_spots_log: {spot_sigma_px: 2}}
    output: objects
    enabled: false
"""


def test_a_file_says_what_it_means():
    """Chains, groups by channel number and name, defaults."""
    assert parse_pipeline(TEXT, "test") == Pipeline(
        "two channels",
        (
            Step(
                "Project",
                (FunctionCall("gaussian_blur", {"sigma_px": 1}), FunctionCall("project_maximum")),
                (Component.Z,),
            ),
            Step(
                "Find",
                {
                    "1": (FunctionCall("segment_threshold_watershed"),),
                    "FITC": (FunctionCall("segment_spots_log", {"spot_sigma_px": 2}),),
                },
                output="objects",
                enabled=False,
            ),
        ),
    )


def test_stacking_channels_needs_no_word_on_groups():
    """A chain over channels is grouped by nothing, since channel cannot vary and group at once."""
    pipeline = parse_pipeline(
        "name: a\nsteps: [{name: s, functions: project_mean, variable_components: [channel]}]", "test"
    )
    assert pipeline.steps[0].group_by is None


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("", "", "no keys found; expected `name:` and `steps:`"),
        ("- 1", "", "no keys found"),
        ("name: a\nsteps: [", "line 2", "expected"),
        ("name: a\nname: b\nsteps: []", "line 2", "the key name stands on line 1 already"),
        ("name: !!python/object/apply:os.system [ls]\nsteps: []", "line 1", "could not determine a constructor"),
        ("name: a", "line 1", "no key steps; expected one"),
        ("name: a\nsteps: 5", "line 2", "steps: 5; expected a list"),
        ("name: a\nstpes: []\nsteps: []", "line 2", "unknown key stpes; expected one of name,"),
        ("name: a\nplanes: both\nsteps: []", "line 2", "planes: 'both'; expected 'stack' or 'projection'"),
        ("name: a\nsteps:\n- name: s\n  functoins: f", "step s: line 4", "Did you mean functions?"),
        ("name: a\nsteps:\n- name: s", "step s: line 3", "no functions; expected one of functions, by_site"),
        (
            "name: a\nsteps:\n- {name: s, functions: f, by_z: {1: g}}",
            "step s: line 3",
            "functions and by_z; expected one",
        ),
        ("name: a\nsteps:\n- {name: s, group_by: z, by_z: {1: g}}", "step s: line 3", "which implies the former"),
        ("name: a\nsteps:\n- functions: f", "step 1: line 3", "no key name"),
        ("name: a\nsteps:\n- name: 5\n  functions: f", "step 1: line 3", "name: 5; expected text"),
        (
            "name: a\nsteps:\n- name: s\n  functions:\n  - f: 5",
            "step s: line 5",
            "parameters of f: 5; expected a mapping",
        ),
        (
            "name: a\nsteps:\n- name: s\n  by_channel:\n    on: f",
            "step s: line 5",
            "Write names such as 'on' in quotes",
        ),
        (
            "name: a\nsteps:\n- {name: s, functions: f,\n   variable_components: [x]}",
            "step s: line 4",
            "'site', 'channel'",
        ),
        ("name: a\nsteps:\n- {name: s, functions: f, variable_components: [z, z]}", "step s: line 3", "occurs twice"),
        ("name: a\nsteps:\n- {name: s, functions: f, enabled: 'yes'}", "step s: line 3", "expected true or false"),
        ("name: a\nsteps:\n- {name: s, functions: f, output: ''}", "step s: line 3", "output: ''"),
        ("name: 2001-99-99\nsteps: []", "", "month must be in 1..12"),
        ("[" * 3000, "", "nested too deeply"),
    ],
)
def test_a_fault_is_told_with_its_line_and_what_was_expected(text, place, message):
    """File, line, step, value and the right call stand in the message."""
    with pytest.raises(PipelineError) as caught:
        parse_pipeline(text, "lab/spots.yaml")
    assert "lab/spots.yaml" in str(caught.value)
    (problem,) = caught.value.problems
    assert str(problem).startswith(place)
    assert message in str(problem)


def test_all_faults_of_a_file_are_told_at_once():
    """One reading names every fault, each with its own line."""
    with pytest.raises(PipelineError) as caught:
        parse_pipeline("name: a\nsteps:\n- name: s\n  functoins: f\n- functions: g\nplanes: both", "test")
    assert [str(problem).partition(": ")[0] for problem in caught.value.problems] == ["line 6", "step s", "step 2"]


def test_a_short_text_that_unfolds_without_end_is_refused_in_no_time():
    """Nested aliases stand for a billion values; the message stays short."""
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]" for old, new in zip("abcdefgh", "bcdefghi", strict=True)]
    with pytest.raises(PipelineError) as caught:
        parse_pipeline("\n".join([*lines, "name: *i", "steps: *i"]), "test")
    assert len(str(caught.value)) < 10_000


@pytest.mark.parametrize("name", ["old.step", "old.func", "old.pkl", "OLD.STEP"])
def test_pickles_are_refused_by_name_and_never_opened(tmp_path: Path, name: str):
    """The message says that reading one runs code, and how to go on."""
    marker = tmp_path / "ran"

    class Trap:
        def __reduce__(self):
            return marker.touch, ()

    (tmp_path / name).write_bytes(pickle.dumps(Trap()))
    with pytest.raises(PipelineError, match=r"reading a pickle runs code.*Write its steps as YAML"):
        load_pipeline(tmp_path / name)
    assert not marker.exists()


def test_files_that_are_no_text_are_refused(tmp_path: Path):
    """Absent, binary, huge, and a folder: each a message with the path."""
    binary, huge = tmp_path / "a.yaml", tmp_path / "b.yaml"
    binary.write_bytes(b"\xff\xfe\x00\x01")
    huge.write_bytes(b"#" * (1 << 21))
    for path, message in (
        (tmp_path / "absent.yaml", "No such file"),
        (binary, "not UTF-8"),
        (huge, "more than 1 MiB"),
        (tmp_path, "directory"),
    ):
        with pytest.raises(PipelineError, match=message) as caught:
            load_pipeline(path)
        assert str(path) in str(caught.value)


def test_a_saved_pipeline_is_loaded_back(tmp_path: Path):
    """Saving replaces the file whole and leaves nothing else in the folder."""
    file = tmp_path / "p.yaml"
    file.write_text("old")
    pipeline = parse_pipeline(TEXT, "test")
    save_pipeline(pipeline, file)
    assert load_pipeline(file) == pipeline
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path):
    """Some editors write one."""
    file = tmp_path / "p.yaml"
    file.write_text(TEXT, encoding="utf-8-sig")
    assert load_pipeline(file).name == "two channels"


def test_a_failed_save_leaves_what_was_there(tmp_path: Path):
    """A place that cannot be written is a StoreError, and nothing is left behind."""
    folder = tmp_path / "p.yaml"
    folder.mkdir()
    (folder / "kept").touch()
    with pytest.raises(StoreError, match="expected a folder that can be written"):
        save_pipeline(Pipeline("a"), folder)
    with pytest.raises(StoreError, match="No such file"):
        save_pipeline(Pipeline("a"), tmp_path / "absent" / "p.yaml")
    assert list(tmp_path.iterdir()) == [folder]
    assert list(folder.iterdir()) == [folder / "kept"]


def test_groups_without_a_component_cannot_be_written():
    """The file has no key for them; the message names the step."""
    with pytest.raises(PipelineError, match="step s: no group_by"):
        dump_pipeline(Pipeline("a", (Step("s", {"1": (FunctionCall("f"),)}, group_by=None),)))


def test_shipped_pipelines_use_functions_of_the_catalogue():
    """Each loads under its own name, and every function in it exists."""
    shipped = shipped_pipelines()
    assert "nuclei" in shipped
    for name, file in shipped.items():
        pipeline = load_pipeline(file)
        assert pipeline.name == name
        assert pipeline.description
        for step in pipeline.steps:
            chains = step.pattern.values() if isinstance(step.pattern, dict) else [step.pattern]
            assert all(call.function in catalogue() for chain in chains for call in chain)


def test_the_guide_names_every_function():
    """docs/pipelines.md lists the catalogue, all of it and nothing else."""
    guide = (Path(__file__).parents[2] / "docs" / "pipelines.md").read_text()
    table = guide.partition("## Functions\n")[2].partition("## Functions of your own")[0]
    rows = [row.split("|") for row in table.splitlines() if row.startswith("| `")]
    listed = {name.strip(" `") for row in rows for name in row[2].split(",")}
    assert listed == set(catalogue())


def test_the_schema_describes_the_keys():
    """An editor can offer the keys of a pipeline and of a step; the schema is plain JSON."""
    schema = json.loads(json.dumps(pipeline_schema()))
    assert set(schema["properties"]) == {"name", "description", "planes", "steps"}
    assert {"functions", "by_channel", "variable_components"} <= set(schema["$defs"]["StepKeys"]["properties"])
    assert schema["additionalProperties"] is False
