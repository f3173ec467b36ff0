"""The newest dialog has the keyboard in the tick in which it appears, and nothing is left over when it goes."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from prompt_toolkit.application import Application, create_app_session
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.filters import Condition
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.layout.containers import (
    AnyContainer,
    ConditionalContainer,
    Container,
    Float,
    FloatContainer,
    HSplit,
    Window,
)
from prompt_toolkit.layout.controls import BufferControl, FormattedTextControl
from prompt_toolkit.layout.layout import Layout
from prompt_toolkit.output import DummyOutput
from prompt_toolkit.widgets import Frame, TextArea

from openhcs.tui.utils.focus_manager import FocusManager, focus_after_delay, get_focus_manager
from tests.tui.utils.kit import logged, pane, turns, until


class Screen:
    """A plain prompt_toolkit application over one pane, without anything of ours around it."""

    def __init__(self, root: FloatContainer, beneath: Window, app: Application[Any]) -> None:
        self.root = root
        self.beneath = beneath
        self.app = app

    def add(self, container: AnyContainer) -> Float:
        added = Float(container)
        self.root.floats.append(added)
        return added

    def has_focus(self, element: Any) -> bool:
        return self.app.layout.has_focus(element)

    def focused(self) -> Window:
        return self.app.layout.current_window

    async def dialog(self, container: AnyContainer, answer: asyncio.Future[Any]) -> Any:
        """What a host that knows nothing of us does: a Float, the answer, and the Float gone."""
        added = self.add(container)
        try:
            return await answer
        finally:
            self.root.floats.remove(added)
            self.app.invalidate()


@asynccontextmanager
async def plain_screen() -> AsyncIterator[Screen]:
    """A plain Application that runs on a dummy output."""
    beneath = pane("beneath")
    root = FloatContainer(beneath, floats=[])
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
        app: Application[Any] = Application(Layout(root), full_screen=True)
        running = asyncio.ensure_future(app.run_async(handle_sigint=False, set_exception_handler=False))
        await until(lambda: app.render_counter > 0 or running.done(), "the first frame")
        try:
            yield Screen(root, beneath, app)
        finally:
            if not app.is_done:
                app.exit()
            await running


def future() -> asyncio.Future[Any]:
    return asyncio.get_running_loop().create_future()


class TestOneTarget:
    """`set_focus_after_delay`: now, or when the target is rendered, or False."""

    async def test_a_target_on_the_screen_is_focused_before_the_call_returns(self) -> None:
        """No turn of the loop passes."""
        async with plain_screen() as screen:
            target = pane("target")
            screen.add(target)
            step = FocusManager().set_focus_after_delay(target, 10)
            with pytest.raises(StopIteration) as end:
                step.send(None)
            assert end.value.value is True
            assert screen.focused() is target
