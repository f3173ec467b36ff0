"""Bytes for a terminal that takes them slowly: in order, whole, and nobody waits."""

from __future__ import annotations

import asyncio
import os
import pty
import sys
import tty
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from openhcs.tui.utils.terminal_sender import TerminalSender

MUCH = b"".join(b"\x1b[%d;1Hrow %d" % (row, row) for row in range(20_000))


class Terminal:
    """Both ends of a terminal, and what is heard of a sender to it."""

    def __init__(self) -> None:
        self.controller, self.end = pty.openpty()
        tty.setraw(self.end)
        self.sent = 0
        self.lost: list[OSError] = []

    def sender(self) -> TerminalSender:
        sender = TerminalSender.open(self.end, self._count, self.lost.append)
        assert sender is not None
        return sender

    def _count(self) -> None:
        self.sent += 1

    async def take(self, sender: TerminalSender) -> bytes:
        """All that `sender` has for us."""
        taken = b""
        os.set_blocking(self.controller, False)
        while sender.is_busy:
            taken += self.taken_now()
            await asyncio.sleep(0)
        return taken + self.taken_now()

    def taken_now(self) -> bytes:
        try:
            return os.read(self.controller, 1_000_000) + self.taken_now()
        except BlockingIOError:
            return b""


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    terminal = Terminal()
    yield terminal
    os.close(terminal.end)
    if terminal.controller >= 0:
        os.close(terminal.controller)


def test_what_a_terminal_takes_at_once_is_not_waited_for(terminal: Terminal) -> None:
    """A short text is written when it is sent, and nobody is told of its end."""

    async def main() -> None:
        sender = terminal.sender()
        sender.send(b"short")
        assert not sender.is_busy
        assert os.read(terminal.controller, 100) == b"short"
        sender.close()
        sender.close()

    asyncio.run(main())
    assert terminal.sent == 0


def test_the_rest_is_sent_in_order_as_it_is_taken(terminal: Terminal) -> None:
    """What is more than the terminal holds comes through whole, what is sent meanwhile behind it."""

    async def main() -> bytes:
        sender = terminal.sender()
        sender.send(MUCH)
        assert sender.is_busy
        assert not await sender.wait_sent(0.01)
        sender.send(b"the end")
        taken = await terminal.take(sender)
        assert await sender.wait_sent(1)
        sender.close()
        return taken

    assert asyncio.run(main()) == MUCH + b"the end"
    assert terminal.sent == 1
    assert os.get_blocking(terminal.end)


def test_a_picture_can_be_forgotten_and_modes_cannot(terminal: Terminal) -> None:
    """Of what is left over only the piece that is half sent, and what sets or asks something, is sent."""
    modes = b"\x1b[?1049h\x1b[?25l\x1b[6n\x1b[2 q\a\x1b]52;c;QUJD\a\x1bPtmux;\x1b\x1b]9;text\a\x1b\\"
    picture = "\x1b[0;38;5;7m漢字\x1b[3B\r\n\x1b[K\x1b(B".encode()

    async def main() -> bytes:
        sender = terminal.sender()
        sender.send(MUCH + picture + modes + picture)
        sender.forget_picture()
        assert sender.is_busy
        return await terminal.take(sender)

    taken = asyncio.run(main())
    assert taken.endswith(modes)
    begun = taken.removesuffix(modes)
    assert MUCH.startswith(begun)
    assert MUCH[len(begun) :].startswith((b"\x1b", b"r", b"o", b"w", b" ", *(b"%d" % digit for digit in range(10))))


def test_all_can_be_forgotten(terminal: Terminal) -> None:
    """Then nothing is left to be waited for."""

    async def main() -> None:
        sender = terminal.sender()
        sender.send(MUCH)
        sender.forget()
        assert await sender.wait_sent(0)
        sender.send(b"dropped as well")
        sender.close()

    asyncio.run(main())
    assert terminal.sent == 0


def test_a_terminal_that_goes_away_meanwhile_is_told_of(terminal: Terminal) -> None:
    """Where there is something left over the error is handed on, once; afterwards sending raises."""

    async def main() -> None:
        sender = terminal.sender()
        sender.send(MUCH)
        os.close(terminal.controller)
        terminal.controller = -1
        async with asyncio.timeout(10):
            while not terminal.lost:  # noqa: ASYNC110 - the fault comes from the loop's next turn
                await asyncio.sleep(0)
        assert not sender.is_busy
        with pytest.raises(OSError, match="Input/output"):
            sender.send(b"more")
        assert not sender.is_busy
        sender.close()

    asyncio.run(main())
    assert len(terminal.lost) == 1


def test_what_is_no_terminal_has_no_sender() -> None:
    """Pipes and files are written to as always."""

    async def main() -> None:
        reader, writer = os.pipe()
        assert TerminalSender.open(writer, lambda: None, lambda fault: None) is None
        os.close(reader)
        os.close(writer)

    asyncio.run(main())


def test_where_the_terminals_own_name_may_not_be_opened_the_sessions_is(tmp_path: Path) -> None:
    """As after `su`, when the terminal is still that of the one who logged in."""
    script = tmp_path / "script.py"
    script.write_text(
        "import asyncio, os\n"
        "from openhcs.tui.utils.terminal_sender import TerminalSender\n"
        "os.ttyname = lambda fd: '/nonexistent'\n"
        "async def main():\n"
        "    sender = TerminalSender.open(1, print, print)\n"
        "    sender.send(b'sent by the name of the session')\n"
        "asyncio.run(main())\n"
    )
    program = pexpect.spawn(sys.executable, [str(script)], timeout=60)
    program.expect_exact("sent by the name of the session")
    program.expect(pexpect.EOF)
    program.close()
    assert program.exitstatus == 0
