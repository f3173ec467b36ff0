"""A step while it is edited."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from openhcs.core.functions import Function, catalogue
from openhcs.core.model import Channel, Component, FunctionCall, ParameterValue, Step
from openhcs.core.parameters import REQUIRED, Parameter, ParameterKind
from openhcs.core.wording import value_text
from openhcs.processing.types import Bounds
from openhcs.tui.editors.step_draft import StepDraft, parse_value

CHANNELS = (Channel(1, "DAPI"), Channel(2, "FITC"), Channel(3, "FITC"))


@pytest.fixture(scope="module")
def functions() -> Mapping[str, Function]:
    return catalogue()


def _draft(functions: Mapping[str, Function], step: Step) -> StepDraft:
    return StepDraft(step, functions, CHANNELS, ["nuclei", "cells"])


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (ParameterKind.INT, " 7 ", 7),
        (ParameterKind.FLOAT, "2", 2.0),
        (ParameterKind.FLOAT, "1e1", 10.0),
        (ParameterKind.TEXT, " as it is ", " as it is "),
        (ParameterKind.LABELS, "nuclei", "nuclei"),
    ],
)
def test_a_value_is_read(kind: ParameterKind, text: str, value: ParameterValue) -> None:
    """Text becomes a value of the parameter's kind."""
    assert parse_value(Parameter("p", kind, REQUIRED), text) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (ParameterKind.INT, "2.5"),
        (ParameterKind.INT, ""),
        (ParameterKind.INT, "99"),
        (ParameterKind.FLOAT, "nan"),
        (ParameterKind.FLOAT, "inf"),
        (ParameterKind.FLOAT, "1,5"),
        (ParameterKind.LABELS, " "),
    ],
)
def test_a_wrong_value_says_what_was_expected(kind: ParameterKind, text: str) -> None:
    """Text that is no such value, or beyond the bounds, is refused in words."""
    parameter = Parameter("p", kind, REQUIRED, Bounds(0, 10))
    with pytest.raises(ValueError, match=r"^expected "):
        parse_value(parameter, text)


@pytest.mark.parametrize("value", [None, True, 3, 2.5, 1e-7, 0.1 + 0.2, 99.8])
def test_a_value_reads_back_as_it_was_written(value: ParameterValue) -> None:
    """Showing a value and reading it again changes nothing, to the last digit."""
    kind = ParameterKind.INT if isinstance(value, int) else ParameterKind.FLOAT
    if not isinstance(value, bool):
        assert parse_value(Parameter("p", kind, REQUIRED, optional=True), value_text(value)) == value


def test_a_step_comes_back_as_it_went_in(functions: Mapping[str, Function]) -> None:
    """A draft nobody touched is the step it was made from, and not changed."""
    step = Step(
        "s",
        {"DAPI": (FunctionCall("gaussian_blur", {"sigma_px": 1.0}),), "2": (FunctionCall("project_maximum"),)},
        (Component.SITE, Component.Z),
        output="out",
        enabled=False,
    )
    draft = _draft(functions, step)
    assert draft.step() == step
    assert not draft.is_changed
    assert draft.problems == ()


def test_defaults_are_not_written_down(functions: Mapping[str, Function]) -> None:
    """A parameter set to its default is left out, unless the pipeline said it before; a reset takes it out."""
    draft = _draft(functions, Step("s", (FunctionCall("gaussian_blur"),)))
    call = draft.chain[0]
    sigma = functions["gaussian_blur"].parameters[0]
    call.type_text(sigma, "1")
    assert not draft.is_changed
    call.type_text(sigma, "4")
    assert draft.step().pattern == (FunctionCall("gaussian_blur", {"sigma_px": 4.0}),)
    call.reset(sigma)
    assert draft.step().pattern == (FunctionCall("gaussian_blur"),)


def test_an_unfinished_text_is_kept_and_told(functions: Mapping[str, Function]) -> None:
    """A text that is no value yet stays in the field, counts as a change and keeps the step from being taken."""
    draft = _draft(functions, Step("s", (FunctionCall("gaussian_blur"),)))
    call = draft.chain[0]
    sigma = functions["gaussian_blur"].parameters[0]
    call.type_text(sigma, "-")
    assert call.text(sigma) == "-"
    assert draft.is_changed
    assert draft.problems == ("gaussian_blur, sigma_px: expected a number from 0 to 1000",)
    for text, told in (("2,5", "expected a decimal point: 2.5"), ("5,000,0", "expected a number from 0 to 1000")):
        call.type_text(sigma, text)
        assert call.problem(sigma) == told


def test_every_fault_of_a_pipeline_file_is_told(functions: Mapping[str, Function]) -> None:
    """An unknown function, a misspelt parameter and a value out of bounds are all told, and none is lost."""
    pattern = (FunctionCall("nope", {"a": 1}), FunctionCall("gaussian_blur", {"sigma": 1, "sigma_px": -1}))
    draft = _draft(functions, Step("s", pattern))
    assert len(draft.problems) == 3
    assert draft.step().pattern == pattern


def test_a_needed_label_image_is_the_latest(functions: Mapping[str, Function]) -> None:
    """A function that needs a label image gets the one written last, as a proposal."""
    draft = _draft(functions, Step("s", ()))
    draft.chain.append(draft.new_call(functions["measure_objects"]))
    assert draft.step().pattern == (FunctionCall("measure_objects", {"labels": "cells"}),)


def test_channels_get_functions_of_their_own(functions: Mapping[str, Function]) -> None:
    """Splitting takes the chain along for the first channel; a channel without functions has no entry."""
    draft = _draft(functions, Step("s", (FunctionCall("gaussian_blur"),)))
    draft.split_by_group(True)
    assert draft.entries == ("DAPI", "2", "3")  # two channels are called FITC: their numbers tell them apart
    draft.entry = "2"
    assert draft.chain == []
    assert draft.step().pattern == {"DAPI": (FunctionCall("gaussian_blur"),)}
    draft.chain.append(draft.new_call(functions["project_mean"]))
    assert draft.step().pattern == {
        "DAPI": (FunctionCall("gaussian_blur"),),
        "2": (FunctionCall("project_mean"),),
    }


def test_entries_must_fit_what_groups(functions: Mapping[str, Function]) -> None:
    """Functions that differ need a component to differ by, outside of the stack, with values that component has."""
    draft = _draft(functions, Step("s", {"DAPI": (FunctionCall("gaussian_blur"),)}))

    def problem(group_by: Component | None, stack: set[Component]) -> str | None:
        draft.group_by, draft.variable_components = group_by, stack
        return draft.group_problem

    assert problem(Component.CHANNEL, {Component.SITE}) is None
    assert problem(None, {Component.SITE}) == "expected something to group by, as functions differ"
    assert problem(Component.Z, {Component.SITE}) == "'DAPI' is no number of a z"
    assert str(problem(Component.CHANNEL, {Component.CHANNEL})).startswith("a stack holds every channel")


def test_a_step_needs_a_name_and_a_function(functions: Mapping[str, Function]) -> None:
    """Without a name or a function there is no step."""
    draft = _draft(functions, Step(" ", ()))
    assert draft.problems == ("expected a name", "no function; expected at least one")
