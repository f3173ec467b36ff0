"""The smallest application on the core, in a real terminal: it survives every fault in a list."""

from __future__ import annotations

import base64
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pyte
import pytest

pytestmark = pytest.mark.terminal

APP = Path(__file__).parents[2] / "examples" / "smallest_app.py"
READY = "k key"
ESCAPE = "\x1b"


class Screen:
    """The application's terminal, as its user sees it."""

    def __init__(self, child: pexpect.spawn) -> None:
        self.child = child
        self._screen = pyte.Screen(100, 24)
        self._stream = pyte.Stream(self._screen)
        self.written = ""

    def wait_for(self, text: str, gone: bool = False) -> str:
        """The screen once `text` is on it, or no longer on it."""
        deadline = time.monotonic() + 20
        while (text in "\n".join(self._screen.display)) == gone:
            assert time.monotonic() < deadline, f"waited in vain for {text!r}:\n" + "\n".join(self._screen.display)
            try:
                written = self.child.read_nonblocking(65536, timeout=0.2)
            except pexpect.TIMEOUT:
                continue
            self.written += written
            self._stream.feed(written)
        return "\n".join(self._screen.display)


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Screen]:
    """The application, drawn."""
    environment = {**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
    child = pexpect.spawn(
        sys.executable, [str(APP)], cwd=str(tmp_path), dimensions=(24, 100), env=environment, encoding="utf-8"
    )
    screen = Screen(child)
    screen.wait_for(READY)
    yield screen
    child.close(force=True)


def test_it_is_small() -> None:
    """It is a program of fewer than 40 lines."""
    assert len(APP.read_text(encoding="utf-8").splitlines()) < 40


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("k", "KeyError: 'a missing key'"),
        ("t", "RuntimeError: this task failed"),
        ("h", "ZeroDivisionError"),
        ("c", "ZeroDivisionError"),
        ("s", "900 times"),
    ],
)
def test_it_tells_a_fault_once_and_goes_on(screen: Screen, key: str, told: str) -> None:
    """Each fault is told in one dialog; closing it, the application is there and leaves with 0."""
    screen.child.send(key)
    screen.wait_for(told)
    screen.child.send(ESCAPE)
    screen.wait_for("Error in", gone=True)
    screen.child.send("q")
    screen.child.expect(pexpect.EOF)
    screen.child.wait()
    assert screen.child.exitstatus == 0
    assert "Press ENTER" not in screen.written


def test_an_error_is_copied_into_the_clipboard_of_the_terminal(screen: Screen) -> None:
    """The terminal, which may be at the other end of SSH, is sent the error as text."""
    screen.child.send("k")
    screen.wait_for("KeyError")
    screen.child.send("c")
    screen.wait_for("copied")
    sequence = re.search(r"\x1b]52;c;([A-Za-z0-9+/=]+)\x07", screen.written)
    assert sequence is not None
    text = base64.b64decode(sequence[1]).decode()
    assert text.startswith("Error in key k\nKeyError: 'a missing key'\nTraceback")


def test_a_broken_pane_is_a_tile_that_can_be_restarted(screen: Screen) -> None:
    """Drawing that fails is told once; its tile tells it again on `d`, and once mended, `r` brings the pane back."""
    screen.child.send("d")
    screen.wait_for("ZeroDivisionError")
    screen.child.send(ESCAPE)
    screen.wait_for("Error in", gone=True)
    assert "pane stopped working" in screen.wait_for("r restart")
    screen.child.send("d")
    screen.wait_for("Esc Close")
    screen.child.send(ESCAPE)
    screen.wait_for("Esc Close", gone=True)
    screen.child.send("7")
    screen.child.send("r")
    screen.wait_for(READY)


def test_a_blocked_loop_catches_up(screen: Screen) -> None:
    """Keys typed while a handler blocks the loop are handled when it is back."""
    screen.child.send("bk")
    screen.wait_for("KeyError")
