"""How a pipeline's steps read in the list and in the details."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.formatted_text import fragment_list_to_text
from prompt_toolkit.utils import get_cwidth

from openhcs.core.model import Component, FunctionCall, Pipeline, Step
from openhcs.tui.panes import pipeline_text
from openhcs.tui.panes.help import help_lines
from openhcs.tui.widgets.bindings import Binding
from openhcs.tui.workbench import EditedPipeline

CHAIN = Step("Blur", (FunctionCall("gaussian_blur", {"sigma_px": 2.0, "fast": True, "mask": None}),), (Component.Z,))
MAPPING = Step(
    "Find",
    {"1": (FunctionCall("normalise"), FunctionCall("segment")), "GFP": (FunctionCall("threshold"),)},
    (Component.SITE, Component.Z),
    output="nuclei",
    enabled=False,
)


def test_a_pattern_is_summed_up_in_one_line() -> None:
    """A chain lists its functions, a mapping each group's."""
    assert pipeline_text.function_summary(CHAIN.pattern) == "gaussian_blur"
    assert pipeline_text.function_summary(MAPPING.pattern) == "1: normalise, segment | GFP: threshold"
    assert pipeline_text.function_summary(()) == "nothing"


def test_a_step_that_is_off_is_told_without_colour() -> None:
    """The mark is empty for a disabled step."""
    assert "2 [x] Blur" in fragment_list_to_text(pipeline_text.step_fragments(2, CHAIN, 60, 6))
    assert "3 [ ] Find" in fragment_list_to_text(pipeline_text.step_fragments(3, MAPPING, 60, 6))


@given(st.sampled_from([CHAIN, MAPPING]), st.integers(12, 120), st.integers(4, 60))
def test_a_steps_line_is_never_wider_than_its_list(step: Step, width: int, name_width: int) -> None:
    """Names and functions are cut to the room there is."""
    assert get_cwidth(fragment_list_to_text(pipeline_text.step_fragments(1, step, width, name_width))) <= width


def test_the_details_show_parameters_and_how_planes_are_fed() -> None:
    """Every parameter that was set, what is stacked, what is grouped, what is written."""
    assert fragment_list_to_text(pipeline_text.step_detail(CHAIN, 60)).splitlines() == [
        "gaussian_blur",
        "  sigma_px = 2",
        "  fast = true",
        "  mask = none",
        "stacks z; groups by channel",
    ]
    detail = fragment_list_to_text(pipeline_text.step_detail(MAPPING, 80))
    for part in ("Off", "channel 1", "channel GFP", "  threshold", "stacks site, z", "writes nuclei"):
        assert part in detail


def test_the_title_says_whether_the_pipeline_is_saved() -> None:
    """Unsaved changes are in the title."""
    saved = EditedPipeline(Pipeline("nuclei"), Path("n.yaml"), Pipeline("nuclei"))
    edited = EditedPipeline(Pipeline("nuclei", (CHAIN,)), Path("n.yaml"), Pipeline("nuclei"))
    assert pipeline_text.pipeline_title(saved) == "Pipeline nuclei"
    assert pipeline_text.pipeline_title(edited) == "Unsaved pipeline nuclei"


def test_help_aligns_the_descriptions_of_all_groups() -> None:
    """One line for a row, keys in one column over all groups, the legend at the end."""
    rows = [Binding(("a",), lambda: None, "Add", "Add it."), Binding(("c-n", "s-up"), lambda: None, "New", "Begin.")]
    lines = help_lines([("Here", rows[:1]), ("Everywhere", rows[1:])])
    assert lines[:2] == ["Here", "  a                 Add it."]
    assert "  Ctrl-N, Shift-Up  Begin." in lines
    assert any(line.split() == ["✓", "finished"] for line in lines)
