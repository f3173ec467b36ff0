"""Function patterns in one normal form, and which planes of a well form a stack.

What a pattern may look like in a pipeline file or in a call from Python:

    call     gaussian_blur                          by name, with its defaults
             {gaussian_blur: {sigma_px: 2}}         with parameters
             ("gaussian_blur", {"sigma_px": 2})     the same as a pair; a tuple, from Python only
    chain    a call, or a list of calls in order
    pattern  a chain, or a mapping from a component's value (a number, a channel's name) to chains

A mapping at the outermost level is always from component values, and inside a chain always a call: neither needs to
be guessed. Deliberately absent: whether the functions exist (`functions`, `compiler`) and calling them (`worker`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from openhcs.core.model import COMBINED, Component, FunctionCall, ParameterValue, Pattern, PlaneKey, Step
from openhcs.core.wording import show_value

__all__ = [
    "PlainCall",
    "PlainChain",
    "PlainPattern",
    "Stack",
    "group_stacks",
    "label_key",
    "normalise_chain",
    "normalise_groups",
    "normalise_pattern",
    "plain_chain",
    "plain_pattern",
    "split_parts",
]

PlainCall = str | dict[str, dict[str, ParameterValue] | None]
"""A function by name, or its name with parameters; an empty entry (None) stands for no parameters."""

PlainChain = PlainCall | list[PlainCall]
PlainPattern = PlainChain | dict[str | int, PlainChain]


@dataclass(frozen=True, slots=True)
class Stack:
    """Planes that a step's functions get as one array, in this order, and the calls to make.

    `combined` is the key of a `(Y, X)` result: the variable components are `COMBINED`, also if there is one plane only.
    """

    keys: tuple[PlaneKey, ...]
    calls: tuple[FunctionCall, ...]
    combined: PlaneKey


def group_stacks(keys: Iterable[PlaneKey], step: Step) -> tuple[Stack, ...]:
    """Sort planes into the stacks of a step, ordered by key.

    A plane whose group a mapping pattern does not name is in no stack: it passes through the step unchanged. The
    mapping's keys are component numbers; the compiler has resolved channel names to them.

    Raises:
        ValueError: the pattern is a mapping, and `group_by` is not one component that is the same all over a stack.
    """
    if isinstance(step.pattern, Mapping) and (step.group_by is None or step.group_by in step.variable_components):
        raise ValueError(
            f"step {step.name}, group_by: {step.group_by}; expected a component outside of variable_components"
        )
    together: dict[PlaneKey, list[PlaneKey]] = {}
    for key in sorted(keys):
        together.setdefault(_combine(key, step.variable_components), []).append(key)
    stacks = []
    for combined, members in sorted(together.items()):
        calls = _calls_for(members[0], step)
        if calls is not None:
            stacks.append(Stack(tuple(members), calls, combined))
    return tuple(stacks)


def split_parts(
    planes: Iterable[tuple[PlaneKey, str]], independent: Sequence[Component]
) -> list[list[dict[PlaneKey, str]]]:
    """A well's planes with their files, by site and then by time point, as far as these are independent."""

    def by(component: Component) -> Callable[[tuple[PlaneKey, str]], int]:
        return lambda plane: plane[0].component(component) if component in independent else 0

    def groups(
        planes: Iterable[tuple[PlaneKey, str]], component: Component
    ) -> Iterator[Sequence[tuple[PlaneKey, str]]]:
        for _, group in itertools.groupby(sorted(planes, key=by(component)), by(component)):
            yield tuple(group)

    return [[dict(part) for part in groups(site, Component.T)] for site in groups(planes, Component.SITE)]


def label_key(key: PlaneKey) -> PlaneKey:
    """Where a label image belongs: the place of `key`, whatever the channel."""
    return _combine(key, (Component.CHANNEL,))


def normalise_pattern(raw: object) -> Pattern:
    """Read a pattern in any of the shapes of the module's docstring.

    Raises:
        ValueError: the value has none of these shapes.
    """
    return normalise_groups(raw) if isinstance(raw, Mapping) else normalise_chain(raw)


