"""Patterns have one form, and planes one stack."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhcs.core.model import COMBINED, Component, FunctionCall, PlaneKey, Step
from openhcs.core.pattern import group_stacks, label_key, normalise_pattern, plain_pattern

BLUR = FunctionCall("gaussian_blur", {"sigma_px": 2})
PROJECT = FunctionCall("project_maximum")

values = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
calls = st.builds(
    FunctionCall, st.text(min_size=1, max_size=8), st.dictionaries(st.text(min_size=1, max_size=5), values, max_size=3)
)
chain_values = st.lists(calls, min_size=1, max_size=3).map(tuple)
patterns = chain_values | st.dictionaries(st.text(min_size=1, max_size=4), chain_values, min_size=1, max_size=3)
keys = st.builds(PlaneKey, st.just("A01"), *[st.integers(0, 3)] * 4)
components = st.lists(st.sampled_from(Component), unique=True, max_size=3).map(tuple)


@given(patterns)
def test_a_pattern_survives_its_plain_form(pattern):
    """What is written plainly is read back as the same pattern."""
    assert normalise_pattern(plain_pattern(pattern)) == pattern


@pytest.mark.parametrize(
    ("raw", "pattern"),
    [
        ("project_maximum", (PROJECT,)),
        (("gaussian_blur", {"sigma_px": 2}), (BLUR,)),
        (["project_maximum", {"gaussian_blur": {"sigma_px": 2}}], (PROJECT, BLUR)),
        ([("gaussian_blur", {"sigma_px": 2}), "project_maximum"], (BLUR, PROJECT)),
        ([{"project_maximum": None}], (PROJECT,)),
        ({1: "project_maximum", "DAPI": {"gaussian_blur": {"sigma_px": 2}}}, {"1": (PROJECT,), "DAPI": (BLUR,)}),
        ({"2": ["project_maximum", ("gaussian_blur", {"sigma_px": 2})]}, {"2": (PROJECT, BLUR)}),
    ],
)
def test_every_shape_of_a_pattern_is_read(raw, pattern):
    """A name, a pair, a list, a mapping from component values, and their combinations."""
    assert normalise_pattern(raw) == pattern


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ([], "an empty list"),
        ({}, "expected a mapping"),
        (None, "function: None; expected a name"),
        ("", "function: ''"),
        (3, "function: 3"),
        ([{"a": {}, "b": {}}], "expected a name, or a name with its parameters"),
        (["gaussian_blur", {"sigma_px": 2}], "parameters of sigma_px: 2; expected a mapping"),
        ([{"gaussian_blur": {"sigma_px": [1]}}], r"parameter sigma_px of gaussian_blur: \[1\]"),
        ([{"gaussian_blur": {1: 2}}], "parameter of gaussian_blur: 1; expected a name"),
        ({True: "gaussian_blur"}, "group: True; expected a number or a name"),
        ({1: "gaussian_blur", "1": "gaussian_blur"}, "group: '1' occurs twice"),
        ({"gaussian_blur": {"sigma_px": 2}}, "parameters of sigma_px: 2"),
    ],
)
def test_other_shapes_are_refused_with_what_was_expected(raw, message):
    """Nothing is guessed."""
    with pytest.raises(ValueError, match=message):
        normalise_pattern(raw)


@given(st.sets(keys), components)
def test_a_chain_gets_every_plane_once(planes, variable):
    """The stacks of a plain chain are a partition of the planes, and within one only variable components differ."""
    stacks = group_stacks(planes, Step("s", (PROJECT,), variable))
    assert sorted(key for stack in stacks for key in stack.keys) == sorted(planes)
    for stack in stacks:
        assert list(stack.keys) == sorted(stack.keys)
        for component in Component:
            found = {key.component(component) for key in stack.keys}
            expected = {COMBINED} if component in variable else found
            assert {stack.combined.component(component)} == expected
    assert len({stack.combined for stack in stacks}) == len(stacks)


@given(st.sets(keys), components.filter(lambda variable: Component.CHANNEL not in variable))
def test_a_mapping_takes_only_the_groups_it_names(planes, variable):
    """Planes of other channels are in no stack, and those of a named one get its chain."""
    step = Step("s", {"1": (PROJECT,), "2": (BLUR, PROJECT)}, variable)
    stacks = group_stacks(planes, step)
    assert {key for stack in stacks for key in stack.keys} == {key for key in planes if key.channel in (1, 2)}
    for stack in stacks:
        assert stack.calls == step.pattern[str(stack.keys[0].channel)]


def test_a_stack_of_one_plane_still_combines():
    """The projection of a single z plane is a projection."""
    key = PlaneKey("B02", 1, 2, 1, 1)
    (stack,) = group_stacks([key], Step("s", (PROJECT,), (Component.Z,)))
    assert stack.keys == (key,)
    assert stack.combined == PlaneKey("B02", 1, 2, COMBINED, 1)


@pytest.mark.parametrize("group_by", [None, Component.SITE])
def test_a_mapping_needs_a_component_that_does_not_vary(group_by):
    """Otherwise it is not decided which chain a stack gets."""
    with pytest.raises(ValueError, match="group_by"):
        group_stacks([], Step("s", {"1": (PROJECT,)}, (Component.SITE,), group_by))


def test_labels_belong_to_a_place_whatever_the_channel():
    """The label image found in one channel serves all."""
    assert label_key(PlaneKey("A01", 2, 3, 0, 1)) == PlaneKey("A01", 2, COMBINED, 0, 1)
