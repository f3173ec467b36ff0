"""The terminal guard: whichever way the block ends, the terminal is as it was."""

from __future__ import annotations

import os
import pty
import termios
import tty
from typing import NoReturn

import pytest

from openhcs.tui.utils.terminal_guard import TerminalGuard

pytestmark = pytest.mark.terminal


def fail_in_raw_mode(terminal: int) -> NoReturn:
    tty.setraw(terminal)
    raise OSError("in the block")


def test_modes_are_restored_when_the_block_fails() -> None:
    """Raw mode is undone and the alternate screen left when an exception leaves the block."""
    controller, terminal = pty.openpty()
    try:
        before = termios.tcgetattr(terminal)
        with pytest.raises(OSError, match="in the block"), TerminalGuard(terminal, terminal):
            fail_in_raw_mode(terminal)
        assert termios.tcgetattr(terminal) == before
        assert b"\x1b[?1049l" in os.read(controller, 1000)
    finally:
        os.close(terminal)
        os.close(controller)
