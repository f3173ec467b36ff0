"""A blocked event loop in a real terminal: the last row says what blocks it, and afterwards the screen is as before."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pyte
import pytest

pytestmark = pytest.mark.terminal

COLUMNS, ROWS = 70, 12
APP = """
import time
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.layout.containers import HSplit, Window
from prompt_toolkit.layout.controls import FormattedTextControl
from prompt_toolkit.widgets import TextArea
from openhcs.tui.utils.program import Program

program, keys, asked = Program(), KeyBindings(), []

def hold_up():
    time.sleep(3.4)

def last_row():
    if asked:
        asked.clear()
        hold_up()
    return [("bg:#224466 bold", "\u6f22\u5b57 " * 12)]

def flush_stdout():
    time.sleep(1.6)

def flush_and_leave(event):
    flush_stdout()
    program.exit()

def block_and_leave(event):
    hold_up()
    program.exit()

keys.add("b")(lambda event: hold_up())
keys.add("d")(lambda event: asked.append("drawing"))
keys.add("x")(block_and_leave)
keys.add("f")(flush_and_leave)
text = TextArea("\\n".join(f"row {i:02} \u6f22\u5b57 {'.' * 50}" for i in range(40)), line_numbers=True, read_only=True)
text.buffer.cursor_position = 230
program.show(HSplit([text, Window(FormattedTextControl(last_row), height=1)]), key_bindings=keys)
"""
BLOCKS = f"slow_app.py:{APP.splitlines().index('    time.sleep(3.4)') + 1} in hold_up"


class Screen:
    """The program's terminal, as its user sees it."""

    def __init__(self, child: pexpect.spawn) -> None:
        self._child = child
        self._screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.Stream(self._screen)
        self.written = ""

    def press(self, key: str) -> None:
        self._child.send(key)

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < deadline, f"waited in vain for {what}:\n{self.text}"
            try:
                written = self._child.read_nonblocking(65536, timeout=0.1)
            except pexpect.TIMEOUT:
                continue
            self.written += written
            self._stream.feed(written)

    def read_what_is_written(self) -> None:
        """Read until nothing comes for a moment."""
        with contextlib.suppress(pexpect.TIMEOUT):
            while True:
                written = self._child.read_nonblocking(65536, timeout=0.3)
                self.written += written
                self._stream.feed(written)

    def rest(self) -> str:
        """What the program writes until it ends."""
        self.written += str(self._child.read())
        return self.written

    @property
    def rows(self) -> list[str]:
        return [str(row) for row in self._screen.display]

    @property
    def text(self) -> str:
        return "\n".join(self.rows)

    @property
    def cells(self) -> tuple[object, ...]:
        """Every cell with its colours, and the cursor."""
        buffer, cursor = self._screen.buffer, self._screen.cursor
        return (*(buffer[y][x] for y in range(ROWS) for x in range(COLUMNS)), (cursor.x, cursor.y, cursor.hidden))


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Screen]:
    """The program, drawn."""
    app = tmp_path / "slow_app.py"
    app.write_text(APP, encoding="utf-8")
    environment = {**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
    child = pexpect.spawn(
        sys.executable, [str(app)], cwd=str(tmp_path), dimensions=(ROWS, COLUMNS), env=environment, encoding="utf-8"
    )
    screen = Screen(child)
    # The last row is drawn last; what sets the cursor comes behind it in the same write.
    screen.wait_until(lambda: "\u6f22" in screen.rows[-1], "the first frame")
    screen.read_what_is_written()
    yield screen
    child.close(force=True)


@pytest.mark.parametrize("key", ["b", "d"], ids=["a key handler", "drawing"])
def test_the_last_row_names_what_blocks_and_the_screen_comes_back(screen: Screen, key: str) -> None:
    """While a key handler or a control blocks, the last row alone changes: place and seconds; then all is as before."""
    before, cells = screen.rows, screen.cells
    screen.press(key)
    for seconds in (1, 2, 3):
        screen.wait_until(lambda: f"Held up for {seconds} s by " in screen.rows[-1], f"{seconds} s")  # noqa: B023
        assert BLOCKS in screen.rows[-1]
        assert screen.rows[:-1] == before[:-1]
    screen.wait_until(lambda: "Held up" not in screen.text, "the notice to go")
    screen.wait_until(lambda: screen.cells == cells, "the screen as it was")


def test_a_program_that_leaves_after_blocking_takes_the_notice_with_it(screen: Screen) -> None:
    """Where the loop's first act is to end the program, nothing is drawn once the screen has been given back."""
    screen.press("x")
    screen.wait_until(lambda: "Held up for 3 s" in screen.rows[-1], "the notice")
    assert "Held up" not in screen.rest().rpartition("\x1b[?1049l")[2]


def test_a_terminal_that_is_slow_itself_is_not_given_more_to_take(screen: Screen) -> None:
    """Where the loop waits for the terminal to take a frame, nothing is written into that frame."""
    screen.press("f")
    assert "Held up" not in screen.rest()
