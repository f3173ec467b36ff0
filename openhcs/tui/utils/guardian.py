"""Gives the terminal back when this process cannot: killed by SIGKILL, or by a fault in native code (G10).

`TerminalGuardian.start` starts a tiny process that knows the terminal's modes and waits on a pipe. `dismiss` lets it
go. If the pipe or the program ends without that, the program is dead: the guardian restores the terminal and ends. It
has a session of its own, so neither the terminal's signals nor a killed process group take it along, and it holds
nothing but the pipe and the terminal, so it never outlives either.

Run as a script by a bare interpreter: this module may import nothing but the standard library.
Checked by tests/terminal/test_guardian.py.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
import termios

__all__ = ["Modes", "TerminalGuardian", "undo_full_screen"]

_DISMISSED = b"."

_DISMISSAL_S = 1.0
"""How long a guardian is given to end by itself; it needs about a millisecond."""

_HELD_S = 0.5
"""How long a terminal that takes nothing is waited for before it is made to."""

Modes = list[int | list[bytes | int]]

_FLAGS = 6
"""Numbers that stand before the control characters in what `termios.tcgetattr` returns."""


class TerminalGuardian:
    """Watches over the terminal behind `terminal_fd`, between `start` and `dismiss`."""

    def __init__(self, terminal_fd: int) -> None:
        self._terminal_fd = terminal_fd
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, modes: Modes) -> None:
        """Start the guardian process, which would restore `modes` (of `termios.tcgetattr`)."""
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, str(os.getpid()), _dump(modes)],
            stdin=subprocess.PIPE,
            stdout=self._terminal_fd,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
        )

    def dismiss(self) -> None:
        """Let the guardian end without touching the terminal. May be called twice."""
        process, self._process = self._process, None
        if process is None or process.stdin is None:
            return
        try:
            process.stdin.write(_DISMISSED)
            process.stdin.close()
        except OSError:
            # It is dead already, which is all that was wanted of it.
            pass
        try:
            process.wait(_DISMISSAL_S)
        except subprocess.TimeoutExpired:
            # Stopped by somebody, or starved: leaving the program must not wait for it.
            process.kill()
            process.wait()


def undo_full_screen(terminal_fd: int, modes: Modes | None) -> None:
    """Set `modes`, and undo the mouse, bracketed paste, the alternate screen, colours and a hidden cursor.

    Raises OSError or termios.error when the terminal is gone.
    """
    if modes is not None:
        # First and at once: a terminal whose output is held takes nothing, perhaps for ever.
        termios.tcsetattr(terminal_fd, termios.TCSANOW, modes)
    if not select.select((), [terminal_fd], (), _HELD_S)[1]:
        # It is full, and nobody reads at its other end. What it has not taken is a picture that is to go anyway.
        termios.tcflush(terminal_fd, termios.TCOFLUSH)
    os.write(
        terminal_fd,
        b"\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l"  # mouse reports
        b"\x1b[?2004l"  # bracketed paste
        b"\x1b[?1049l"  # alternate screen
        b"\x1b[0m\x1b[?25h",  # colours, cursor
    )


def _dump(modes: Modes) -> str:
    *flags, characters = modes
    assert isinstance(characters, list)
    plain = [char if isinstance(char, int) else char[0] for char in characters]
    return " ".join(map(str, [*flags, *plain]))


def _load(text: str) -> Modes:
    numbers = [int(number) for number in text.split()]
    flags, characters = numbers[:_FLAGS], numbers[_FLAGS:]
    lflag = flags[3]
    in_numbers = (termios.VMIN, termios.VTIME) if not lflag & termios.ICANON else ()
    restored = [char if at in in_numbers else bytes([char]) for at, char in enumerate(characters)]
    return [*flags, restored]


def _guard() -> None:
    program, modes = int(sys.argv[1]), _load(sys.argv[2])
    _wait_for_end(program)
    if _DISMISSED not in _read_all(0):
        undo_full_screen(1, modes)


def _wait_for_end(program: int) -> None:
    """Wait until the pipe has something to say or `program` is dead: its children may hold the pipe open."""
    waited_for = [0]
    if sys.platform == "linux":
        # Where the kernel is older than 5.3 the pipe alone must do.
        with contextlib.suppress(OSError):
            waited_for.append(os.pidfd_open(program))
    if os.getppid() == program:
        select.select(waited_for, (), ())


def _read_all(fd: int) -> bytes:
    """What can be read from `fd` without waiting."""
    os.set_blocking(fd, False)
    try:
        return os.read(fd, 100)
    except BlockingIOError:
        return b""


if __name__ == "__main__":
    _guard()
