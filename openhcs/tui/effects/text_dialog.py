"""A dialog that shows lines of text to read: help, a plate's details, a failure. Escape or Enter closes it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from prompt_toolkit.application import get_app
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.layout.containers import HSplit
from prompt_toolkit.layout.dimension import Dimension
from prompt_toolkit.utils import get_cwidth

from openhcs.tui.ports import DialogHost, TaskSpawner
from openhcs.tui.utils.line_view import LineView
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.widgets.bindings import Binding, footer_fragments, key_bindings
from openhcs.tui.widgets.drawn_text import text_column
from openhcs.tui.widgets.pane_frame import PaneFrame

__all__ = ["show_text"]


async def show_text(
    title: str,
    lines: Sequence[str],
    *,
    app_state: DialogHost,
    tasks: TaskSpawner,
    draw: Callable[[int, str], StyleAndTextTuples] = lambda number, line: [("", line)],
) -> None:
    """Show `lines`, already made visible, until the user closes the dialog; long ones wrap."""
    closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def close() -> None:
        if not closed.done():
            closed.set_result(None)

    def refuse(reason: str) -> None:
        """Nothing here is ever refused."""

    rows = (
        Binding(("escape", "enter", "q", "c-c"), close, "Close", "Close this text."),
        Binding(("down", "j"), lambda: view.scroll(1), "Scroll", "Scroll one line down."),
        Binding(("up", "k"), lambda: view.scroll(-1), "Up", "Scroll one line up.", on_footer=False),
    )
    view = LineView(lambda: lines, draw, prefer_rows=get_app().output.get_size().rows, indent=text_column)
    width = max([get_cwidth(line) for line in lines] + [get_cwidth(title) + 6, 40]) + 4
    body = HSplit([view], key_bindings=key_bindings(rows[:1], tasks=tasks, refuse=refuse))
    frame = PaneFrame(
        body,
        lambda: visible(title),
        lambda: True,
        lambda width: footer_fragments(rows if view.overflows else rows[:1], width, tasks=tasks, refuse=refuse),
        width=Dimension(preferred=width),
        style="class:dialog",
    )
    await app_state.show_dialog(frame, closed)
