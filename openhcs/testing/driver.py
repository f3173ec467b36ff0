"""The whole workbench in a test: real keys through a pipe, and the screen a terminal would show.

    async with workbench([plate], pipeline=file, size=(80, 24)) as wb:
        await wb.press("r")
        await wb.wait_for("8 wells done")
        assert "Plates (1)" in wb.text

Keys are the bytes a terminal sends, the screen is what `pyte` makes of the bytes the workbench writes: nothing between
is replaced. Errors the workbench reported fail the block at its end, unless the test takes them with `take_errors`, or
they were raised on purpose, in words for the user (`OpenHCSError`).

`pyte` is needed here and nowhere else.
"""

from __future__ import annotations

import asyncio
import io
import select
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pyte
from prompt_toolkit.application import create_app_session
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.input.ansi_escape_sequences import REVERSE_ANSI_SEQUENCES
from prompt_toolkit.keys import KEY_ALIASES, Keys

from openhcs.errors import OpenHCSError
from openhcs.tui.effects.screen_settings import ScreenSettings, read_screen_settings
from openhcs.tui.layout.simple_launcher import SimpleOpenHCSTUILauncher
from openhcs.tui.utils.screen_output import ScreenOutput
from openhcs.tui.workbench import Workbench

__all__ = ["WorkbenchDriver", "workbench"]

PATIENCE_S: Final = 60.0
POLL_S: Final = 0.004
QUIET_ROUNDS: Final = 3
_ALIASES: Final = {**KEY_ALIASES, "space": " "}


