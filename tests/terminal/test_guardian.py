"""The guardian: a terminal is given back even when its program was killed."""

from __future__ import annotations

import os
import pty
import termios

import pytest

from openhcs.tui.utils.guardian import TerminalGuardian

pytestmark = pytest.mark.terminal


def test_a_dismissed_guardian_leaves_the_terminal_alone() -> None:
    """After `dismiss` nothing is written, the modes stay, and no process is left."""
    controller, terminal = pty.openpty()
    try:
        guardian = TerminalGuardian(terminal)
        guardian.start(termios.tcgetattr(terminal))
        changed = termios.tcgetattr(terminal)
        changed[3] &= ~termios.ECHO
        termios.tcsetattr(terminal, termios.TCSANOW, changed)
        guardian.dismiss()
        guardian.dismiss()
        assert termios.tcgetattr(terminal) == changed
        os.set_blocking(controller, False)
        with pytest.raises(BlockingIOError):
            os.read(controller, 1)
    finally:
        os.close(terminal)
        os.close(controller)
