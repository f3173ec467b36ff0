"""The terminal is given back as it was found (G10).

While the block of `TerminalGuard` runs, a full-screen program may own the terminal; whichever way the block ends, the
terminal's modes are restored, and the alternate screen, the mouse, bracketed paste and a hidden cursor are undone.
SIGTERM, SIGHUP and SIGQUIT become an orderly exit through `on_signal`.

Checked by tests/terminal/test_terminal_guard.py.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import termios
from collections.abc import Callable
from types import TracebackType
from typing import Self

__all__ = ["TerminalGuard"]

_UNDO = (
    "\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l"  # mouse reports
    "\x1b[?2004l"  # bracketed paste
    "\x1b[?1049l"  # alternate screen
    "\x1b[0m\x1b[?25h"  # colours, cursor
)

_ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class TerminalGuard:
    """Restores the terminal behind `input_fd` and `output_fd` when its block ends. `is_live` while it runs."""

    def __init__(self, input_fd: int | None = None, output_fd: int | None = None) -> None:
        self._input_fd = sys.stdin.fileno() if input_fd is None else input_fd
        self._output_fd = sys.stdout.fileno() if output_fd is None else output_fd
        self._modes: list[int | list[bytes | int]] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.is_live = False
        self.received: signal.Signals | None = None

    def __enter__(self) -> Self:
        try:
            self._modes = termios.tcgetattr(self._input_fd)
        except (termios.error, OSError, ValueError):
            self._modes = None
        self.is_live = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exception: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.restore()

    def catch_signals(self, on_signal: Callable[[signal.Signals], None]) -> None:
        """Call `on_signal` in the running loop for SIGTERM, SIGHUP and SIGQUIT, until the block ends."""
        loop = self._loop = asyncio.get_running_loop()

        def caught(number: signal.Signals) -> None:
            self.received = self.received or number
            on_signal(number)

        for number in _ENDING:
            loop.add_signal_handler(number, caught, number)

    def release_signals(self) -> None:
        """Stop catching signals; call it before the loop closes."""
        loop, self._loop = self._loop, None
        if loop is not None and not loop.is_closed():
            for number in _ENDING:
                loop.remove_signal_handler(number)

    def restore(self) -> None:
        """Give the terminal back. May be called twice, and with the terminal gone."""
        if not self.is_live:
            return
        self.is_live = False
        self.release_signals()
        try:
            if os.isatty(self._output_fd):
                os.write(self._output_fd, _UNDO.encode())
            if self._modes is not None:
                termios.tcsetattr(self._input_fd, termios.TCSADRAIN, self._modes)
        except (OSError, termios.error):
            # The terminal is gone: there is nothing to give back.
            return
