"""A dialog that shows an edited text with what is wrong with it below each line, and asks how to go on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from enum import Enum, auto
from typing import TYPE_CHECKING

from prompt_toolkit.application import get_app
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.layout.containers import HSplit
from prompt_toolkit.layout.dimension import Dimension

from openhcs.errors import Problem
from openhcs.tui.ports import DialogHost, TaskSpawner
from openhcs.tui.utils.line_view import LineView
from openhcs.tui.widgets.bindings import Binding, footer_fragments, key_bindings
from openhcs.tui.widgets.drawn_text import cut, drawn_window, text_column
from openhcs.tui.widgets.pane_frame import PaneFrame

if TYPE_CHECKING:
    from openhcs.tui.editors.pipeline_check import CheckedText

__all__ = ["Answer", "show_faults"]

_ABOVE = 3
"""Lines of the text that are seen above the first fault."""


class Answer(Enum):
    """What to do with a text that has faults."""

    EDIT_AGAIN = auto()
    DISCARD = auto()
    TAKE = auto()


def _lines_with_faults(text: str, faults: Sequence[Problem]) -> tuple[list[tuple[str, str]], int]:
    """The lines to show, each with its style, and which of them is the first fault; those without a line lead."""
    by_line: dict[int, list[Problem]] = {}
    for fault in faults:
        by_line.setdefault(fault.line or 0, []).append(fault)
    source = text.splitlines()
    digits = len(str(len(source)))
    shown: list[tuple[str, str]] = []
    first: int | None = None
    for number in range(len(source) + 1):
        if number:
            shown.append(("", f" {number:{digits}}  {source[number - 1]}"))
        for fault in by_line.get(number, ()):
            first = len(shown) if first is None else first
            name = f"{fault.parameter}: " if fault.parameter is not None else ""
            shown.append(("class:error", f" {'!':>{digits}}  {name}{fault.message}"))
    return shown, first or 0


async def show_faults(checked: CheckedText, *, app_state: DialogHost, tasks: TaskSpawner) -> Answer:
    """Show the text with its faults, the first in sight, and ask; a text that is no pipeline cannot be taken."""
    result: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    shown, first = _lines_with_faults(checked.text, checked.faults)
    is_pipeline = checked.pipeline is not None
    warned = False

    def settle(answer: Answer) -> None:
        if not result.done():
            result.set_result(answer)

    def discard() -> None:
        nonlocal warned
        if warned:
            settle(Answer.DISCARD)
        warned = True

    def refuse(reason: str) -> None:
        """Nothing here is ever refused."""

    rows = [
        Binding(("enter", "e"), lambda: settle(Answer.EDIT_AGAIN), "Edit again", "Correct it in the editor."),
        Binding(("escape", "c-c"), discard, "Discard", "Leave the pipeline as it was."),
    ]
    if is_pipeline:
        take = Binding(("t",), lambda: settle(Answer.TAKE), "Take it so", "Take it with its faults; no run will.")
        rows.insert(1, take)
    view = LineView(
        lambda: [line for _, line in shown],
        lambda number, line: [(shown[number][0], line)],
        prefer_rows=get_app().output.get_size().rows,
        indent=text_column,
    )
    view.scroll(max(0, first - _ABOVE))

    def head(width: int) -> StyleAndTextTuples:
        if warned:
            return [("class:warning", cut(" What you have written would be lost: Esc again discards it.", width))]
        count = len(checked.faults)
        what = "fault" if count == 1 else "faults"
        hint = "" if is_pipeline else " It cannot be taken as it is."
        return [("class:label", cut(f" {count} {what} in the edited text.{hint}", width))]

    body = HSplit([drawn_window(head), view], key_bindings=key_bindings(rows, tasks=tasks, refuse=refuse))
    frame = PaneFrame(
        body,
        lambda: "The edited pipeline has faults",
        lambda: True,
        lambda width: footer_fragments(rows, width, tasks=tasks, refuse=refuse),
        width=Dimension(preferred=110),
        style="class:dialog",
    )
    answer: Answer = await app_state.show_dialog(frame, result)
    return answer