class WorkbenchDriver:
    """Presses keys on a running workbench, clicks, and reads its screen."""

    def __init__(self, launcher: SimpleOpenHCSTUILauncher, pipe: PipeInput, terminal: _Terminal) -> None:
        self.launcher = launcher
        self._pipe = pipe
        self._terminal = terminal
        self._running: asyncio.Task[int] | None = None
        self._keys_handled = 0
        self._last_error_taken = 0
        self.patience_s: float = PATIENCE_S

    # -- hands ---------------------------------------------------------------------------------------------------

    async def press(self, *keys: str) -> None:
        """Press keys by prompt_toolkit's names ("a", "s-tab", "escape f"); returns when each is handled and drawn."""
        for key in keys:
            parts = key.split() or [key]
            await self._send("".join(_bytes_of(part) for part in parts), len(parts))

    async def type(self, text: str) -> None:
        """Type `text`, a key for each character."""
        for character in text:
            await self._send(character, 1)

    async def paste(self, text: str) -> None:
        """Paste `text`, as a terminal that brackets what is pasted."""
        await self._send(f"\x1b[200~{text}\x1b[201~", 1)

    async def click(self, x: int, y: int, *, times: int = 1, ctrl: bool = False) -> None:
        """Click on the cell in column `x`, row `y`, from 0."""
        button = 16 if ctrl else 0
        for _ in range(times):
            await self._send(f"\x1b[<{button};{x + 1};{y + 1}M\x1b[<{button};{x + 1};{y + 1}m", 2)

    async def drag(self, start: tuple[int, int], end: tuple[int, int]) -> None:
        """Press the left button on a cell, column and row from 0, move to another, and let go there."""
        (x, y), (to_x, to_y) = start, end
        middle = f"{(x + to_x) // 2 + 1};{(y + to_y) // 2 + 1}"
        data = (
            f"\x1b[<0;{x + 1};{y + 1}M\x1b[<32;{middle}M\x1b[<32;{to_x + 1};{to_y + 1}M\x1b[<0;{to_x + 1};{to_y + 1}m"
        )
        await self._send(data, 4)

    async def wheel(self, x: int, y: int, *, by: int) -> None:
        """Turn the wheel over a cell, down by so many notches; up, where it is negative."""
        await self._send(f"\x1b[<{64 if by < 0 else 65};{x + 1};{y + 1}M" * abs(by), abs(by))

    async def click_text(self, text: str, *, times: int = 1) -> None:
        """Click on the middle of the first place that shows `text`."""
        x, y = self.find(text)
        await self.click(x + len(text) // 2, y, times=times)

    async def resize(self, columns: int, rows: int, *, comes_to_rest: bool = True) -> None:
        """Give the terminal another size, as a person drags its window's corner.

        `comes_to_rest` says that nothing goes on that would have to be waited for, such as a run.
        """
        self._terminal.resize(columns, rows)
        signal.raise_signal(signal.SIGWINCH)
        if comes_to_rest:
            await self.wait_idle()
        else:
            await self.wait_until(lambda: self.has_ended or self._is_drawn(), "the frame of another size")

    # -- eyes ----------------------------------------------------------------------------------------------------

    def screen(self) -> list[str]:
        """The lines of the screen, without the space at their ends."""
        return list(self._terminal.lines())

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows of the screen."""
        return self._terminal.screen.columns, self._terminal.screen.lines

    @property
    def text(self) -> str:
        """The screen as one text."""
        return "\n".join(self.screen())

    @property
    def state(self) -> Workbench:
        """What the workbench knows at this moment."""
        return self.launcher.state.workbench

    def find(self, text: str) -> tuple[int, int]:
        """Column and row of the first place that shows `text`, from 0."""
        for y, line in enumerate(self.screen()):
            if text in line:
                return line.index(text), y
        raise AssertionError(f"{text!r} is not on the screen:\n{self.text}")

    def line(self, text: str) -> str:
        """The first line that shows `text`."""
        return self.screen()[self.find(text)[1]]

    @property
    def written(self) -> str:
        """All that the workbench has written to its terminal."""
        return self._terminal.getvalue()

    def forget_written(self) -> None:
        """Forget what has been written, for whoever runs for hours; the screen stays."""
        self._terminal.truncate(self._terminal.seek(0))

    def background_at(self, x: int, y: int) -> str:
        """The colour behind a cell, as `pyte` names it."""
        return str(self._terminal.screen.buffer[y][x].bg)

    @property
    def dialogs(self) -> int:
        """How many dialogs are open."""
        dialogs = self.launcher.program.dialogs
        return dialogs.depth if dialogs is not None else 0

    @property
    def has_ended(self) -> bool:
        """Whether the workbench has been left, or is being left."""
        return (
            self._running is None
            or self._running.done()
            or self.launcher.program.app is None
            or self.launcher.program.app.is_done
        )

    @property
    def cursor(self) -> tuple[int, int] | None:
        """Column and row of the terminal's cursor, from 0; None while it is hidden."""
        cursor = self._terminal.screen.cursor
        return None if cursor.hidden else (cursor.x, cursor.y)

    def take_errors(self) -> list[BaseException | None]:
        """The errors reported since the last call; the end of the block does not complain of them."""
        # By their numbers, not by how many there are: the journal forgets the oldest.
        last = self._last_error_taken
        entries = [entry for entry in self.launcher.program.errors.journal.entries() if entry.id > last]
        self._last_error_taken = max((entry.id for entry in entries), default=last)
        return [entry.exception for entry in entries]

    # -- patience ------------------------------------------------------------------------------------------------

    async def wait_until(
        self, condition: Callable[[], bool], what: str = "the condition", timeout_s: float | None = None
    ) -> None:
        """Wait until `condition` holds; AssertionError with the screen where it does not in time.

        Args:
            timeout_s: `patience_s` unless given.
        """
        timeout_s = self.patience_s if timeout_s is None else timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                while not condition():  # noqa: ASYNC110 - the screen and the pipe tell nobody when they change
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise AssertionError(f"waited {timeout_s:g} s in vain for {what}; the screen:\n{self.text}") from None

    async def wait_for(self, text: str, timeout_s: float | None = None) -> None:
        """Wait until `text` is on the screen."""
        await self.wait_until(lambda: text in self.text, repr(text), timeout_s)

    async def wait_gone(self, text: str, timeout_s: float | None = None) -> None:
        """Wait until `text` is no longer on the screen."""
        await self.wait_until(lambda: text not in self.text, f"{text!r} to go", timeout_s)

    async def wait_idle(self, timeout_s: float | None = None) -> None:
        """Wait until every key is handled, the screen is drawn, and no task runs.

        While a dialog is open the tasks are waiting for its user, so then they are not waited for.
        """
        quiet = 0

        def is_idle() -> bool:
            nonlocal quiet
            quiet = 0 if self._is_busy() else quiet + 1
            return quiet >= QUIET_ROUNDS

        await self.wait_until(is_idle, "the workbench to come to rest", timeout_s)

    async def wait_exit(self, timeout_s: float | None = None) -> int:
        """Wait until the workbench has ended; its exit code."""
        assert self._running is not None
        await self.wait_until(self._running.done, "the end", timeout_s)
        return self._running.result()

    # -- mechanics -----------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start the workbench, and return once it has drawn its first frame."""
        self._running = asyncio.ensure_future(self.launcher.run_async())
        await self.wait_until(self._has_drawn, "the first frame")
        app = self.launcher.program.app
        assert app is not None
        app.key_processor.after_key_press += self._count_key

    async def stop(self) -> None:
        """End the workbench if it still runs, and fail on errors that nobody took."""
        app = self.launcher.program.app
        if app is not None and app.is_running and not app.is_done:
            app.exit(result=0)
        if self._running is not None:
            await self._running
        left = [error for error in self.take_errors() if error is not None and not isinstance(error, OpenHCSError)]
        if left:
            raise AssertionError(f"the workbench reported {len(left)} errors") from left[0]

    def _has_drawn(self) -> bool:
        assert self._running is not None
        if self._running.done():
            self._running.result()
        return self.launcher.program.app is not None and self.launcher.program.app.render_counter > 0

    async def _send(self, data: str, keys: int) -> None:
        expected = self._keys_handled + keys
        self._pipe.send_text(data)
        await self.wait_until(
            lambda: self.has_ended or (self._keys_handled >= expected and self._is_drawn()),
            f"the keys {data!r} to be handled and drawn",
        )

    def _count_key(self, _sender: Any) -> None:
        self._keys_handled += 1

    def _has_unhandled_keys(self) -> bool:
        if self.has_ended:
            return False
        assert self.launcher.program.app is not None
        processor = self.launcher.program.app.key_processor
        unread, _, _ = select.select([self._pipe.fileno()], [], [], 0)
        return bool(unread or processor.input_queue or processor.key_buffer)

    def _is_drawn(self) -> bool:
        return (
            not self._has_unhandled_keys()
            and self.launcher.program.app is not None
            and not self.launcher.program.app.invalidated
        )

    def _is_busy(self) -> bool:
        if self.has_ended:
            return False
        tasks = self.launcher.program.tasks.active_task_count if not self.dialogs else 0
        return tasks > 0 or not self._is_drawn()


@asynccontextmanager
async def workbench(
    plates: Sequence[Path] = (),
    *,
    pipeline: Path | None = None,
    size: tuple[int, int] = (80, 24),
    comes_to_rest: bool = True,
    tour: bool = False,
    screen: ScreenSettings | None = None,
) -> AsyncIterator[WorkbenchDriver]:
    """Run the workbench in a terminal of `size` (columns, rows), on the running loop, for the time of the block.

    `comes_to_rest` says that nothing is going on after the start, such as a run from before; `tour` that somebody who
    is new is shown around; `screen` how it is drawn, as the settings say unless it is given.
    """
    terminal = _Terminal(*size)
    screen = screen if screen is not None else read_screen_settings()
    output = ScreenOutput(
        terminal,
        terminal.size,
        "xterm-256color",
        characters=screen.characters,
        plain=screen.plain,
        enable_cpr=False,
    )
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=output):
        driver = WorkbenchDriver(SimpleOpenHCSTUILauncher(plates, pipeline, tour=tour, screen=screen), pipe, terminal)
        await driver.start()
        try:
            if comes_to_rest:
                await driver.wait_idle()
            yield driver
        finally:
            await driver.stop()


