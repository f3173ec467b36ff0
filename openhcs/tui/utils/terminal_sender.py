"""Bytes on their way to a terminal that takes them slowly, or takes none for now.

A write to a terminal that is full waits until its other end has read: over a slow link that is seconds for one frame,
in which no key would be heard. `TerminalSender` writes what the terminal takes at once, and the rest from the event
loop as it takes more. It does so on an open file of its own: standard input, the shell and other programs on the
terminal share theirs, and are not to find it changed.

Checked by tests/tui/utils/test_terminal_sender.py and, with a whole application, tests/terminal/test_slow_terminal.py.

Standard library only.
"""

from __future__ import annotations

import asyncio
import os
import re
import termios
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Self

__all__ = ["TerminalSender"]

_STRINGS: Final = rb"\x1b\].*?(?:\x07|\x1b\\)|\x1b[P^_X].*?(?<!\x1b)\x1b\\"
"""The clipboard, notifications, titles; for tmux to hand on, with its escapes doubled."""

_PIECES: Final = re.compile(
    _STRINGS + rb"|\x1b\[[0-?]*[ -/]*[@-~]|\x1b[ -/]*[0-~]|[\xc0-\xff][\x80-\xbf]*|.", re.DOTALL
)
"""A control sequence or a character: what a terminal must be given whole."""

_SET: Final = re.compile(_STRINGS + rb"|\x1b\[\?[0-9;]*[hl]|\x1b\[[0-9]* q|\x1b\[[0-9]*n|\x07", re.DOTALL)
"""What changes the terminal, or asks it for something, beyond its picture: modes, the shape of the cursor, the bell."""


class TerminalSender:
    """Sends to a terminal without waiting for it; make it with `open`, in the loop that it is to work in.

    Args:
        fd: an open file of the terminal that does not block, which is closed with this.
        on_sent: called in the loop when what was left over has been taken.
        on_lost: called in the loop with the error by which the terminal turned out to be gone.
    """

    def __init__(self, fd: int, on_sent: Callable[[], None], on_lost: Callable[[OSError], None]) -> None:
        self._fd = fd
        self._on_sent = on_sent
        self._on_lost = on_lost
        self._data = b""
        self._at = 0
        self._loop = asyncio.get_running_loop()
        self._all_sent = asyncio.Event()
        self._all_sent.set()

    @classmethod
    def open(cls, terminal: int, on_sent: Callable[[], None], on_lost: Callable[[OSError], None]) -> Self | None:
        """A sender to the terminal behind the file descriptor `terminal`; None where there is no other way to it."""
        fd = _opened_anew(terminal)
        return cls(fd, on_sent, on_lost) if fd is not None else None

    @property
    def is_busy(self) -> bool:
        """Whether something is left over that the terminal has not taken yet."""
        return self._at < len(self._data)

    def send(self, data: bytes) -> None:
        """Send `data` behind what is left over. Raises OSError where the terminal is gone."""
        waits_already = self.is_busy
        self._data, self._at = self._data[self._at :] + data, 0
        if waits_already:
            return
        try:
            self._send_some()
        except OSError:
            self._data = b""
            raise
        if self.is_busy:
            self._all_sent.clear()
            self._loop.add_writer(self._fd, self._go_on)

    def forget_picture(self) -> None:
        """Leave out what is left over but for what must be whole or changes more than the picture."""
        if not self.is_busy:
            return
        kept: list[bytes] = []
        for piece in _PIECES.finditer(self._data):
            if piece.end() <= self._at:
                continue
            if piece.start() < self._at:
                kept.append(self._data[self._at : piece.end()])
            elif _SET.fullmatch(piece[0]):
                kept.append(piece[0])
        self._keep(b"".join(kept))

    def insist(self) -> None:
        """Send what is left over in place of what the terminal holds unread, which is thrown away."""
        with suppress(termios.error):
            termios.tcflush(self._fd, termios.TCOFLUSH)
        with suppress(OSError):
            self._send_some()
        self.forget()

    def forget(self) -> None:
        """Leave out all that is left over."""
        self._keep(b"")

    async def wait_sent(self, timeout_s: float) -> bool:
        """Wait until the terminal has taken everything, for so long at most; whether it has."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._all_sent.wait()
        return not self.is_busy

    def close(self) -> None:
        """Leave out what is left over, and close the file. May be called twice."""
        if self._fd >= 0:
            self.forget()
            os.close(self._fd)
            self._fd = -1

    def _keep(self, rest: bytes) -> None:
        self._data, self._at = rest, 0
        if not rest and not self._all_sent.is_set():
            self._loop.remove_writer(self._fd)
            self._all_sent.set()

    def _send_some(self) -> None:
        try:
            while self.is_busy:
                self._at += os.write(self._fd, memoryview(self._data)[self._at :])
        except BlockingIOError:
            return

    def _go_on(self) -> None:
        try:
            self._send_some()
        except OSError as fault:
            self.forget()
            self._on_lost(fault)
            return
        if not self.is_busy:
            self.forget()
            self._on_sent()


def _opened_anew(terminal: int) -> int | None:
    flags = os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK
    try:
        name = os.ttyname(terminal)
        fd = os.open(name, flags)
    except OSError:
        return _opened_by_session(terminal, flags)
    if os.fstat(fd).st_rdev == os.fstat(terminal).st_rdev:
        return fd
    os.close(fd)
    return _opened_by_session(terminal, flags)


def _opened_by_session(terminal: int, flags: int) -> int | None:
    """The same by the name that every session's own terminal has: after `su` the other one is somebody else's."""
    try:
        os.tcgetpgrp(terminal)  # fails for every terminal but the session's own
        return os.open("/dev/tty", flags)
    except OSError:
        return None
