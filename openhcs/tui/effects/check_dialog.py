"""A dialog to choose several of a list of things, each with a box to check. Escape chooses none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.layout.containers import AnyContainer
from prompt_toolkit.layout.dimension import Dimension
from prompt_toolkit.utils import get_cwidth

from openhcs.tui.effects.pick_dialog import Choice
from openhcs.tui.ports import DialogHost, TaskSpawner
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.widgets.bindings import Binding, footer_fragments
from openhcs.tui.widgets.drawn_text import cut_middle, fit
from openhcs.tui.widgets.pane_frame import PaneFrame
from openhcs.tui.widgets.selectable_list import SelectableList, on_box

__all__ = ["check"]

T = TypeVar("T")


async def check(
    title: str,
    choices: Sequence[Choice[T]],
    checked: Sequence[bool],
    *,
    verb: str,
    app_state: DialogHost,
    tasks: TaskSpawner,
) -> list[T]:
    """What the user checked, in order; `checked` says what is to begin with, `verb` what Enter does with it."""
    result: asyncio.Future[list[T]] = asyncio.get_running_loop().create_future()

    def settle(values: list[T]) -> None:
        if not result.done():
            result.set_result(values)

    dialog = _dialog(title, choices, list(checked), verb, tasks, settle)
    values: list[T] | None = await app_state.show_dialog(dialog, result)
    return values or []


def _dialog(
    title: str,
    choices: Sequence[Choice[T]],
    checked: list[bool],
    verb: str,
    tasks: TaskSpawner,
    settle: Callable[[list[T]], None],
) -> AnyContainer:
    numbers = range(len(choices))
    detail_width = max(get_cwidth(visible(choice.detail)) for choice in choices)
    label_width = max(get_cwidth(visible(choice.label)) for choice in choices)

    def row(number: int, width: int) -> StyleAndTextTuples:
        choice = choices[number]
        room = max(0, width - detail_width - 6)
        return [
            ("class:ok" if checked[number] else "", "[x] " if checked[number] else "[ ] "),
            ("", fit(cut_middle(visible(choice.label), room), room)),
            ("class:muted", f"  {fit(visible(choice.detail), detail_width)}"),
        ]

    def toggle(number: int) -> None:
        options.select(number)
        checked[number] = not checked[number]

    def toggle_all() -> None:
        checked[:] = [not all(checked)] * len(checked)

    def take() -> None:
        settle([choice.value for choice, is_checked in zip(choices, checked, strict=True) if is_checked])

    rows = (
        Binding(
            ("enter",), take, verb, f"{verb} what is checked.", lambda: None if any(checked) else "None is checked"
        ),
        Binding(("space",), lambda: toggle(options.index), "Check", "Check the selected one, or not."),
        Binding(("*", "a"), toggle_all, "All/none", "Check all, or none where all are."),
        Binding(("escape", "c-c"), lambda: settle([]), "Cancel", "Close without choosing."),
    )
    options: SelectableList[int] = SelectableList(
        lambda: numbers,
        row,
        on_activate=toggle,
        on_click=on_box(toggle),
        empty=list,
        bindings=rows,
        tasks=tasks,
        refuse=lambda reason: None,
        name=title,
    )
    options.window.height = Dimension(preferred=len(choices), max=len(choices), min=1)
    width = max(label_width + detail_width + 14, get_cwidth(title) + 24, 52)
    return PaneFrame(
        options,
        lambda: f"{visible(title)}: {sum(checked)} checked",
        lambda: True,
        lambda width: footer_fragments(rows, width, tasks=tasks, refuse=lambda reason: None),
        width=Dimension(preferred=width),
        style="class:dialog",
    )
