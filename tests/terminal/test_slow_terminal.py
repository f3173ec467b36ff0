"""A terminal that takes a frame slowly, or not at all: keys are heard, the program can be left, the screen is right."""

from __future__ import annotations

import os
import select
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import psutil
import pyte
import pytest

from tests.terminal import one_job_shell

pytestmark = pytest.mark.terminal

COLUMNS, ROWS = 80, 30
PATIENCE_S = 60.0
FRAME = 130_000
PTY_HOLDS = 70_000
APP = """
import os, sys
from pathlib import Path
from prompt_toolkit.application import create_app_session
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.layout.containers import Window
from prompt_toolkit.layout.controls import FormattedTextControl
from prompt_toolkit.output import ColorDepth
from openhcs.tui.utils.program import Program
from openhcs.tui.utils.screen_output import ScreenOutput

heard, program, keys = Path(sys.argv[1]), Program(), KeyBindings()
pictures = 0

@keys.add("n")
def _(event):
    global pictures
    pictures += 1
    assert os.get_blocking(0) and os.get_blocking(1)  # other programs have them too
    heard.write_text(str(pictures))

keys.add("q")(lambda event: program.exit())
keys.add("z")(lambda event: program.suspend())

def picture():
    # From the first key on a frame of 110 kB, more than a pseudo-terminal holds: every cell has another colour.
    columns, rows = os.get_terminal_size()
    text = f"picture {pictures} of {columns} x {rows}"
    pieces = []
    for y in range(rows):
        for x in range(columns):
            style = f"#{x:02x}{y:02x}{pictures:02x} bg:#{y:02x}{x:02x}ff bold italic underline" if pictures else ""
            pieces.append((style, text[(x + y) % len(text)]))
        pieces.append(("", "\\n"))
    return pieces

with create_app_session(output=ScreenOutput.of_terminal()):
    body = Window(FormattedTextControl(picture, focusable=True, show_cursor=False))
    sys.exit(program.show(body, key_bindings=keys, color_depth=ColorDepth.DEPTH_24_BIT))
"""


class Link:
    """The program under a shell, at the other end of a link that takes no more than it is asked to."""

    def __init__(self, folder: Path) -> None:
        (folder / "app.py").write_text(APP)
        self.heard = folder / "heard"
        self.heard.write_text("0")
        environment = {**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
        command = [one_job_shell.__file__, sys.executable, str(folder / "app.py"), str(self.heard)]
        self._shell = pexpect.spawn(sys.executable, command, env=environment, dimensions=(ROWS, COLUMNS))
        self._fd: int = self._shell.child_fd
        self.modes_before = termios.tcgetattr(self._fd)
        self.screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self.screen)
        self.written = b""

    @property
    def program(self) -> psutil.Process:
        return psutil.Process(self._shell.pid).children()[0]

    @property
    def modes(self) -> list[object]:
        return termios.tcgetattr(self._fd)

    def press(self, key: str) -> None:
        os.write(self._fd, key.encode())

    def take(self, count: int) -> int:
        """Take so many bytes at most, without waiting for long; how many there were."""
        if not select.select([self._fd], [], [], 0.05)[0]:
            return 0
        data = os.read(self._fd, count)
        self.written += data
        self._stream.feed(data)
        return len(data)

    def take_until(self, condition: Callable[[], bool], what: str, count: int = 65536) -> None:
        until_s = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < until_s, f"waited in vain for {what}"
            self.take(count)

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        """Take nothing meanwhile."""
        until_s = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < until_s, f"waited in vain for {what}"
            time.sleep(0.01)

    def resize(self, columns: int, rows: int) -> None:
        self.screen.resize(rows, columns)
        self._shell.setwinsize(rows, columns)

    def shows(self, number: int) -> bool:
        """Whether every cell is of picture `number`, as it is drawn for the size of the screen."""
        columns, rows = self.screen.columns, self.screen.lines
        text = f"picture {number} of {columns} x {rows}"
        return all(
            self.screen.buffer[y][x].data == text[(x + y) % len(text)]
            and self.screen.buffer[y][x].fg == (f"{x:02x}{y:02x}{number:02x}" if number else "default")
            for y in range(rows)
            for x in range(columns)
        )

    def said(self, text: str) -> bool:
        return text.encode() in self.written

    def has_left_full_screen(self) -> bool:
        """Whether what was written last of the alternate screen and of the mouse is that they are off."""
        return all(
            self.written.rfind(b"\x1b[?%dl" % mode) > self.written.rfind(b"\x1b[?%dh" % mode) for mode in (1049, 1000)
        )

    def close(self) -> None:
        self._shell.close(force=True)


@pytest.fixture
def link(tmp_path: Path) -> Iterator[Link]:
    link = Link(tmp_path)
    link.take_until(lambda: link.shows(0), "the first frame")
    yield link
    link.close()


def test_keys_are_heard_while_nobody_reads(link: Link) -> None:
    """Each of many keys is handled; read on, few frames come, and the last one is that of the last key."""
    before = len(link.written)
    for number in range(1, 31):
        link.press("n")
        link.wait_until(lambda: link.heard.read_text() == str(number), "the key")  # noqa: B023 - called at once
    link.take_until(lambda: link.shows(30), "the frame of the last key")
    assert PTY_HOLDS < len(link.written) - before < 3 * FRAME


def test_a_program_can_be_left_while_nobody_reads(link: Link) -> None:
    """It ends within seconds and the terminal has its modes back; read on, the full screen is left."""
    program = link.program
    link.press("n")
    link.wait_until(lambda: link.heard.read_text() == "1", "the key")
    link.press("q")
    link.wait_until(lambda: not program.is_running() or program.status() == psutil.STATUS_ZOMBIE, "the end")
    assert link.modes == link.modes_before
    link.take_until(lambda: link.said(f"{one_job_shell.ENDED} 0"), "the shell")
    assert link.has_left_full_screen()


def test_another_size_while_nobody_reads(link: Link) -> None:
    """What was to come of the frame in the old size is left out; the screen is right in the new one."""
    link.press("n")
    link.wait_until(lambda: link.heard.read_text() == "1", "the key")
    for columns, rows in ((40, 20), (90, 30), (60, 30)):
        link.resize(columns, rows)
    link.press("n")
    link.wait_until(lambda: link.heard.read_text() == "2", "the second key")
    link.take_until(lambda: link.shows(2), "the frame in the new size")


def test_a_stop_while_nobody_reads(link: Link) -> None:
    """Ctrl-Z stops it within seconds; brought back, it draws everything anew."""
    link.press("n")
    link.wait_until(lambda: link.heard.read_text() == "1", "the key")
    program = link.program
    link.press("z")
    link.wait_until(lambda: program.status() == psutil.STATUS_STOPPED, "the stop")
    link.take_until(lambda: link.said(one_job_shell.STOPPED), "the shell")
    assert link.has_left_full_screen()
    link.press("\n")
    link.take_until(lambda: link.shows(1), "the frame after it")
