"""The scroll bar, by mouse: lists and long texts go where it is clicked, and follow a drag."""

from __future__ import annotations

import asyncio

from prompt_toolkit.layout.containers import Window

from openhcs.tui.utils.line_view import LineView
from openhcs.tui.widgets.selectable_list import SelectableList
from tests.tui.screen import Screen, Tasks, in_loop, shown

COLUMNS, ROWS = 30, 10


async def on_bar(screen: Screen, *rows: int, tasks: bool = True) -> None:
    """Press on the bar at the first of `rows`, drag over the others, and let go."""
    first, *others = (f"{COLUMNS};{row + 1}" for row in rows)
    moves = "".join(f"\x1b[<32;{at}M" for at in others)
    screen._pipe.send_text(f"\x1b[<0;{first}M{moves}\x1b[<0;{(first, *others)[-1]}m")
    await screen.idle(tasks=tasks)


def numbers(count: int) -> SelectableList[int]:
    return SelectableList(
        lambda: range(count),
        lambda item, width: [("", f"row {item}")],
        empty=list,
        tasks=Tasks(),
        refuse=lambda reason: None,
        name="row",
    )


@in_loop
async def test_a_list_goes_where_its_bar_is_clicked() -> None:
    """The top is the first row, the bottom the last, and the middle the one in the middle; a drag goes on."""
    rows = numbers(1001)
    async with shown(rows, columns=COLUMNS, rows=ROWS) as screen:
        for row, index in ((9, 1000), (0, 0), (3, 333)):
            await on_bar(screen, row)
            assert rows.index == index
            assert f"> row {index}" in screen.text
        await on_bar(screen, 3, 6, 9)
        assert rows.index == 1000


@in_loop
async def test_a_bar_that_is_not_there_takes_no_clicks() -> None:
    """Where all rows fit, the last column belongs to them."""
    rows = numbers(5)
    async with shown(rows, columns=COLUMNS, rows=ROWS) as screen:
        await on_bar(screen, 3)
        assert rows.index == 3
        screen._pipe.send_text(f"\x1b[<35;{COLUMNS};1M")  # the mouse passes by, no button held
        await screen.idle()
        assert rows.index == 3


@in_loop
async def test_a_text_goes_where_its_bar_is_clicked() -> None:
    """Its last line stands at the bottom at the end of the bar, its first at the top at the beginning."""
    view = LineView(lambda: [f"line {number}" for number in range(500)])
    async with shown(view, columns=COLUMNS, rows=ROWS) as screen:
        await on_bar(screen, 9)
        assert screen.lines[-1].startswith("line 499")
        await on_bar(screen, 9, 5, 0)
        assert screen.lines[0].startswith("line 0")


@in_loop
async def test_a_bar_beneath_a_dialog_takes_no_clicks() -> None:
    """While a dialog has the input, what lies beneath it does not scroll."""
    rows = numbers(1001)
    async with shown(rows, columns=COLUMNS, rows=ROWS) as screen:
        closed = asyncio.get_running_loop().create_future()
        screen.tasks.fire_and_forget(screen.show_dialog(Window(width=4, height=2), closed))
        await screen.idle(tasks=False)
        await on_bar(screen, 9, tasks=False)
        assert rows.index == 0
        closed.set_result(None)
        await screen.idle()
