"""The rules a pipeline's steps must keep on a given plate, and the steps made whole by them.

A step made whole names every parameter with its value, calls channels by number, and says what its output is called.
Every broken rule is a `Problem`; none stops the search for the next. Imported by `compiler` alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from openhcs.core.functions import Function, catalogue
from openhcs.core.model import (
    COMBINED,
    Component,
    FunctionCall,
    ParameterValue,
    Pipeline,
    PlaneSource,
    PlateIndex,
    Step,
)
from openhcs.core.parameters import REQUIRED, Parameter, ParameterKind
from openhcs.core.wording import did_you_mean
from openhcs.errors import PipelineError, Problem
from openhcs.processing.types import Role

__all__ = ["check_steps", "step_names"]

_OUTPUT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
"""Output names become names of folders and files."""

_KIND = {Role.LABELS: "a label image", Role.TABLE: "a table"}

_Chain = tuple[FunctionCall, ...]


def check_steps(
    index: PlateIndex, pipeline: Pipeline, modules: tuple[str, ...] = ()
) -> tuple[tuple[Step, ...], frozenset[str], list[Problem]]:
    """The enabled steps made whole, the plate's own label images that they take, and everything wrong with them."""
    try:
        functions = catalogue(modules)
    except PipelineError as error:
        return (), frozenset(), [Problem(str(error))]
    check = _Check(index, pipeline, functions, _component_values(index, pipeline.planes))
    steps = tuple(check.step(place, step) for place, step in _places(pipeline) if step.enabled)
    if not steps:
        check.problems.append(Problem("no step is enabled; expected at least one"))
    return steps, frozenset(check.taken), list(dict.fromkeys(check.problems))


def step_names(pipeline: Pipeline) -> tuple[str, ...]:
    """What messages call each enabled step: its name, with its number where the name is not unique."""
    return tuple(place for place, step in _places(pipeline) if step.enabled)


