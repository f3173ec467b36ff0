"""A pipeline written as YAML in the words of a text that somebody wrote: its comments, order and quotes stay.

A step that has not changed stays as it is written, letter by letter, with the comments above it; it takes them along
where it is moved. In one that has changed, the lines that still hold keep their comments. What is deleted takes its
comments with it.

Imported by the front ends; reading and writing files is `pipeline_file`.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import yaml

from openhcs.core.model import Pipeline, Step
from openhcs.core.pipeline_file import dump_pipeline, dump_step, parse_pipeline
from openhcs.errors import PipelineError

if TYPE_CHECKING:
    from ruamel.yaml import YAML

__all__ = ["has_comments", "keep_comments"]


def keep_comments(pipeline: Pipeline, like: str) -> str | None:
    """`pipeline` as YAML in the words of `like`, the text of it or of an earlier state of it.

    None where that cannot be done: `like` is no pipeline, or its steps do not stand below each other.

    Raises:
        PipelineError: as `dump_pipeline`.
    """
    try:
        before = parse_pipeline(like, "the pipeline as it was written")
    except PipelineError:
        return None
    if before == pipeline:
        return like
    parts = _Parts.of(like)
    if parts is None:
        return None
    head, tail = _with_keys(parts.head, parts.tail, before, pipeline)
    steps = [
        _indented(dump_step(step), parts.indent)
        if at is None
        else _step_text(step, before.steps[at], parts.blocks[at], parts.indent)
        for step, at in zip(pipeline.steps, _origins(before.steps, pipeline.steps), strict=True)
    ]
    text = "".join([head, "steps:\n" if steps else "steps: []\n", *steps, tail])
    try:
        # The text was put together by lines: that it says what it is to say is seen by reading it.
        return text if parse_pipeline(text, "the pipeline to write") == pipeline else None
    except PipelineError:
        return None


def has_comments(text: str) -> bool:
    """Whether `text` holds comments."""
    return any(line.lstrip().startswith("#") or " #" in line for line in text.splitlines())


@dataclass(frozen=True, slots=True)
class _Block:
    """A step as it is written: the comments above it, and its lines from the dash on."""

    comments: str
    text: str


@dataclass(frozen=True, slots=True)
class _Parts:
    """The text before the key `steps`, each step, and what comes behind them; `indent` is what stands before a dash."""

    head: str
    blocks: tuple[_Block, ...]
    tail: str
    indent: str

    @classmethod
    def of(cls, text: str) -> _Parts | None:
        """The parts of `text`; None where its steps do not stand below each other."""
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        entries = root.value if isinstance(root, yaml.MappingNode) and not root.flow_style else ()
        lines = [line if line.endswith("\n") else f"{line}\n" for line in text.splitlines(keepends=True)]
        for at, (key, value) in enumerate(entries):
            if key.value != "steps" or not isinstance(value, yaml.SequenceNode):
                continue
            first = key.start_mark.line
            end = entries[at + 1][0].start_mark.line if at + 1 < len(entries) else len(lines)
            if not value.value:
                return cls("".join(lines[:first]), (), "".join(lines[value.end_mark.line + 1 :]), "  ")
            if value.flow_style or any(item.flow_style for item in value.value):
                return None
            starts = [item.start_mark.line for item in value.value]
            blocks: list[_Block] = []
            # What stands between the key and the first dash; a comment behind the key itself goes above the first step.
            behind_key = lines[first].partition("#")
            lead = [f"  #{behind_key[2]}"] if behind_key[1] else []
            lead += lines[first + 1 : starts[0]]
            for begin, stop in zip(starts, [*starts[1:], end], strict=True):
                own = _without_trailing_comments(lines[begin:stop])
                blocks.append(_Block("".join(lead), "".join(own)))
                lead = lines[begin + len(own) : stop]
            indent = " " * value.start_mark.column
            return cls("".join(lines[:first]), tuple(blocks), "".join([*lead, *lines[end:]]), indent)
        return None


def _without_trailing_comments(lines: Sequence[str]) -> Sequence[str]:
    end = len(lines)
    while end and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#")):
        end -= 1
    return lines[:end]


def _origins(before: Sequence[Step], after: Sequence[Step]) -> list[int | None]:
    """Which step each of `after` was: an equal one, else one of its name, else the same under another name."""
    left = dict(enumerate(before))
    found: dict[int, int] = {}

    def match(is_same: Callable[[Step, Step], bool]) -> None:
        for place, step in enumerate(after):
            if place not in found:
                at = next((at for at, other in left.items() if is_same(other, step)), None)
                if at is not None:
                    found[place] = at
                    del left[at]

    match(lambda one, other: one == other)
    match(lambda one, other: one.name == other.name)
    match(lambda one, other: replace(one, name=other.name) == other)
    return [found.get(place) for place in range(len(after))]


def _step_text(step: Step, origin: Step, block: _Block, indent: str) -> str:
    """A step in the words of `block`, which says `origin`."""
    if step == origin:
        return block.comments + block.text
    editor = _editor()
    # As the mapping alone, where the dash is a space: so its comments stay in their columns.
    written = editor.load(textwrap.dedent(block.text.replace("-", " ", 1)))
    _carry_over(written, editor.load(dump_step(origin))[0], editor.load(dump_step(step))[0])
    text = _indented(_dumped(editor, written), f"{indent}  ")
    return f"{block.comments}{indent}-{text[len(indent) + 1 :]}"


def _with_keys(head: str, tail: str, before: Pipeline, after: Pipeline) -> tuple[str, str]:
    """`head` and `tail` with the keys beside the steps changed from those of one pipeline to those of the other."""
    editor = _editor()
    was, wanted = (editor.load(dump_pipeline(replace(one, steps=()))) for one in (before, after))
    if was == wanted:
        return head, tail
    in_head, in_tail = editor.load(head) or editor.map(), editor.load(tail) or {}
    for document, is_here in ((in_head, False), (in_tail, True)):
        old, new = ({name: one[name] for name in one if (name in in_tail) is is_here} for one in (was, wanted))
        _carry_over(document, old, new)
    return _dumped(editor, in_head) if in_head else head, _dumped(editor, in_tail) if in_tail else tail


def _carry_over(written: Any, was: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Make the changes that lead from `was` to `wanted` in what was written, which may say the same in other words."""
    for name in [name for name in was if name not in wanted]:
        written.pop(name, None)
    for name, value in wanted.items():
        if name in was and was[name] == value:
            continue
        written[name] = _changed(written[name], was[name], value) if name in was and name in written else value


def _changed(written: Any, was: Any, wanted: Any) -> Any:
    if isinstance(written, list):  # one function may stand alone or in a list
        was, wanted = (one if isinstance(one, list) else [one] for one in (was, wanted))
    if isinstance(written, dict) and isinstance(was, dict) and isinstance(wanted, dict):
        _carry_over(written, was, wanted)
    elif isinstance(written, list) and len(written) == len(was) == len(wanted):
        for at, (old, new) in enumerate(zip(was, wanted, strict=True)):
            if old != new:
                written[at] = _changed(written[at], old, new)
    else:
        return wanted
    return written


def _editor() -> YAML:
    from ruamel.yaml import YAML  # keeps comments; 50 ms, for changed steps only

    editor = YAML()
    editor.preserve_quotes = True
    editor.width = 110
    editor.indent(mapping=2, sequence=4, offset=2)
    return editor


def _dumped(editor: YAML, document: Any) -> str:
    text = io.StringIO()
    editor.dump(document, text)
    return text.getvalue()


def _indented(text: str, indent: str) -> str:
    return "".join(f"{indent}{line}" if line.strip() else line for line in text.splitlines(keepends=True))