def normalise_groups(raw: object) -> Mapping[str, tuple[FunctionCall, ...]]:
    """Read a mapping from component values to chains; the values become text."""
    if not isinstance(raw, Mapping) or not raw:
        raise ValueError(f"groups: {show_value(raw)}; expected a mapping such as `1: gaussian_blur` or `DAPI: [...]`")
    groups: dict[str, tuple[FunctionCall, ...]] = {}
    for value, chain in raw.items():
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise ValueError(
                f"group: {show_value(value)}; expected a number or a name. Write names such as 'on' in quotes."
            )
        if str(value) in groups:
            raise ValueError(f"group: {show_value(value)} occurs twice; expected each component value once")
        groups[str(value)] = normalise_chain(chain)
    return groups


def normalise_chain(raw: object) -> tuple[FunctionCall, ...]:
    """Read a call or a list of calls."""
    calls = raw if isinstance(raw, list) else [raw]
    if not calls:
        raise ValueError("functions: an empty list; expected at least one function")
    return tuple(_normalise_call(call) for call in calls)


def plain_pattern(pattern: Pattern) -> PlainPattern:
    """The shortest plain form that `normalise_pattern` reads back as the same pattern."""
    if isinstance(pattern, Mapping):
        return {
            int(value) if _is_plain_number(value) else value: plain_chain(calls) for value, calls in pattern.items()
        }
    chain = plain_chain(pattern)
    return [chain] if isinstance(chain, dict) else chain


def plain_chain(calls: tuple[FunctionCall, ...]) -> PlainChain:
    """The shortest plain form that `normalise_chain` reads back as the same calls."""
    plain: list[PlainCall] = [
        {call.function: dict(call.parameters)} if call.parameters else call.function for call in calls
    ]
    return plain[0] if len(plain) == 1 else plain


def _normalise_call(raw: object) -> FunctionCall:
    match raw:
        case FunctionCall():
            return raw
        case str() if raw:
            return FunctionCall(raw)
        case (str() as name, Mapping() as parameters) if isinstance(raw, tuple):
            return FunctionCall(name, _normalise_parameters(name, parameters))
        case Mapping() if len(raw) == 1:
            name, parameters = next(iter(raw.items()))
            if isinstance(name, str):
                return FunctionCall(name, _normalise_parameters(name, {} if parameters is None else parameters))
    raise ValueError(
        f"function: {show_value(raw)}; expected a name, or a name with its parameters, "
        "such as `gaussian_blur: {sigma_px: 2}`"
    )


def _normalise_parameters(function: str, raw: object) -> dict[str, ParameterValue]:
    if not isinstance(raw, Mapping):
        raise ValueError(f"parameters of {function}: {show_value(raw)}; expected a mapping such as `{{sigma_px: 2}}`")
    parameters: dict[str, ParameterValue] = {}
    for name, value in raw.items():
        if not isinstance(name, str):
            raise ValueError(f"parameter of {function}: {show_value(name)}; expected a name")
        if not isinstance(value, bool | int | float | str | None):
            raise ValueError(
                f"parameter {name} of {function}: {show_value(value)}; expected a number, text, true or false"
            )
        parameters[name] = value
    return parameters


def _calls_for(key: PlaneKey, step: Step) -> tuple[FunctionCall, ...] | None:
    if not isinstance(step.pattern, Mapping):
        return step.pattern
    assert step.group_by is not None, "group_stacks has checked it"
    return step.pattern.get(str(key.component(step.group_by)))


def _combine(key: PlaneKey, components: tuple[Component, ...]) -> PlaneKey:
    site, channel, z, t = (
        COMBINED if component in components else key.component(component)
        for component in (Component.SITE, Component.CHANNEL, Component.Z, Component.T)
    )
    return PlaneKey(key.well, site, channel, z, t)


def _is_plain_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and text == str(int(text))
