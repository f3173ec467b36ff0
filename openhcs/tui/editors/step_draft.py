"""A step while it is edited: what may be wrong or unfinished, until `step` makes it a `Step` again.

Plain state without widgets. A chain that is empty means that its group passes through unchanged, so there is no entry
to add or remove: an entry of the pattern is there when it has a function.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from openhcs.core.model import Channel, Component, FunctionCall, ParameterValue, Step
from openhcs.core.parameters import REQUIRED, Parameter, ParameterKind
from openhcs.core.wording import NOTHING, value_text

if TYPE_CHECKING:
    from openhcs.core.functions import Function

__all__ = ["CallDraft", "StepDraft", "parse_value"]


def parse_value(parameter: Parameter, text: str) -> ParameterValue:
    """The value that `text` says, checked.

    Raises:
        ValueError: it is none of this parameter; the message says what was expected.
    """
    if parameter.optional and text.strip().casefold() in ("", NOTHING):
        return None
    value: ParameterValue = text if parameter.kind is ParameterKind.TEXT else text.strip()
    try:
        if parameter.kind is ParameterKind.INT:
            value = int(text)
        elif parameter.kind is ParameterKind.FLOAT:
            value = float(text)
    except ValueError:
        raise ValueError(_expected_of(parameter, text)) from None
    try:
        return parameter.check(value)
    except ValueError:
        raise ValueError(f"expected {parameter.expected}") from None


def _expected_of(parameter: Parameter, text: str) -> str:
    """What was expected in place of `text`: of a number with a comma, as many people write them, the point."""
    pointed = text.strip().replace(",", ".")
    if parameter.kind is ParameterKind.FLOAT and pointed != text.strip():
        try:
            parameter.check(float(pointed))
        except ValueError:
            pass  # the point would not do either
        else:
            return f"expected a decimal point: {pointed}"
    return f"expected {parameter.expected}"


@dataclass(slots=True, eq=False)
class CallDraft:
    """One call of a chain. `parameters` are those the user set; `texts` those whose text is not a value (yet)."""

    name: str
    function: Function | None
    parameters: dict[str, ParameterValue] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)

    def text(self, parameter: Parameter) -> str:
        """What stands in the field of `parameter`."""
        if parameter.name in self.texts:
            return self.texts[parameter.name]
        if parameter.name in self.parameters:
            return value_text(self.parameters[parameter.name])
        return "" if parameter.default is REQUIRED else value_text(parameter.default)

    def value(self, parameter: Parameter) -> ParameterValue:
        """The value set, or the default; None where there is neither."""
        default = None if parameter.default is REQUIRED else parameter.default
        return self.parameters.get(parameter.name, default)

    def type_text(self, parameter: Parameter, text: str) -> None:
        """Take what was typed as the value of `parameter`, or keep it as an unfinished text."""
        try:
            value = parse_value(parameter, text)
        except ValueError:
            self.texts[parameter.name] = text
        else:
            self.set(parameter, value)

    def set(self, parameter: Parameter, value: ParameterValue) -> None:
        """Set a parameter to a value of its kind. The default need not be said unless it was said before."""
        self.texts.pop(parameter.name, None)
        if parameter.name in self.parameters or value != parameter.default:
            self.parameters[parameter.name] = value

    def reset(self, parameter: Parameter) -> None:
        """Give `parameter` its default back."""
        self.texts.pop(parameter.name, None)
        self.parameters.pop(parameter.name, None)

    def problem(self, parameter: Parameter) -> str | None:
        """What is wrong with the value of `parameter` now."""
        if parameter.name in self.texts:
            return _expected_of(parameter, self.texts[parameter.name])
        if parameter.name not in self.parameters:
            return f"expected {parameter.expected}" if parameter.default is REQUIRED else None
        try:
            parameter.check(self.parameters[parameter.name])
        except ValueError:
            return f"expected {parameter.expected}"
        return None

    @property
    def strays(self) -> tuple[str, ...]:
        """Parameters that the function does not have."""
        function = self.function
        return () if function is None else tuple(name for name in self.parameters if function.parameter(name) is None)

    @property
    def problems(self) -> tuple[str, ...]:
        """Everything wrong with this call."""
        if self.function is None:
            return (f"{self.name}: no such function; expected one of the catalogue",)
        found = [f"{self.name} has no parameter {name}" for name in self.strays]
        for parameter in self.function.parameters:
            problem = self.problem(parameter)
            if problem is not None:
                found.append(f"{self.name}, {parameter.name}: {problem}")
        return tuple(found)

    def call(self) -> FunctionCall:
        """The call as a pipeline holds it."""
        return FunctionCall(self.name, dict(self.parameters))


class StepDraft:
    """A step being edited, with one chain for all groups or one for each entry in `entries`."""

    def __init__(
        self,
        step: Step,
        functions: Mapping[str, Function],
        channels: Sequence[Channel],
        labels: Sequence[str],
        tables: Sequence[str] = (),
    ) -> None:
        self.original = step
        self.functions = functions
        self.labels = tuple(labels)
        self.tables = tuple(tables)
        self.name = step.name
        self.enabled = step.enabled
        self.variable_components = set(step.variable_components)
        self.group_by = step.group_by
        self.output = step.output or ""
        self._channels = tuple(channels)
        self.by_group = isinstance(step.pattern, Mapping)
        self._shared: list[CallDraft] = []
        self._of_group: dict[str, list[CallDraft]] = {}
        if isinstance(step.pattern, Mapping):
            self._of_group = {key: self._chain(calls) for key, calls in step.pattern.items()}
        else:
            self._shared = self._chain(step.pattern)
        entries = self.entries
        self.entry = next(iter(self._of_group), entries[0] if entries else "1")
        self._before = self.snapshot()

    def _chain(self, calls: Sequence[FunctionCall]) -> list[CallDraft]:
        return [self._call(call) for call in calls]

    def _call(self, call: FunctionCall) -> CallDraft:
        """A draft of `call`; a label image that it needs and does not name is the one written last."""
        draft = CallDraft(call.function, self.functions.get(call.function), dict(call.parameters))
        for parameter in draft.function.parameters if draft.function is not None else ():
            if parameter.kind is ParameterKind.LABELS and parameter.default is REQUIRED and self.labels:
                draft.parameters.setdefault(parameter.name, self.labels[-1])
        return draft

    @property
    def entries(self) -> tuple[str, ...]:
        """The groups that may have a chain of their own: those that have, and every channel of the plate."""
        found = list(self._of_group)
        if self.group_by is Component.CHANNEL:
            for channel in self._channels:
                if not any(self._is_channel(key, channel) for key in found):
                    found.append(self._key(channel))
        return tuple(found)

    def _is_channel(self, key: str, channel: Channel) -> bool:
        return key in (str(channel.number), channel.name)

    def _key(self, channel: Channel) -> str:
        """A channel's name where it tells the channel apart, else its number."""
        alike = sum(other.name == channel.name for other in self._channels)
        usable = channel.name and alike == 1 and not channel.name.isdecimal()
        return channel.name if usable else str(channel.number)

    def add_entry(self, key: str) -> None:
        """Go to the group `key`, which may have a chain of its own from now on."""
        self.entry = key
        self._of_group.setdefault(key, [])

    def remove_entry(self) -> None:
        """Take the functions of the group being edited away; it passes through then. Go to the next that has any."""
        self._of_group.pop(self.entry, None)
        entries = self.entries
        self.entry = next(iter(self._of_group), entries[0] if entries else "1")

    def function_count(self, key: str) -> int:
        """How many functions the group `key` has."""
        return len(self._of_group.get(key, ()))

    def entry_text(self, key: str) -> str:
        """An entry as people read it: a channel with its number and name."""
        channel = next((channel for channel in self._channels if self._is_channel(key, channel)), None)
        if self.group_by is Component.CHANNEL and channel is not None:
            key = f"{channel.number} {channel.name}".strip()
        return key

    @property
    def chain(self) -> list[CallDraft]:
        """The chain being edited."""
        if not self.by_group:
            return self._shared
        return self._of_group.setdefault(self.entry, [])

    def split_by_group(self, by_group: bool) -> None:
        """Go from one chain for all to one for each group, or back; a chain is taken along rather than lost."""
        if by_group == self.by_group:
            return
        self.by_group = by_group
        if by_group and not any(self._of_group.values()):
            entries = self.entries
            self.entry = entries[0] if entries else "1"
            self._of_group[self.entry] = self._shared
        elif not by_group and not self._shared:
            self._shared = next((chain for chain in self._of_group.values() if chain), [])

    def new_call(self, function: Function) -> CallDraft:
        """A call of `function` with its defaults."""
        return self._call(FunctionCall(function.name))

    def _chains(self) -> Iterator[tuple[str | None, list[CallDraft]]]:
        if self.by_group:
            yield from ((key, chain) for key, chain in self._of_group.items() if chain)
        else:
            yield None, self._shared

    @property
    def name_problem(self) -> str | None:
        """What is wrong with the step's name."""
        return None if self.name.strip() else "expected a name"

    @property
    def group_problem(self) -> str | None:
        """Why the entries do not fit what the step groups by."""
        if not self.by_group:
            return None
        if self.group_by is None:
            return "expected something to group by, as functions differ"
        if self.group_by in self.variable_components:
            return f"a stack holds every {self.group_by}: take it out of the stack, or group by something else"
        keys = [key for key, chain in self._of_group.items() if chain]
        if self.group_by is not Component.CHANNEL:
            odd = [key for key in keys if not key.isdecimal() or int(key) < 1]
            return f"{odd[0]!r} is no number of a {self.group_by}" if odd else None
        return None

    @property
    def problems(self) -> tuple[str, ...]:
        """Everything that keeps this from being a step, in the order of the form."""
        found = [problem for problem in (self.name_problem, self.group_problem) if problem is not None]
        found += [self.output_problem] if self.output_problem is not None else []
        chains = list(self._chains())
        if not any(chain for _, chain in chains):
            found.append("no function; expected at least one")
        for key, chain in chains:
            place = "" if key is None else f"{self.entry_text(key)}: "
            found += [place + problem for call in chain for problem in call.problems]
        return tuple(found)

    @property
    def output_problem(self) -> str | None:
        """What is wrong with the name of the output."""
        if any(letter in self.output for letter in "/\\") or not self.output.isprintable():
            return "expected a name without / or \\"
        return None

    @property
    def default_output(self) -> str | None:
        """The name the output has where none is given; None where no function writes one."""
        calls = [call for _, chain in self._chains() for call in chain]
        writers = [call.function for call in calls if call.function is not None and call.function.writes_output]
        return writers[-1].default_output if writers else None

    def step(self) -> Step:
        """The step as it is now; meaningful where there are no `problems`."""
        groups = {key: tuple(call.call() for call in chain) for key, chain in self._of_group.items() if chain}
        return Step(
            name=self.name.strip(),
            pattern=groups if self.by_group else tuple(call.call() for call in self._shared),
            variable_components=tuple(part for part in Component if part in self.variable_components),
            group_by=self.group_by,
            output=self.output.strip() or None,
            enabled=self.enabled,
        )

    def snapshot(self) -> tuple[object, ...]:
        """A value that is equal as long as nothing is edited, unfinished texts included."""
        texts = tuple(tuple(call.texts.items()) for _, chain in self._chains() for call in chain)
        return self.step(), texts

    @property
    def is_changed(self) -> bool:
        """Whether anything differs from the step it began as."""
        return self.snapshot() != self._before
