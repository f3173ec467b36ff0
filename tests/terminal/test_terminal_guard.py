"""The terminal guard: whichever way the block ends, the terminal is as it was."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator
from typing import Any, NoReturn, TypeAlias

import psutil
import pytest

from openhcs.tui.utils.terminal_guard import TerminalGuard

pytestmark = pytest.mark.terminal

LEAVING = b"\x1b[?1049l"


class Terminal:
    """Both ends of a pseudo-terminal."""

    def __init__(self) -> None:
        self.controller, self.end = pty.openpty()

    @property
    def modes(self) -> list[Any]:
        return termios.tcgetattr(self.end)

    def written(self) -> bytes:
        """What has been written so far."""
        text = b""
        while select.select([self.controller], [], [], 0.05)[0]:
            text += os.read(self.controller, 10_000)
        return text


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    terminal = Terminal()
    yield terminal
    os.close(terminal.end)
    os.close(terminal.controller)


Begun: TypeAlias = Callable[[], set[psutil.Process]]


@pytest.fixture
def begun() -> Begun:
    """Asks for the processes of this one's that were begun in the test, and go on."""
    others = set(psutil.Process().children())
    return lambda: set(psutil.Process().children()) - others


def fail_in_raw_mode(terminal: int, begun: Begun, guardian: bool, error: BaseException) -> NoReturn:
    with TerminalGuard(terminal, terminal, guardian=guardian) as guard:
        assert guard.is_live
        assert len(begun()) == guardian
        tty.setraw(terminal)
        raise error


@pytest.mark.parametrize("guardian", [True, False])
def test_modes_are_restored_when_the_block_fails(terminal: Terminal, begun: Begun, guardian: bool) -> None:
    """Raw mode is undone and the alternate screen left when an exception leaves the block; nobody stays behind."""
    before = terminal.modes
    with pytest.raises(OSError, match="in the block"):
        fail_in_raw_mode(terminal.end, begun, guardian, OSError("in the block"))
    assert terminal.modes == before
    assert terminal.written().count(LEAVING) == 1
    assert not begun()


@pytest.mark.parametrize("ending", [SystemExit, KeyboardInterrupt, asyncio.CancelledError])
def test_modes_are_restored_at_any_exit(terminal: Terminal, begun: Begun, ending: type[BaseException]) -> None:
    """Exits and cancellations give the terminal back too, and go on."""
    before = terminal.modes
    with pytest.raises(ending):
        fail_in_raw_mode(terminal.end, begun, False, ending())
    assert terminal.modes == before


def test_giving_back_twice_writes_once(terminal: Terminal) -> None:
    """`restore` before the end of the block leaves nothing for the end."""
    with TerminalGuard(terminal.end, terminal.end, guardian=False) as guard:
        guard.restore()
        guard.restore()
    assert terminal.written().count(LEAVING) == 1


def test_a_terminal_whose_output_is_held_does_not_hold_us(terminal: Terminal) -> None:
    """With output waiting to be taken by the other side, the modes are restored at once."""
    before = terminal.modes
    begun = time.monotonic()
    with TerminalGuard(terminal.end, terminal.end, guardian=False):
        tty.setraw(terminal.end)
        os.write(terminal.end, b"x" * 1_000)
    assert time.monotonic() - begun < 2
    assert terminal.modes == before


def test_a_terminal_that_takes_nothing_more_is_given_back_all_the_same(terminal: Terminal) -> None:
    """Full to the brim, with nobody who reads, it loses what it holds and gets what gives it back, in short time."""
    before = terminal.modes
    begun = time.monotonic()
    with TerminalGuard(terminal.end, terminal.end, guardian=False):
        tty.setraw(terminal.end)
        os.set_blocking(terminal.end, False)
        with contextlib.suppress(BlockingIOError):
            while os.write(terminal.end, b"x" * 10_000):
                pass
        os.set_blocking(terminal.end, True)
    assert time.monotonic() - begun < 10
    assert terminal.modes == before
    assert LEAVING in terminal.written()


