"""What the tests of the async core share: a screen to show things on, hosts of every kind, and ways to wait."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pyte
from prompt_toolkit.application import create_app_session
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.layout.containers import AnyContainer, FloatContainer, Window
from prompt_toolkit.layout.controls import FormattedTextControl
from prompt_toolkit.output.vt100 import Vt100_Output

from openhcs.tui.utils.application import GuardedApplication, GuardedLayout
from openhcs.tui.utils.dialog_host import FloatDialogHost
from openhcs.tui.utils.error_journal import ErrorJournal
from openhcs.tui.utils.focus_manager import FocusManager, initialize_focus_manager
from openhcs.tui.utils.safe_error_handler import SafeErrorHandler, initialize_error_handler
from openhcs.tui.utils.unified_task_manager import UnifiedTaskManager, initialize_task_manager

PATIENCE_S = 60.0


async def until(condition: Callable[[], object], what: str = "the condition") -> None:
    """Return as soon as `condition` holds; fail if it does not hold in time."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():  # noqa: ASYNC110 - the conditions are anything, not events
                await asyncio.sleep(0.001)
    except TimeoutError:
        raise AssertionError(f"waited in vain for {what}") from None


async def turns(count: int = 5) -> None:
    """Let the loop turn `count` times."""
    for _ in range(count):
        await asyncio.sleep(0)


def in_a_storm(count: int) -> int:
    """How many tasks or errors make a storm: a tenth of `count` in debug mode, which takes the stack of each apart."""
    return count // 10 if asyncio.get_running_loop().get_debug() else count


class Failures(list[tuple[BaseException, str]]):
    """An error sink that remembers."""

    def __call__(self, exception: BaseException, context: str) -> None:
        self.append((exception, context))

    @property
    def messages(self) -> list[str]:
        return [str(exception) for exception, _ in self]