@dataclass
class _Check:
    """One walk over the steps, in order; it remembers what earlier steps wrote and combined."""

    index: PlateIndex
    pipeline: Pipeline
    functions: Mapping[str, Function]
    values: Mapping[Component, set[int]]
    problems: list[Problem] = field(default_factory=list)
    written: dict[str, tuple[Role, str]] = field(default_factory=dict)
    """What has been written so far: its kind and the step, by name."""
    taken: set[str] = field(default_factory=set)
    """Label images of the plate itself that some step takes."""

    def step(self, place: str, step: Step) -> Step:
        if step.group_by is not None and step.group_by in step.variable_components:
            self._report(
                f"group_by is {step.group_by}, which is among variable_components; expected another component or none",
                place,
            )
        pattern: _Chain | dict[str, _Chain]
        if isinstance(step.pattern, Mapping):
            pattern = self._groups(place, step, step.pattern)
            chains = pattern
        else:
            pattern = self._chain(place, step, step.pattern)
            chains = {"": pattern}
        output = self._output(place, step, chains)
        for component in step.variable_components:
            self.values[component].add(COMBINED)
        return replace(step, pattern=pattern, output=output)

    def _groups(self, place: str, step: Step, groups: Mapping[str, _Chain]) -> dict[str, _Chain]:
        if step.group_by is None:
            self._report("no group_by; expected one, since the functions differ from group to group", place)
            return {key: self._chain(place, step, calls) for key, calls in groups.items()}
        resolved: dict[str, _Chain] = {}
        for key, calls in groups.items():
            number = self._component_number(place, step.group_by, key)
            chain = self._chain(place, step, calls)
            if number in resolved:
                self._report(f"{step.group_by} {key} is named twice, by number and by name; expected once", place)
            resolved[number] = chain
        return resolved

    def _component_number(self, place: str, component: Component, key: str) -> str:
        existing = self.values[component]
        if key.isascii() and key.isdigit() and int(key) in existing:
            return str(int(key))
        names: dict[str, list[int]] = {}
        if component is Component.CHANNEL:
            for channel in self.index.channels:
                if channel.number in existing:
                    names.setdefault(channel.name, []).append(channel.number)
        match names.get(key, []):
            case [number]:
                return str(number)
            case [_, _, *_]:
                self._report(f"channel {key}: several channels have that name; expected a number", place)
            case _:
                known = ", ".join([*(str(value) for value in sorted(existing)), *names])
                self._report(
                    f"no {component} {key} on this plate; expected one of {known}.{did_you_mean(key, names)}", place
                )
        return key

    def _chain(self, place: str, step: Step, calls: _Chain) -> _Chain:
        return tuple(self._call(place, step, call) for call in calls)

    def _call(self, place: str, step: Step, call: FunctionCall) -> FunctionCall:
        function = self.functions.get(call.function)
        if function is None:
            hint = did_you_mean(call.function, self.functions)
            self._report(f"no function {call.function}; expected one of the catalogue.{hint}", place)
            return call
        if function.takes_positions and Component.SITE not in step.variable_components:
            self._report(f"{function.name} takes the sites together; expected `variable_components: [site]`", place)
        elif function.resizes and (more := [c for c in step.variable_components if c is not Component.SITE]):
            self._report(
                f"{function.name} takes the sites alone, not each {' and '.join(more)} with them; expected "
                "`variable_components: [site]`. Project or combine the others in a step before",
                place,
            )
        if function.needs_pixel_size and self.index.pixel_size_um is None:
            self._report(f"{function.name} needs the pixel size; expected a plate whose metadata tells it", place)
        known = [parameter.name for parameter in function.parameters]
        for name in call.parameters:
            if name not in known:
                expected = f"one of {', '.join(known)}" if known else "none"
                self._report(
                    f"no such parameter of {function.name}; expected {expected}.{did_you_mean(name, known)}",
                    place,
                    name,
                )
        parameters = {
            parameter.name: self._value(place, function, parameter, call.parameters)
            for parameter in function.parameters
        }
        self._expect_increasing(place, function, parameters)
        return FunctionCall(function.name, parameters)

    def _expect_increasing(self, place: str, function: Function, parameters: Mapping[str, ParameterValue]) -> None:
        for rule in function.increasing:
            low, high = parameters.get(rule.low), parameters.get(rule.high)
            if not isinstance(low, int | float) or not isinstance(high, int | float):
                continue
            if low > high or (low == high and not rule.or_equal):
                less = "at most" if rule.or_equal else "less than"
                self._report(f"{low:g}; expected {less} {rule.high}, which is {high:g}", place, rule.low)

    def _value(
        self, place: str, function: Function, parameter: Parameter, given: Mapping[str, ParameterValue]
    ) -> ParameterValue:
        value = given.get(parameter.name, parameter.default)
        if value is REQUIRED:
            self._report(f"{function.name} needs it; expected {parameter.expected}", place, parameter.name)
            return None
        try:
            value = parameter.check(value)
        except ValueError as error:
            self._report(str(error).removeprefix(f"{parameter.name}: "), place, parameter.name)
            return None
        if parameter.kind is ParameterKind.LABELS and isinstance(value, str):
            self._expect_labels(place, parameter.name, value)
        if parameter.kind is ParameterKind.TABLE and isinstance(value, str):
            self._expect_table(place, parameter.name, value)
        return value

    def _expect_labels(self, place: str, parameter: str, name: str) -> None:
        known = [written for written, (role, _) in self.written.items() if role is Role.LABELS]
        if name in self.index.labels:
            self.taken.add(name)  # also where a step writes it anew: that may be for some of its planes only
        if name in known or name in self.index.labels:
            return
        known += self.index.labels
        writer = next((step for step in self.pipeline.steps if step.output == name), None)
        if writer is None:
            hint = did_you_mean(name, known)
        elif not writer.enabled:
            hint = f" Step {writer.name}, which writes {name}, is disabled."
        else:
            hint = f" Step {writer.name} writes {name}, but not as a label image before this step."
        expected = f"one of {', '.join(known)}" if known else "a step before this one that finds objects"
        self._report(f"no label image {name}; expected {expected}.{hint}", place, parameter)

    def _expect_table(self, place: str, parameter: str, name: str) -> None:
        known = [written for written, (role, _) in self.written.items() if role is Role.TABLE]
        if name not in known:
            expected = f"one of {', '.join(known)}" if known else "a step before this one that writes a table"
            self._report(f"no table {name}; expected {expected}.{did_you_mean(name, known)}", place, parameter)

    def _output(self, place: str, step: Step, chains: Mapping[str, _Chain]) -> str | None:
        """The name of what the step writes, noted as written; None where it changes images only."""
        writers = {
            group: [
                function for call in chain if (function := self.functions.get(call.function)) and function.writes_output
            ]
            for group, chain in chains.items()
        }
        for found in writers.values():
            if len(found) > 1:
                names = " and ".join(function.name for function in found)
                self._report(f"{names} write an output each; expected one in a step. Make steps of them.", place)
        first = {group: found[0] for group, found in writers.items() if found}
        if not first:
            # An unknown function may be the writer; it has been reported already.
            if step.output is not None and all(
                call.function in self.functions for chain in chains.values() for call in chain
            ):
                self._report(
                    f"output {step.output}: no function here writes labels or a table; expected none. Remove it.", place
                )
            return step.output
        roles = {function.returns for function in first.values()}
        defaults = {function.default_output for function in first.values()}
        if len(roles) > 1 or (step.output is None and len(defaults) > 1):
            self._report(f"{' and '.join(sorted(defaults))} write under one name; expected steps of their own", place)
            return step.output
        role = roles.pop()
        if role is Role.LABELS:
            self._expect_one_channel(place, step, list(first))
        name = step.output or defaults.pop()
        self._note(place, name, role)
        return name

    def _expect_one_channel(self, place: str, step: Step, groups: list[str]) -> None:
        """Label images belong to a place whatever the channel: those of two channels would replace each other."""
        channels = self.values[Component.CHANNEL]
        if Component.CHANNEL in step.variable_components or COMBINED in channels:
            return
        if isinstance(step.pattern, Mapping) and step.group_by is Component.CHANNEL:
            found = sorted(groups)
            if not all(group.isdecimal() and int(group) in channels for group in found):
                return  # told already
        else:
            found = [str(channel) for channel in sorted(channels)]
        if len(found) > 1:
            self._report(
                f"objects of channels {', '.join(found)} would be kept under one name; expected one channel. "
                f"Name it: `by_channel: {{{found[0]}: ...}}`.",
                place,
            )

    def _note(self, place: str, name: str, role: Role) -> None:
        if not _OUTPUT_NAME.fullmatch(name):
            self._report(f"output {name!r}; expected up to 64 letters, digits, - and _", place)
        known, step = self.written.get(name, (role, ""))
        if known is not role:
            self._report(f"output {name}: step {step} writes {_KIND[known]} of that name; expected another name", place)
        elif name in self.written and role is Role.TABLE:
            self._report(f"output {name}: step {step} writes that table already; expected another name", place)
        self.written.setdefault(name, (role, place))

    def _report(self, message: str, place: str, parameter: str | None = None) -> None:
        self.problems.append(Problem(message, step=place, parameter=parameter))


def _places(pipeline: Pipeline) -> list[tuple[str, Step]]:
    """Each step with the name that messages call it by, which adds its number where the name is not unique."""
    names = [step.name for step in pipeline.steps]
    return [
        (step.name if names.count(step.name) == 1 else f"{step.name} (number {number})", step)
        for number, step in enumerate(pipeline.steps, start=1)
    ]


def _component_values(index: PlateIndex, source: PlaneSource) -> dict[Component, set[int]]:
    """Which values of each component the planes have that the pipeline starts from."""
    planes = [key for key in index.planes if (key.z == COMBINED) == (source is PlaneSource.PROJECTION)]
    # Without any plane of that kind, which is told elsewhere, the others still say which channels exist.
    return {component: {key.component(component) for key in planes or index.planes} for component in Component}
