"""A processing function in words: what it does, its parameters with defaults and bounds, and how a pipeline names it.

`openhcs functions` prints this, and docs/reference/functions.md is made of it. Everything comes from the signature and
the docstring of the function, by `openhcs.core.functions`.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import docstring_parser

from openhcs.core.functions import Function
from openhcs.core.model import ParameterValue
from openhcs.core.parameters import REQUIRED, Parameter, ParameterKind
from openhcs.processing.types import Role

__all__ = ["FunctionWords", "default_words", "function_text", "functions_text"]

WIDTH: Final = 100
_RESULTS: Final = {Role.IMAGE: "an image", Role.LABELS: "a label image", Role.TABLE: "a table"}


@dataclass(frozen=True, slots=True)
class FunctionWords:
    """What the docstring of a function says, a text for each paragraph."""

    takes: str
    gives: str
    paragraphs: tuple[str, ...]
    returns: str

    @classmethod
    def of(cls, function: Function) -> FunctionWords:
        """Read the docstring of a function."""
        known = docstring_parser.parse(function.help)
        texts = [known.short_description or "", *(known.long_description or "").split("\n\n")]
        gives = "an image of the well" if function.resizes else _RESULTS[function.returns]
        if function.returns is Role.IMAGE and function.combines:
            gives = "one plane of the stack"
        needed = ["stage positions"] if function.takes_positions else []
        needed += ["the pixel size"] if function.needs_pixel_size else []
        needed += ["a sample of the plate"] if function.estimate else []
        return cls(
            takes=", ".join(needed),
            gives=gives,
            paragraphs=tuple(" ".join(text.split()) for text in texts if text.strip()),
            returns=" ".join(((known.returns.description if known.returns else "") or "").split()),
        )


def functions_text(functions: Mapping[str, Function]) -> str:
    """The catalogue by subject, a line for each function."""
    width = max(map(len, functions))
    parts = []
    for category, members in groupby(functions.values(), key=lambda function: function.category):
        lines = [f"  {function.name:<{width}}  {function.summary}" for function in members]
        parts.append("\n".join([category, *lines]))
    return "\n\n".join(parts) + "\n"


def function_text(function: Function) -> str:
    """One function: what it does, its parameters, and a step to put into a pipeline."""
    words = FunctionWords.of(function)
    lines = [f"{function.name}, of {function.module}", f"  gives {words.gives}"]
    lines += [f"  takes {words.takes}"] if words.takes else []
    for paragraph in words.paragraphs:
        lines += ["", *textwrap.wrap(paragraph, WIDTH)]
    if words.returns:
        lines += ["", *textwrap.wrap(f"Returns: {words.returns}", WIDTH)]
    if function.parameters:
        lines += ["", "parameters"]
        for parameter in function.parameters:
            lines += _parameter_lines(parameter)
    lines += ["", "in a pipeline", *(f"  {line}" for line in _step_lines(function))]
    return "\n".join(lines) + "\n"


def default_words(parameter: Parameter) -> str:
    """The default of a parameter as a pipeline file has it, or `needed`."""
    return "needed" if parameter.default is REQUIRED else _yaml(parameter.default)


def _parameter_lines(parameter: Parameter) -> Iterator[str]:
    default = default_words(parameter)
    yield f"  {parameter.name}: {parameter.expected}; {default if default == 'needed' else f'default {default}'}"
    yield from textwrap.wrap(parameter.help, WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6)


def _step_lines(function: Function) -> Iterator[str]:
    """A step with the defaults; what has none stands there as a name to be replaced."""
    values = {parameter.name: _example(parameter) for parameter in function.parameters}
    given = "{" + ", ".join(f"{name}: {value}" for name, value in values.items()) + "}"
    yield f"- name: {function.name.replace('_', ' ').capitalize()}"
    yield "  functions:"
    yield f"    - {function.name}: {given}" if values else f"    - {function.name}"
    yield f"  variable_components: [{'site' if function.takes_positions else 'z'}]"


def _example(parameter: Parameter) -> str:
    if parameter.default is not REQUIRED:
        return _yaml(parameter.default)
    match parameter.kind:
        case ParameterKind.LABELS:
            return "nuclei"
        case ParameterKind.TABLE:
            return "alignment"
        case ParameterKind.CHOICE:
            return parameter.choices[0]
        case _:
            low = parameter.bounds.low if parameter.bounds else None
            return f"{low or 0:g}"


def _yaml(value: ParameterValue) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case float() | int():
            return f"{value:g}"
        case _:
            return value