class Records(logging.Handler):
    """Remembers log records."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def errors(self) -> list[logging.LogRecord]:
        return [record for record in self.records if record.levelno >= logging.ERROR]


@contextmanager
def logged(name: str = "openhcs") -> Iterator[Records]:
    """The records of the logger `name` and those below it, of the block."""
    logger = logging.getLogger(name)
    records = Records()
    level = logger.level
    logger.addHandler(records)
    logger.setLevel(logging.DEBUG)
    try:
        yield records
    finally:
        logger.removeHandler(records)
        logger.setLevel(level)


class RaisingLogHandler(logging.Handler):
    """Breaks the rule that a log handler never raises."""

    def emit(self, record: logging.LogRecord) -> None:
        raise OSError("the log is gone")


@contextmanager
def broken_logging(name: str = "openhcs") -> Iterator[None]:
    """Every record of the logger `name` raises during the block."""
    logger = logging.getLogger(name)
    handler = RaisingLogHandler()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def raised(exception: BaseException) -> BaseException:
    """`exception` with a traceback of its own."""
    try:
        raise exception
    except BaseException as caught:
        return caught


async def fail(exception: BaseException | None = None) -> None:
    """Raise at the first step."""
    raise exception if exception is not None else ValueError("failed")


class Terminal(io.StringIO):
    """What a terminal would show of what is written, and the raw text of it."""

    def __init__(self, columns: int, rows: int) -> None:
        super().__init__()
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.Stream(self.screen)

    def write(self, text: str) -> int:
        self._stream.feed(text)
        return super().write(text)

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.screen.display)


class Stage:
    """A guarded application on a terminal, wired as a workbench is."""

    def __init__(self, root: FloatContainer, pipe: PipeInput, terminal: Terminal, journal: ErrorJournal) -> None:
        self.root = root
        self.pipe = pipe
        self.terminal = terminal
        self.status: list[str] = []
        self.tasks = initialize_task_manager(UnifiedTaskManager())
        self.handler = initialize_error_handler(
            SafeErrorHandler(journal, show_status=self.status.append, screen_is_live=lambda: self.app.is_running)
        )
        self.keys = KeyBindings()
        self.host = FloatDialogHost(root)
        self.app: GuardedApplication[Any] = GuardedApplication(
            GuardedLayout(root),
            on_error=self.handler.handle_error_sync,
            close_dialog=self.host.close_newest,
            full_screen=True,
            mouse_support=True,
            key_bindings=self.keys,
        )
        self.app.ttimeoutlen = self.app.timeoutlen = 0.02
        self.focus = initialize_focus_manager(FocusManager(self.app))
        self.handler.app_state = self.host
        self.tasks.set_error_handler(self.handler.handle_error_sync)

    @property
    def text(self) -> str:
        return self.terminal.text

    def press(self, text: str) -> None:
        """Type `text`; it arrives in one read."""
        self.pipe.send_text(text)

    async def shows(self, part: str) -> None:
        """Wait until `part` is on the screen."""
        try:
            await until(lambda: part in self.text)
        except AssertionError:
            raise AssertionError(f"{part!r} is not on the screen:\n{self.text}") from None

    async def shows_no(self, part: str) -> None:
        """Wait until `part` is not on the screen."""
        try:
            await until(lambda: part not in self.text)
        except AssertionError:
            raise AssertionError(f"{part!r} is still on the screen:\n{self.text}") from None

    async def frame(self) -> None:
        """Wait for the next frame."""
        count = self.app.render_counter
        self.app.invalidate()
        await until(lambda: self.app.render_counter > count, "a frame")
        await turns(2)


def pane(text: str = "pane") -> Window:
    """A focusable window that shows `text`."""
    return Window(FormattedTextControl(text, focusable=True, show_cursor=False))


@asynccontextmanager
async def stage(
    body: AnyContainer | None = None, *, columns: int = 80, rows: int = 24, journal: ErrorJournal | None = None
) -> AsyncIterator[Stage]:
    """Run `body` full-screen with the whole core around it; everything is taken down at the end."""
    terminal = Terminal(columns, rows)
    screen = terminal.screen
    output = Vt100_Output(terminal, lambda: Size(screen.lines, screen.columns), term="xterm", enable_cpr=False)
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=output):
        root = FloatContainer(body if body is not None else pane("the pane beneath"), floats=[])
        here = Stage(root, pipe, terminal, journal if journal is not None else ErrorJournal())
        running = asyncio.ensure_future(here.app.run_async(handle_sigint=False))
        try:
            await until(lambda: here.app.render_counter > 0 or running.done(), "the first frame")
            yield here
        finally:
            await here.tasks.shutdown(2.0)
            if here.app.is_running and not here.app.is_done:
                here.app.exit()
            await running


class AnsweringHost:
    """Answers each dialog as soon as it is shown."""

    def __init__(self) -> None:
        self.shown: list[Any] = []

    async def show_dialog(self, dialog: Any, result_future: asyncio.Future[Any]) -> Any:
        self.shown.append(dialog)
        if not result_future.done():
            result_future.set_result(None)
        return await result_future


class WaitingHost:
    """Shows each dialog until it is answered; remembers the most that were open at once."""

    def __init__(self) -> None:
        self.open: list[tuple[Any, asyncio.Future[Any]]] = []
        self.shown: list[Any] = []
        self.most = 0

    async def show_dialog(self, dialog: Any, result_future: asyncio.Future[Any]) -> Any:
        shown = (dialog, result_future)
        self.open.append(shown)
        self.shown.append(dialog)
        self.most = max(self.most, len(self.open))
        try:
            return await result_future
        finally:
            self.open.remove(shown)

    def close(self) -> None:
        """Answer the dialog that is open."""
        self.open[-1][1].set_result(None)


class RaisingHost:
    """Fails before it shows anything."""

    def __init__(self, exception: BaseException | None = None) -> None:
        self.attempts = 0
        self._exception = exception

    async def show_dialog(self, dialog: Any, result_future: asyncio.Future[Any]) -> Any:
        self.attempts += 1
        raise self._exception if self._exception is not None else OSError("no dialog can be shown")
