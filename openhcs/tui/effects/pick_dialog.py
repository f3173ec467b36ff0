"""A dialog to pick one of a list of things. Escape picks none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.layout.containers import AnyContainer
from prompt_toolkit.layout.dimension import Dimension
from prompt_toolkit.utils import get_cwidth

from openhcs.tui.ports import DialogHost, TaskSpawner
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.widgets.bindings import Binding, footer_fragments
from openhcs.tui.widgets.drawn_text import cut, fit
from openhcs.tui.widgets.pane_frame import PaneFrame
from openhcs.tui.widgets.selectable_list import SelectableList

__all__ = ["Choice", "pick"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Choice(Generic[T_co]):
    """Something to choose: what it is called, a word on it, and what it stands for."""

    label: str
    detail: str
    value: T_co


async def pick(
    title: str,
    choices: Sequence[Choice[T]],
    *,
    on_highlight: Callable[[T], None] | None = None,
    app_state: DialogHost,
    tasks: TaskSpawner,
) -> Choice[T] | None:
    """The choice made, or None; `on_highlight` is told what the cursor comes to stand on."""
    result: asyncio.Future[Choice[T] | None] = asyncio.get_running_loop().create_future()

    def settle(choice: Choice[T] | None) -> None:
        if not result.done():
            result.set_result(choice)

    chosen: Choice[T] | None = await app_state.show_dialog(_dialog(title, choices, tasks, settle, on_highlight), result)
    return chosen


def _dialog(
    title: str,
    choices: Sequence[Choice[T]],
    tasks: TaskSpawner,
    settle: Callable[[Choice[T] | None], None],
    on_highlight: Callable[[T], None] | None,
) -> AnyContainer:
    label_width = max(get_cwidth(visible(choice.label)) for choice in choices)
    detail_width = max(get_cwidth(visible(choice.detail)) for choice in choices)

    def row(choice: Choice[T], width: int) -> StyleAndTextTuples:
        label = fit(visible(choice.label), min(label_width, width))
        return [("", label), ("class:muted", cut(f"  {visible(choice.detail)}", width - get_cwidth(label)))]

    rows = (
        Binding(("enter",), lambda: settle(options.selected), "Choose", "Take the selected one."),
        Binding(("escape", "c-c"), lambda: settle(None), "Cancel", "Close without choosing."),
    )
    options: SelectableList[Choice[T]] = SelectableList(
        lambda: choices,
        row,
        on_select=None if on_highlight is None else lambda index: on_highlight(choices[index].value),
        on_activate=lambda choice: settle(choice),
        empty=list,
        bindings=rows,
        tasks=tasks,
        refuse=lambda reason: None,
        name=title,
    )
    width = max(label_width + detail_width + 8, get_cwidth(title) + 8, 34)
    options.window.height = Dimension(preferred=len(choices), max=len(choices))
    return PaneFrame(
        options,
        lambda: title,
        lambda: True,
        lambda width: footer_fragments(rows, width, tasks=tasks, refuse=lambda reason: None),
        width=Dimension(preferred=width),
        style="class:dialog",
    )
