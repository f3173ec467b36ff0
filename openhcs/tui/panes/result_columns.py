"""A dialog to choose which columns of a table are shown."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.layout.dimension import Dimension
from prompt_toolkit.utils import get_cwidth

from openhcs.core.result_query import Column
from openhcs.tui.ports import DialogHost, TaskSpawner
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.widgets.bindings import Binding, footer_fragments
from openhcs.tui.widgets.drawn_text import cut
from openhcs.tui.widgets.pane_frame import PaneFrame
from openhcs.tui.widgets.selectable_list import SelectableList, on_box

__all__ = ["choose_columns"]


async def choose_columns(
    columns: Sequence[Column], hidden: frozenset[str], *, app_state: DialogHost, tasks: TaskSpawner
) -> frozenset[str]:
    """The names of the columns that are not to be shown; `hidden` again where the user gives up."""
    result: asyncio.Future[frozenset[str]] = asyncio.get_running_loop().create_future()
    off = set(hidden)

    def settle(names: frozenset[str]) -> None:
        if not result.done():
            result.set_result(names)

    def turn(number: int) -> None:
        names.select(number)
        off.symmetric_difference_update({columns[number].name})

    def why_none_left() -> str | None:
        return None if len(off) < len(columns) else "A table without columns shows nothing"

    def draw(column: Column, width: int) -> StyleAndTextTuples:
        return [("", "[ ] " if column.name in off else "[x] "), ("", cut(visible(column.name), width - 4))]

    rows = (
        Binding(("space",), lambda: turn(names.index), "Show/hide", "Show the column, or hide it."),
        Binding(("enter",), lambda: settle(frozenset(off)), "Done", "Take this choice.", why_none_left),
        Binding(("a",), off.clear, "All", "Show all columns."),
        Binding(
            ("n",),
            lambda: off.update(column.name for column in columns if column.name != "well"),
            "None",
            "Hide all columns but the well.",
        ),
        Binding(("escape", "c-c"), lambda: settle(hidden), "Cancel", "Leave the columns as they were."),
    )
    names: SelectableList[Column] = SelectableList(
        lambda: columns,
        draw,
        on_click=on_box(turn),
        empty=list,
        bindings=rows,
        tasks=tasks,
        refuse=lambda reason: None,
        name="columns",
    )
    names.window.height = Dimension(preferred=len(columns), max=len(columns))
    widest = max([get_cwidth(visible(column.name)) for column in columns], default=0)
    frame = PaneFrame(
        names,
        lambda: f"Columns: {len(columns) - len(off)} of {len(columns)} shown",
        lambda: True,
        lambda width: footer_fragments(rows, width, tasks=tasks, refuse=lambda reason: None),
        width=Dimension(preferred=max(widest + 12, 54)),
        style="class:dialog",
    )
    chosen: frozenset[str] = await app_state.show_dialog(frame, result)
    return chosen
