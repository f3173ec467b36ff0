"""A container in a real application: real keys through a pipe, and what a terminal would show of it."""

from __future__ import annotations

import asyncio
import functools
import io
import select
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, ParamSpec

import pyte
from prompt_toolkit.application import Application, create_app_session
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.layout import AnyContainer, FloatContainer, Layout, Window
from prompt_toolkit.output import ColorDepth

from openhcs.tui.utils.dialog_host import FloatDialogHost
from openhcs.tui.utils.focus_manager import FocusManager
from openhcs.tui.utils.screen_output import ScreenOutput
from openhcs.tui.widgets.themes import Theme, style_of

KEYS = {
    "enter": "\r",
    "escape": "\x1b",
    "tab": "\t",
    "s-tab": "\x1b[Z",
    "up": "\x1b[A",
    "down": "\x1b[B",
    "right": "\x1b[C",
    "left": "\x1b[D",
    "home": "\x1b[H",
    "end": "\x1b[F",
    "pageup": "\x1b[5~",
    "pagedown": "\x1b[6~",
    "delete": "\x1b[3~",
    "s-up": "\x1b[1;2A",
    "s-down": "\x1b[1;2B",
    "f5": "\x1b[15~",
    "backspace": "\x7f",
    "space": " ",
}
PATIENCE_S = 60.0


P = ParamSpec("P")


def in_loop(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Make a coroutine a test that runs in an event loop of its own."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


async def wait_until(condition: Callable[[], bool], what: Callable[[], str] = lambda: "the condition") -> None:
    """Wait until `condition` holds, or fail with what was waited for."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():  # noqa: ASYNC110  what is waited for has no event
                await asyncio.sleep(0.002)
    except TimeoutError:
        raise AssertionError(f"waited in vain for {what()}") from None


class Tasks:
    """A task spawner that remembers names and failures."""

    def __init__(self) -> None:
        self.names: list[str | None] = []
        self.failures: list[BaseException] = []
        self._running: set[asyncio.Task[Any]] = set()

    def fire_and_forget(self, coro: Coroutine[Any, Any, Any], name: str | None = None) -> None:
        self.names.append(name)
        task = asyncio.ensure_future(coro)
        self._running.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.failures.append(task.exception())  # type: ignore[arg-type]

    @property
    def busy(self) -> bool:
        return bool(self._running)

    async def close(self) -> None:
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)


class _Terminal(io.StringIO):
    def __init__(self, screen: pyte.Screen) -> None:
        super().__init__()
        self._screen = screen
        self._stream = pyte.Stream(screen)
        self._lines: tuple[str, ...] | None = None

    def write(self, text: str) -> int:
        self._stream.feed(text)
        self._lines = None
        return len(text)

    def lines(self) -> tuple[str, ...]:
        """The lines of the screen, taken from it once for as often as they are asked for while somebody waits."""
        if self._lines is None:
            self._lines = tuple(line.rstrip() for line in self._screen.display)
        return self._lines


class Screen:
    """Press keys, click, and read the screen."""

    def __init__(self, app: Application[Any], pipe: PipeInput, terminal: _Terminal, tasks: Tasks) -> None:
        self.app = app
        self.tasks = tasks
        self._pipe = pipe
        self._terminal = terminal
        root = app.layout.container
        assert isinstance(root, FloatContainer)
        self._host = FloatDialogHost(root, FocusManager())

    @property
    def lines(self) -> list[str]:
        return list(self._terminal.lines())

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def line(self, part: str) -> str:
        """The first line that holds `part`."""
        found = [line for line in self.lines if part in line]
        assert found, f"{part!r} is not on the screen:\n{self.text}"
        return found[0]

    async def press(self, *keys: str, tasks: bool = True) -> None:
        """Send each key by name ("down", "c-s"), or else as typed text; returns when all is handled and drawn."""
        for key in keys:
            if key.startswith("c-") and len(key) == 3:
                self._pipe.send_text(chr(ord(key[2]) - 96))
            else:
                self._pipe.send_text(KEYS.get(key, key))
            await self.idle(escape=key == "escape", tasks=tasks)

    async def click(self, part: str, *, times: int = 1, tasks: bool = True) -> None:
        """Click on the first place that shows `part`."""
        row = next((i for i, line in enumerate(self.lines) if part in line), None)
        assert row is not None, f"{part!r} is not on the screen:\n{self.text}"
        column = self.lines[row].index(part)
        for _ in range(times):
            at = f"{column + 1};{row + 1}"
            self._pipe.send_text(f"\x1b[<0;{at}M\x1b[<0;{at}m")
            await self.idle(tasks=tasks)

    async def wheel(self, part: str, *, down: bool) -> None:
        """Turn the wheel one notch over `part`."""
        row = next(i for i, line in enumerate(self.lines) if part in line)
        self._pipe.send_text(f"\x1b[<{65 if down else 64};{self.lines[row].index(part) + 1};{row + 1}M")
        await self.idle()

    async def wait(self, condition: Callable[[], bool], what: str = "the condition") -> None:
        """Wait until `condition` holds."""
        await wait_until(condition, lambda: f"{what}; the screen:\n{self.text}")

    async def wait_for(self, part: str) -> None:
        """Wait until `part` is on the screen."""
        await self.wait(lambda: part in self.text, repr(part))

    async def idle(self, *, escape: bool = False, tasks: bool = True) -> None:
        """Wait until every key is handled, the screen is drawn and, with `tasks`, none runs."""
        quiet = 0
        needed = 20 if escape else 3  # a lone escape is told from a sequence by the time after it

        def settled() -> bool:
            nonlocal quiet
            unread, _, _ = select.select([self._pipe.fileno()], [], [], 0)
            keys = self.app.key_processor
            busy = unread or keys.input_queue or keys.key_buffer or self.app.invalidated or (tasks and self.tasks.busy)
            quiet = 0 if busy else quiet + 1
            return quiet >= needed

        await self.wait(settled, "the application to come to rest")

    async def show_dialog(self, dialog: AnyContainer, result_future: asyncio.Future[Any]) -> Any:
        return await self._host.show_dialog(dialog, result_future)


@asynccontextmanager
async def shown(
    container: AnyContainer | None = None,
    *,
    columns: int = 80,
    rows: int = 24,
    tasks: Tasks | None = None,
    focus: Any = None,
    color_depth: ColorDepth = ColorDepth.DEPTH_24_BIT,
    plain: bool = False,
) -> AsyncIterator[Screen]:
    """Run `container` full-screen in a terminal of `columns` x `rows`, for a screen reader where it is `plain`."""
    tasks = tasks if tasks is not None else Tasks()
    terminal = _Terminal(pyte.Screen(columns, rows))
    output = ScreenOutput(
        terminal,
        lambda: Size(rows, columns),
        term="xterm",
        characters="utf-8",
        plain=plain,
        enable_cpr=False,
    )
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=output):
        root = FloatContainer(container if container is not None else Window(), floats=[])
        app: Application[Any] = Application(
            Layout(root, focused_element=focus),
            style=style_of(Theme.DARK),
            full_screen=True,
            mouse_support=True,
            color_depth=color_depth,
        )
        app.ttimeoutlen = 0.01
        app.timeoutlen = 0.05
        screen = Screen(app, pipe, terminal, tasks)
        running = asyncio.ensure_future(app.run_async(set_exception_handler=False))
        try:
            await screen.wait(lambda: app.is_running and app.render_counter > 0, "the first drawing")
            await screen.idle()
            yield screen
        finally:
            await tasks.close()
            if app.is_running:
                app.exit()
            await running
    assert not tasks.failures, tasks.failures