class _Terminal(io.StringIO):
    """What the workbench writes, fed to a terminal emulator."""

    def __init__(self, columns: int, rows: int) -> None:
        super().__init__()
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.Stream(self.screen)
        self._lines: tuple[str, ...] | None = None

    def write(self, text: str) -> int:
        self._stream.feed(text)
        self._lines = None
        return super().write(text)

    def lines(self) -> tuple[str, ...]:
        """The lines of the screen: `pyte` takes up to 4 ms for them, and who waits for a text asks as often."""
        if self._lines is None:
            self._lines = tuple(line.rstrip() for line in self.screen.display)
        return self._lines

    def size(self) -> Size:
        """As prompt_toolkit asks for it."""
        return Size(rows=self.screen.lines, columns=self.screen.columns)

    def resize(self, columns: int, rows: int) -> None:
        """Change the size; the program has to be told by a signal."""
        self.screen.resize(rows, columns)
        for y in [y for y in self.screen.buffer if y >= rows]:
            del self.screen.buffer[y]  # the emulator moves lines up and keeps the last ones
        self._lines = None


def _bytes_of(key: str) -> str:
    """What a terminal sends for a key of prompt_toolkit's name."""
    key = _ALIASES.get(key, key)
    return key if len(key) == 1 else REVERSE_ANSI_SEQUENCES[Keys(key)]
