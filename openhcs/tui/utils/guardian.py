"""Gives the terminal back when this process cannot: killed by SIGKILL, or by a fault in native code (G10).

`TerminalGuardian.start` starts a tiny process that knows the terminal's modes and waits on a pipe. `dismiss` lets it
go. If the pipe ends without that, the program is dead: the guardian restores the terminal and ends. It has a session of
its own, so neither the terminal's signals nor a killed process group take it along, and it holds nothing but the pipe
and the terminal, so it never outlives either.

Run as a script by a bare interpreter: this module may import nothing but the standard library.
Checked by tests/terminal/test_guardian.py.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import termios

__all__ = ["TerminalGuardian", "undo_full_screen"]

_DISMISSED = b"."

Modes = list[int | list[bytes | int]]


class TerminalGuardian:
    """Watches over the terminal behind `terminal_fd`, between `start` and `dismiss`."""

    def __init__(self, terminal_fd: int) -> None:
        self._terminal_fd = terminal_fd
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, modes: Modes) -> None:
        """Start the guardian process, which would restore `modes` (of `termios.tcgetattr`)."""
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-E", __file__, _dump(modes)],
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
        process.wait()


def undo_full_screen(terminal_fd: int, modes: Modes | None) -> None:
    """Undo the mouse, bracketed paste, the alternate screen, colours and a hidden cursor, and set `modes`.

    Raises OSError or termios.error when the terminal is gone.
    """
    os.write(
        terminal_fd,
        b"\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l"  # mouse reports
        b"\x1b[?2004l"  # bracketed paste
        b"\x1b[?1049l"  # alternate screen
        b"\x1b[0m\x1b[?25h",  # colours, cursor
    )
    if modes is not None:
        termios.tcsetattr(terminal_fd, termios.TCSADRAIN, modes)


def _dump(modes: Modes) -> str:
    *flags, characters = modes
    assert isinstance(characters, list)
    plain = [char if isinstance(char, int) else char[0] for char in characters]
    return json.dumps([*flags, plain])


def _load(text: str) -> Modes:
    *flags, characters = json.loads(text)
    lflag = flags[3]
    in_numbers = (termios.VMIN, termios.VTIME) if not lflag & termios.ICANON else ()
    restored = [char if at in in_numbers else bytes([char]) for at, char in enumerate(characters)]
    return [*flags, restored]


def _guard() -> None:
    modes = _load(sys.argv[1])
    if os.read(0, 1) != _DISMISSED:
        undo_full_screen(1, modes)


if __name__ == "__main__":
    _guard()
