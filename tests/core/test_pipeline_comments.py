"""Pipelines written in the words of the text they came from."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openhcs.core.model import Component, FunctionCall, Pipeline, PlaneSource, Step
from openhcs.core.pipeline_comments import has_comments, keep_comments
from openhcs.core.pipeline_file import dump_pipeline, load_pipeline, parse_pipeline, shipped_pipelines

WRITTEN = """\
# Of the screen in May; ask Ada before changing it.
name: "spots"      # as on the poster
planes: stack
steps:
  # The camera's offset first,
  # as in the manual.
  - name: Flatten
    functions: subtract_background_gaussian   # 50 px is enough
    enabled: true
    variable_components: [z]

  # Then one plane.
  - name: Project
    functions:
      - gaussian_blur: {sigma_px: 1}   # less is noisy
      - project_maximum
    variable_components: [z]
  # Objects in DAPI only.
  - name: Find
    by_channel:
      DAPI: segment_threshold_watershed
      # GFP is for the spots
      GFP:
        - segment_spots_log: {contrast: 5}
    variable_components: [z]
    output: nuclei
# The end.
"""


def written() -> Pipeline:
    return parse_pipeline(WRITTEN, "test")


def with_steps(*steps: Step) -> Pipeline:
    return replace(written(), steps=steps)


def kept(pipeline: Pipeline, like: str = WRITTEN) -> str:
    text = keep_comments(pipeline, like)
    assert text is not None
    assert parse_pipeline(text, "test") == pipeline
    return text


def test_the_same_pipeline_is_the_same_text() -> None:
    """What has not changed is written letter by letter as it was."""
    assert kept(written()) == WRITTEN


def test_steps_take_the_comments_above_them_along() -> None:
    """A step that moves takes its comments with it, a deleted one takes them away, and the others stay as they were."""
    flatten, project, find = written().steps
    moved = kept(with_steps(find, flatten, project))
    order = [line for line in moved.splitlines() if line.strip().startswith(("#", "- name"))]
    assert order == [
        "# Of the screen in May; ask Ada before changing it.",
        "  # Objects in DAPI only.",
        "  - name: Find",
        "      # GFP is for the spots",
        "  # The camera's offset first,",
        "  # as in the manual.",
        "  - name: Flatten",
        "  # Then one plane.",
        "  - name: Project",
        "# The end.",
    ]
    without = kept(with_steps(flatten, find))
    assert "Then one plane" not in without
    assert "functions: subtract_background_gaussian   # 50 px is enough\n    enabled: true\n" in without


def test_a_changed_step_keeps_the_comments_of_what_still_holds() -> None:
    """Only the line of a changed parameter is another; comments within the step stay, in their columns."""
    flatten, project, find = written().steps
    blurred = replace(
        project, pattern=(FunctionCall("gaussian_blur", {"sigma_px": 2.5}), FunctionCall("project_maximum"))
    )
    text = kept(with_steps(flatten, blurred, replace(find, enabled=False)))
    assert "      - gaussian_blur: {sigma_px: 2.5} # less is noisy\n" in text
    assert "      # GFP is for the spots\n" in text
    assert "    enabled: false\n" in text
    assert "  # Then one plane.\n  - name: Project\n" in text


def test_new_steps_and_renamed_ones_find_their_place() -> None:
    """A new step is written as the program writes it, in the indentation of the others; a renamed one stays."""
    flatten, project, find = written().steps
    new = Step("Sharpen", (FunctionCall("median_filter"),), (Component.Z,))
    text = kept(with_steps(replace(flatten, name="Even out"), new, project, find))
    assert "  # as in the manual.\n  - name: Even out\n" in text
    assert "  - name: Sharpen\n    functions: median_filter\n    variable_components: [z]\n" in text
    assert "# 50 px is enough" in text


def test_the_keys_beside_the_steps_keep_theirs() -> None:
    """Name, description and planes change where they stand, before or behind the steps."""
    text = kept(replace(written(), name="dots", planes=PlaneSource.PROJECTION, description="Now with dots."))
    assert text.startswith("# Of the screen in May; ask Ada before changing it.\n")
    assert "# as on the poster" in text
    behind = "steps:\n- name: a\n  functions: median_filter\nname: x # here\n"
    text = kept(replace(parse_pipeline(behind, "test"), name="y"), behind)
    assert text == "steps:\n- name: a\n  functions: median_filter\nname: y # here\n"


def test_a_pipeline_may_lose_all_its_steps_and_get_new_ones() -> None:
    """Without steps the comments beside them stay, and a step can come again."""
    empty = kept(with_steps())
    assert "steps: []\n# The end.\n" in empty
    again = kept(with_steps(Step("New", (FunctionCall("median_filter"),))), empty)
    assert "# The end.\n" in again


@pytest.mark.parametrize(
    "like", ["", "name: [", "name: x\nsteps: [{name: a, functions: median_filter}]  # all in one line\n"]
)
def test_what_cannot_be_kept_is_told(like: str) -> None:
    """Text that is no pipeline, or has its steps in one line, cannot be followed."""
    assert keep_comments(written(), like) is None


def test_comments_are_seen() -> None:
    """Whether something would be lost can be asked."""
    assert has_comments(WRITTEN)
    assert not has_comments(dump_pipeline(written()))


STEPS = st.builds(
    Step,
    name=st.text("ab #:'", min_size=1, max_size=4).filter(str.strip),
    pattern=st.one_of(
        st.lists(
            st.builds(
                FunctionCall,
                st.sampled_from(["gaussian_blur", "median_filter"]),
                st.dictionaries(st.sampled_from(["sigma_px", "x"]), st.one_of(st.integers(0, 3), st.text(max_size=3))),
            ),
            min_size=1,
            max_size=2,
        ).map(tuple),
        st.dictionaries(
            st.sampled_from(["1", "DAPI"]), st.just((FunctionCall("median_filter"),)), min_size=1, max_size=2
        ),
    ),
    variable_components=st.just((Component.Z,)),
    output=st.one_of(st.none(), st.just("nuclei")),
    enabled=st.booleans(),
)
PIPELINES = st.builds(Pipeline, st.just("p"), st.lists(STEPS, max_size=4).map(tuple), st.text("a\n# ", max_size=6))


@settings(deadline=None)
@given(before=PIPELINES, after=PIPELINES)
def test_whatever_is_kept_says_the_same(before: Pipeline, after: Pipeline) -> None:
    """A text in the words of another pipeline's reads back as the pipeline it was written for."""
    text = keep_comments(after, dump_pipeline(before))
    assert text is None or parse_pipeline(text, "test") == after


def test_shipped_pipelines_can_be_followed() -> None:
    """A change of any shipped pipeline keeps all other lines of its file."""
    for file in shipped_pipelines().values():
        pipeline, lines = load_pipeline(file), file.read_text(encoding="utf-8").splitlines()
        changed = replace(pipeline, steps=(replace(pipeline.steps[0], enabled=False), *pipeline.steps[1:]))
        assert [line for line in kept(changed, file.read_text(encoding="utf-8")).splitlines() if line not in lines] == [
            "    enabled: false"
        ]
