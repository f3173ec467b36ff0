"""A frame is freed when the next one is on the screen."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from prompt_toolkit.application import Application, create_app_session
from prompt_toolkit.filters import Condition
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.layout import ConditionalContainer, HSplit, Layout
from prompt_toolkit.layout.containers import Window
from prompt_toolkit.layout.controls import FormattedTextControl
from prompt_toolkit.output import DummyOutput

from openhcs.tui.utils.spent_frames import spent_frames_freed
from tests.tui.utils.kit import until

LINES, COLUMNS = 30, 79


class Screen:
    """An application whose lowest window can be hidden."""

    def __init__(self) -> None:
        self.hides = False
        self.lower = Window(FormattedTextControl([("", "above\n"), ("[SetCursorPosition]", "here")]), height=2)
        upper = Window(FormattedTextControl([("", "x" * COLUMNS + "\n")] * LINES))
        shown = Condition(lambda: not self.hides)
        self.app = Application[None](Layout(HSplit([upper, ConditionalContainer(self.lower, shown)])))

    async def draw(self, frames: int) -> None:
        for _ in range(frames):
            drawn = self.app.render_counter
            self.app.invalidate()
            await until(lambda drawn=drawn: self.app.render_counter > drawn, "a frame")  # type: ignore[misc]


@asynccontextmanager
async def running() -> AsyncIterator[Screen]:
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        screen = Screen()
        with spent_frames_freed(screen.app):
            task = asyncio.ensure_future(screen.app.run_async())
            await until(lambda: screen.app.render_counter > 0, "the first frame")
            yield screen
            screen.app.exit()
            await task


async def test_frames_leave_no_cells_behind() -> None:
    """While nobody looks for garbage, forty frames leave less than the cells of four."""
    async with running() as screen:
        await screen.draw(5)
        gc.collect()
        gc.disable()
        try:
            before = sys.getallocatedblocks()
            await screen.draw(40)
            left = sys.getallocatedblocks() - before
        finally:
            gc.enable()
    assert left < 4 * LINES * COLUMNS


async def test_a_hidden_window_is_remembered() -> None:
    """A window that is not drawn any more can be asked where its cursor was; drawn again, it is asked anew."""
    async with running() as screen:
        info = screen.lower.render_info
        assert info is not None
        place = info.cursor_position
        assert place.y == 1
        screen.hides = True
        await screen.draw(3)
        assert screen.lower.render_info is info
        assert info.cursor_position == place
        screen.hides = False
        await screen.draw(2)
        assert screen.lower.render_info is not info
        assert screen.lower.render_info is not None
        assert screen.lower.render_info.cursor_position == place


async def test_nothing_is_freed_behind_the_block() -> None:
    """The application draws on as it was made when the block has ended."""
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        screen = Screen()
        with spent_frames_freed(screen.app):
            pass
        assert not list(screen.app.after_render._handlers)
