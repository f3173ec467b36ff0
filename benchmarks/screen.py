"""Dialogs and long tracebacks on a screen, against the same done by hand with prompt_toolkit alone.

A dialog: shown, focused, and a frame painted that shows the focus, against appending the Float, `layout.focus` and
painting. A traceback of 100,000 lines in the error dialog, highlighted, against a lazy control of plain text in the
same frame: opening it, and scrolling it a page at a time. Everything is painted for an xterm of 120 x 40.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import tracemalloc
from collections.abc import Callable, Coroutine
from typing import Any

from _side_by_side import compare, print_ratios
from prompt_toolkit.application import Application, create_app_session
from prompt_toolkit.data_structures import Point, Size
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.layout import Layout
from prompt_toolkit.layout.containers import Float, FloatContainer, HSplit, Window
from prompt_toolkit.layout.controls import FormattedTextControl, UIContent, UIControl
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.widgets import Frame

from openhcs.tui.utils.dialog_host import FloatDialogHost
from openhcs.tui.utils.error_dialog import ErrorDialog
from openhcs.tui.utils.error_pages import ErrorPage, ErrorPages
from openhcs.tui.utils.focus_manager import FocusManager

TURNS = 100
LINES = 100_000
PAGES = 200

TRACEBACK = "Traceback (most recent call last):\n" + "".join(
    f'  File "/lab/pipeline/step_{number % 97}.py", line {number}, in run_step\n    result = process(image, sigma=3)\n'
    for number in range(LINES // 2)
)
LAST = "ValueError: the last line"


class Stage:
    """A running application on a screen that nobody looks at."""

    def __init__(self) -> None:
        body = Window(FormattedTextControl("a screen of text\n" * 40, focusable=True))
        self.root = FloatContainer(body, floats=[])
        self.app: Application[None] = Application(Layout(self.root), full_screen=True, max_render_postpone_time=None)
        self.app.ttimeoutlen = 0.01

    def paint(self) -> None:
        self.app._redraw()

    async def frame(self) -> None:
        """Let the loop turn until the next frame is painted; something must have asked for one."""
        count = self.app.render_counter
        while self.app.render_counter == count:
            await asyncio.sleep(0)


def on_stage(act: Callable[[Stage], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """`act` on a running application, painting included."""

    async def perform() -> None:
        screen = Vt100_Output(
            io.StringIO(), lambda: Size(rows=40, columns=120), term="xterm-256color", enable_cpr=False
        )
        with create_pipe_input() as keys, create_app_session(input=keys, output=screen):
            stage = Stage()
            running = asyncio.get_running_loop().create_task(stage.app.run_async(set_exception_handler=False))
            await asyncio.sleep(0.01)
            await act(stage)
            stage.app.exit()
            await running

    return lambda: asyncio.run(perform())


def _dialog() -> tuple[Frame, Window]:
    field = Window(FormattedTextControl("an answer", focusable=True))
    return Frame(HSplit([Window(FormattedTextControl("a question?")), field]), title="a dialog"), field


async def dialogs_by_hand(stage: Stage) -> None:
    for _ in range(TURNS):
        before = stage.app.layout.current_window
        dialog, field = _dialog()
        shown = Float(dialog)
        stage.root.floats.append(shown)
        stage.app.layout.focus(field)
        stage.app.invalidate()
        await stage.frame()
        stage.root.floats.remove(shown)
        stage.app.layout.focus(before)
        stage.app.invalidate()
        await stage.frame()


async def dialogs_by_the_host(stage: Stage) -> None:
    host = FloatDialogHost(stage.root, FocusManager(stage.app))
    loop = asyncio.get_running_loop()
    for _ in range(TURNS):
        dialog, field = _dialog()
        answer: asyncio.Future[None] = loop.create_future()
        showing = loop.create_task(host.show_dialog(dialog, answer, field))
        await stage.frame()
        answer.set_result(None)
        await stage.frame()
        await showing


class PlainLines(UIControl):
    """A lazy control of plain text, the least there is: no wrapping, no colour, no visible control characters."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.top = 0

    def is_focusable(self) -> bool:
        return True

    def create_content(self, width: int, height: int) -> UIContent:
        rows = self.lines[self.top : self.top + height]
        return UIContent(lambda row: [("", rows[row])], len(rows), Point(0, 0), show_cursor=False)


async def plain_traceback(stage: Stage, pages: int) -> None:
    control = PlainLines(f"{TRACEBACK}{LAST}".split("\n"))
    shown = Float(Frame(Window(control, height=30), title="an error", width=110))
    stage.root.floats.append(shown)
    stage.app.layout.focus(control)
    stage.paint()
    for _ in range(pages):
        control.top += 25
        stage.paint()
    control.top = len(control.lines) - 25
    stage.paint()


async def error_dialog(stage: Stage, pages: int) -> None:
    result: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    dialog = ErrorDialog(ErrorPages([ErrorPage("an error", LAST, f"{TRACEBACK}{LAST}")]), result)
    dialog._toggle_details()
    dialog.view._prefer_rows = 30
    stage.root.floats.append(Float(dialog))
    stage.app.layout.focus(dialog.view)
    stage.paint()
    for _ in range(pages):
        dialog.view.scroll(25)
        stage.paint()
    dialog.view.scroll_end()
    stage.paint()
    row = stage.app.renderer.last_rendered_screen
    assert row is not None
    text = "\n".join("".join(row.data_buffer[y][x].char for x in range(120)) for y in range(40))
    assert LAST in text, "End shows the last line"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7, help="interleaved rounds (default 7)")
    rounds = parser.parse_args().rounds

    idle = {"idle": on_stage(lambda stage: asyncio.sleep(0))}
    base = compare(idle, rounds)["idle"]
    dialogs = compare(
        {"Float, layout.focus, paint": on_stage(dialogs_by_hand), "FloatDialogHost": on_stage(dialogs_by_the_host)},
        rounds,
    )
    per_dialog = {name: (seconds - base) / TURNS for name, seconds in dialogs.items()}
    print_ratios("a dialog shown, focused and painted, then closed and painted", per_dialog)

    def traceback_runs(pages: int) -> dict[str, Callable[[], None]]:
        return {
            "a lazy control of plain text": on_stage(lambda stage: plain_traceback(stage, pages)),
            "the error dialog, highlighted": on_stage(lambda stage: error_dialog(stage, pages)),
        }

    opened = compare(traceback_runs(0), rounds)
    print_ratios(f"open {LINES:,} lines", {name: seconds - base for name, seconds in opened.items()})
    scrolled = compare(traceback_runs(PAGES), rounds)
    per_page = {name: (scrolled[name] - opened[name]) / PAGES for name in opened}
    print_ratios("scroll by 25 rows", per_page)

    tracemalloc.start()
    on_stage(lambda stage: error_dialog(stage, 10))()
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    print(f"peak of memory with the error dialog open: {peak:.1f} MB, its text included")


if __name__ == "__main__":
    main()