def test_what_is_no_terminal_is_left_alone(begun: Begun) -> None:
    """Pipes get no escape sequences, and no process watches over them."""
    reader, writer = os.pipe()
    try:
        with TerminalGuard(reader, writer):
            assert not begun()
        assert select.select([reader], [], [], 0)[0] == []
    finally:
        os.close(reader)
        os.close(writer)


def test_a_terminal_that_goes_away_within_the_block(terminal: Terminal, begun: Begun) -> None:
    """There is nothing to give back to, and no error."""
    with TerminalGuard(terminal.end, terminal.end):
        os.close(terminal.controller)
        terminal.controller = os.open(os.devnull, os.O_RDONLY)
    assert not begun()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_signals_are_caught_within_the_block_only(terminal: Terminal, number: signal.Signals) -> None:
    """Each ending signal calls `on_ending` in the loop; afterwards the signals do what they did before."""
    before = [signal.getsignal(each) for each in signal.valid_signals()]
    got: list[signal.Signals] = []

    async def main() -> None:
        with TerminalGuard(terminal.end, terminal.end, guardian=False) as guard:
            guard.catch_signals(got.append)
            os.kill(os.getpid(), number)
            os.kill(os.getpid(), number)
            async with asyncio.timeout(10):
                while not got:  # noqa: ASYNC110 - signals set no event
                    await asyncio.sleep(0.001)
            assert guard.received == number

    asyncio.run(main())
    assert set(got) == {number}
    assert [signal.getsignal(each) for each in signal.valid_signals()] == before


def test_no_signal_is_lost_when_the_loop_has_much_to_do(terminal: Terminal, capfd: pytest.CaptureFixture[str]) -> None:
    """Calls from threads fill the pipe that wakes the loop: signals come all the same, and stderr says nothing."""
    got: list[signal.Signals] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with TerminalGuard(terminal.end, terminal.end, guardian=False) as guard:
            guard.catch_signals(got.append)
            loop.add_signal_handler(signal.SIGWINCH, lambda: None)
            await asyncio.sleep(0)
            for _ in range(5_000):
                loop.call_soon_threadsafe(lambda: None)
            os.kill(os.getpid(), signal.SIGWINCH)
            os.kill(os.getpid(), signal.SIGTERM)
            async with asyncio.timeout(10):
                while not got:  # noqa: ASYNC110 - signals set no event
                    await asyncio.sleep(0.001)
            loop.remove_signal_handler(signal.SIGWINCH)

    asyncio.run(main())
    assert got == [signal.SIGTERM]
    assert capfd.readouterr().err == ""


def test_stops_are_caught_where_somebody_wants_them(terminal: Terminal) -> None:
    """SIGTSTP and SIGCONT are left alone without a handler, and call it with one."""
    got: list[str] = []

    async def main() -> None:
        with TerminalGuard(terminal.end, terminal.end, guardian=False) as guard:
            guard.catch_signals(lambda number: None, lambda: got.append("stop"), lambda: got.append("go on"))
            os.kill(os.getpid(), signal.SIGTSTP)
            os.kill(os.getpid(), signal.SIGCONT)
            async with asyncio.timeout(10):
                while len(got) < 2:  # noqa: ASYNC110 - signals set no event
                    await asyncio.sleep(0.001)

    asyncio.run(main())
    assert sorted(got) == ["go on", "stop"]


def test_a_program_that_forgets_to_close_its_loop_in_time(terminal: Terminal) -> None:
    """Signals caught on a loop that is closed by now are no obstacle to giving the terminal back."""
    before = terminal.modes
    with TerminalGuard(terminal.end, terminal.end, guardian=False) as guard:

        async def main() -> None:
            guard.catch_signals(lambda number: None)
            tty.setraw(terminal.end)

        asyncio.run(main())
    assert terminal.modes == before


@pytest.mark.parametrize("stream", ["stdin", "stdout"])
def test_a_program_without_a_stream(stream: str) -> None:
    """Started with a standard stream closed, the guard is made without an error and guards nothing."""
    script = f"""
import os, sys
sys.{stream} = None
from openhcs.tui.utils.terminal_guard import TerminalGuard
with TerminalGuard() as guard:
    os.write(2, b"inside")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "inside")
