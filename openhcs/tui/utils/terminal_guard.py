"""The terminal is given back as it was found (G10).

While the block of `TerminalGuard` runs, a full-screen program may own the terminal. Whichever way the block ends, the
terminal's modes are restored, and the alternate screen, the mouse, bracketed paste and a hidden cursor are undone; a
guardian process does it should this one be killed. Signals that end programs become an orderly exit; a stop from
outside gives the terminal back for as long as it lasts.

Checked by tests/terminal/test_terminal_guard.py and tests/terminal/test_signals.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
import signal
import sys
import termios
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TextIO

from openhcs.tui.utils.guardian import Modes, TerminalGuardian, undo_full_screen

__all__ = ["TerminalGuard"]

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class TerminalGuard:
    """Restores the terminal behind `input_fd` and `output_fd` when its block ends; `is_live` until then.

    Without `guardian` no process watches over this one.
    """

    def __init__(self, input_fd: int | None = None, output_fd: int | None = None, *, guardian: bool = True) -> None:
        self._input_fd = _descriptor(sys.stdin) if input_fd is None else input_fd
        self._output_fd = _descriptor(sys.stdout) if output_fd is None else output_fd
        self._guardian = TerminalGuardian(self._output_fd) if guardian else None
        self._modes: Modes | None = None
        self._caught: dict[signal.Signals, Any] = {}
        self._stops_writers: Any = None
        self.is_live = False
        self.received: signal.Signals | None = None

    def __enter__(self) -> Self:
        # Without a terminal there are no modes, and nothing to guard.
        with contextlib.suppress(termios.error, OSError, ValueError):
            self._modes = termios.tcgetattr(self._input_fd)
        if self._guardian is not None and self._modes is not None and os.isatty(self._output_fd):
            # A machine that cannot start one more process still gets its workbench.
            with contextlib.suppress(OSError):
                self._guardian.start(self._modes)
        self.is_live = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exception: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.restore()

    def catch_signals(
        self,
        on_ending: Callable[[signal.Signals], None],
        on_stop: Callable[[], None] | None = None,
        on_continue: Callable[[], None] | None = None,
    ) -> None:
        """Call these in the running loop, until the block ends or `release_signals`.

        `on_ending` for SIGINT, SIGTERM, SIGHUP and SIGQUIT, `on_stop` for SIGTSTP, `on_continue` for SIGCONT.
        """
        loop, context = asyncio.get_running_loop(), contextvars.copy_context()

        def end(number: signal.Signals) -> None:
            self.received = self.received or number
            # Leaving sets the terminal's modes, which would stop a job in the background instead of ending it.
            stops_writers = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
            if self._stops_writers is None:
                self._stops_writers = stops_writers
            on_ending(number)

        def catch(number: signal.Signals, call: Callable[..., None], *args: object) -> None:
            def pass_on(number: int, frame: object) -> None:
                # Where the loop is closed the program is about to end as it is.
                with contextlib.suppress(RuntimeError):
                    loop.call_soon_threadsafe(call, *args, context=context)

            # Not the loop's own `add_signal_handler`: its signals come through the pipe that wakes the loop, and are
            # lost when that is full, as after a few hundred calls from threads while something blocks the loop.
            self._caught[number] = signal.signal(number, pass_on)

        for number in _ENDING:
            catch(number, end, number)
        if on_stop is not None:
            catch(signal.SIGTSTP, on_stop)
        if on_continue is not None:
            catch(signal.SIGCONT, on_continue)
        # When others, such as prompt_toolkit for SIGWINCH, have had the loop set its pipe.
        loop.call_soon(_bear_full_wakeup_pipe)

    def release_signals(self) -> None:
        """Stop catching signals."""
        while self._caught:
            number, before = self._caught.popitem()
            # None stands for what was not installed from Python, and cannot be put back.
            signal.signal(number, before if before is not None else signal.SIG_DFL)

    def restore(self) -> None:
        """Give the terminal back. May be called twice, and with the terminal gone."""
        if not self.is_live:
            return
        self.is_live = False
        self.release_signals()
        if self._modes is not None and self._is_ours():
            # Where the terminal is gone there is nothing to give back.
            with contextlib.suppress(OSError, termios.error):
                # At once, and not when all is written: a terminal whose output is held takes nothing.
                termios.tcsetattr(self._input_fd, termios.TCSANOW, self._modes)
            with contextlib.suppress(OSError):
                undo_full_screen(self._output_fd, None)
        if self._stops_writers is not None:
            signal.signal(signal.SIGTTOU, self._stops_writers)
            self._stops_writers = None
        if self._guardian is not None:
            self._guardian.dismiss()

    def _is_ours(self) -> bool:
        """Whether there is a terminal, and this program is not in the background, where it is the shell's."""
        if not os.isatty(self._output_fd):
            return False
        try:
            return os.tcgetpgrp(self._output_fd) == os.getpgrp()
        except OSError:
            # Not the terminal that controls this process: there are no jobs on it.
            return True


def _bear_full_wakeup_pipe() -> None:
    """Have a signal that finds the loop's pipe full not write on stderr, which is the screen: the loop wakes anyway."""
    pipe = signal.set_wakeup_fd(-1)
    if pipe != -1:
        signal.set_wakeup_fd(pipe, warn_on_full_buffer=False)


def _descriptor(stream: TextIO | None) -> int:
    """The file descriptor of a standard stream, or -1, which is never a terminal, where it has none."""
    try:
        return stream.fileno() if stream is not None else -1
    except (OSError, ValueError):
        return -1
