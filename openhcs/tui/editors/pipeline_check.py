"""What is wrong with a pipeline that was written as text, each fault with its line.

The steps are held against the catalogue as the step editor does; what depends on a plate is the compiler's to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from openhcs.core.functions import Function
from openhcs.core.model import Pipeline, Step
from openhcs.core.pipeline_file import parse_pipeline
from openhcs.core.wording import did_you_mean, value_text
from openhcs.core.yaml_text import YamlText
from openhcs.errors import PipelineError, Problem
from openhcs.tui.editors.step_draft import CallDraft

__all__ = ["CheckedText", "check_text"]


@dataclass(frozen=True, slots=True)
class CheckedText:
    """A text with its faults. `pipeline` is None where the text is none; with one, the faults are in calls."""

    text: str
    pipeline: Pipeline | None
    faults: tuple[Problem, ...]


def check_text(text: str, functions: Mapping[str, Function]) -> CheckedText:
    """Read a pipeline from YAML and hold its calls against `functions`."""
    try:
        pipeline = parse_pipeline(text, "the edited text")
    except PipelineError as error:
        return CheckedText(text, None, error.problems)
    document, lines = YamlText.parse(text), text.splitlines()
    starts = [document.line_of(("steps", at)) or 1 for at in range(len(pipeline.steps))]
    faults: list[Problem] = []
    for at, step in enumerate(pipeline.steps):
        end = starts[at + 1] - 1 if at + 1 < len(starts) else len(lines)
        for words, fault in _faults_of(step, functions):
            faults.append(replace(fault, line=_line_with(words, lines, starts[at], end)))
    return CheckedText(text, pipeline, tuple(faults))


def _faults_of(step: Step, functions: Mapping[str, Function]) -> Iterator[tuple[Sequence[str], Problem]]:
    """Each fault, with the words that stand on its line."""
    for chain in step.pattern.values() if isinstance(step.pattern, Mapping) else (step.pattern,):
        for call in chain:
            draft = CallDraft(call.function, functions.get(call.function), dict(call.parameters))
            if draft.function is None:
                hint = did_you_mean(call.function, functions)
                message = f"no function {call.function}; expected one of the catalogue.{hint}"
                yield (call.function,), Problem(message, step=step.name)
                continue
            known = [parameter.name for parameter in draft.function.parameters]
            for name in draft.strays:
                message = f"no such parameter of {call.function}; expected one of {', '.join(known) or 'none'}."
                yield (
                    (call.function, name),
                    Problem(message + did_you_mean(name, known), step=step.name, parameter=name),
                )
            for parameter in draft.function.parameters:
                if (problem := draft.problem(parameter)) is not None:
                    is_set = parameter.name in call.parameters
                    value = value_text(call.parameters[parameter.name]) if is_set else f"{call.function} needs it"
                    yield (
                        (call.function, parameter.name),
                        Problem(f"{value}; {problem}", step=step.name, parameter=parameter.name),
                    )


def _line_with(words: Sequence[str], lines: Sequence[str], first: int, last: int) -> int:
    """The line, from 1, where the last of `words` stands behind those before it, as far as they are found."""
    line = first
    for word in words:
        pattern = re.compile(rf"(?<!\w){re.escape(word)}(?!\w)")
        line = next((at for at in range(line, last + 1) if pattern.search(lines[at - 1])), line)
    return line
