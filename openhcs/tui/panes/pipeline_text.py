"""How a pipeline's steps read on the screen: values in, fragments out. Pure; names go through `visible`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from prompt_toolkit.formatted_text import StyleAndTextTuples

from openhcs.core.model import FunctionCall, Pattern, PlaneSource, Step
from openhcs.core.wording import value_text
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.widgets.drawn_text import cut, fit
from openhcs.tui.workbench import EditedPipeline

__all__ = ["NUMBER", "function_summary", "pipeline_title", "source_text", "step_detail", "step_fragments"]

NUMBER: Final = 3
"""Cells of a step's number, before its mark."""

MIN_SUMMARY: Final = 14
"""Cells below which the functions of a step are left out of its line rather than cut to a stump."""


def _grouped_chains(pattern: Pattern) -> Iterator[tuple[str | None, tuple[FunctionCall, ...]]]:
    """Each chain of a pattern with the group it is for; None means every group."""
    if isinstance(pattern, Mapping):
        yield from pattern.items()
    else:
        yield None, pattern


def function_summary(pattern: Pattern) -> str:
    """A pattern in one line: `a, b` for a chain, `DAPI: a | GFP: b` for a mapping."""
    parts = []
    for group, calls in _grouped_chains(pattern):
        names = ", ".join(call.function for call in calls) or "nothing"
        parts.append(names if group is None else f"{group}: {names}")
    return visible(" | ".join(parts) or "nothing")


def pipeline_title(editing: EditedPipeline) -> str:
    """The pipeline's name, with a mark in front, where it is never cut off, while a change of it is not saved."""
    return f"{'Unsaved pipeline' if editing.unsaved else 'Pipeline'} {visible(editing.pipeline.name)}"


def source_text(planes: PlaneSource) -> str:
    """Which planes a pipeline starts from, in words."""
    match planes:
        case PlaneSource.STACK:
            return "every z plane"
        case PlaneSource.PROJECTION:
            return "the microscope's projections"


def step_fragments(number: int, step: Step, width: int, name_width: int, *, plain: bool = False) -> StyleAndTextTuples:
    """One line of the step list: number, enabled mark, name in `name_width` cells, functions where there is room.

    `plain` is that in words.
    """
    style = "" if step.enabled else "class:disabled"
    if plain:
        off = "" if step.enabled else ", off"
        return [(style, cut(f"{number} {visible(step.name)}{off}: {function_summary(step.pattern)}", width))]
    head = f"{number:{NUMBER - 1}} "
    mark = "[x] " if step.enabled else "[ ] "
    start: StyleAndTextTuples = [
        ("class:muted", head),
        ("class:ok" if step.enabled else "class:disabled", mark),
    ]
    room = max(0, width - len(head) - len(mark))
    if room - name_width - 2 < MIN_SUMMARY:
        return [*start, (style, fit(visible(step.name), room))]
    name = fit(visible(step.name), name_width)
    summary = cut(function_summary(step.pattern), room - name_width - 2)
    return [
        *start,
        (style, name),
        ("", "  "),
        ("class:muted" if step.enabled else "class:disabled", summary),
    ]


def step_detail(step: Step, width: int, source: PlaneSource | None = None) -> StyleAndTextTuples:
    """What the selected step does, over several lines: its functions with their parameters, and how planes are fed.

    `source` is where the planes of the pipeline's first step come from, None for the others.
    """
    lines: list[StyleAndTextTuples] = []
    if not step.enabled:
        lines.append([("class:warning", cut("Off: runs pass it over (Space).", width))])
    for group, calls in _grouped_chains(step.pattern):
        if group is not None:
            lines.append([("class:label", cut(f"{step.group_by or 'group'} {visible(group)}", width))])
        for call in calls:
            lines.append([("class:title", cut(f"{'' if group is None else '  '}{visible(call.function)}", width))])
            for name, value in call.parameters.items():
                text = f"{visible(name)} = {visible(value_text(value))}"
                lines.append([("", cut(f"{'  ' if group is None else '    '}{text}", width))])
    stacked = ", ".join(step.variable_components) or "nothing"
    lines.append([("class:muted", cut(f"stacks {stacked}; groups by {step.group_by or 'nothing'}", width))])
    if source is not None:
        lines.append([("class:muted", cut(f"starts from {source_text(source)}", width))])
    if step.output is not None:
        lines.append([("class:muted", cut(f"writes {visible(step.output)}", width))])
    fragments: StyleAndTextTuples = []
    for line in lines:
        fragments += [*line, ("", "\n")]
    return fragments[:-1]
