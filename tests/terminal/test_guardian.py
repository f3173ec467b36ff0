"""The guardian: a terminal is given back even when its program was killed."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from openhcs.tui.utils import guardian as guardian_module
from openhcs.tui.utils.guardian import TerminalGuardian, undo_full_screen

pytestmark = pytest.mark.terminal

PATIENCE_S = 60.0

LEAVING = b"\x1b[?1049l"

PROGRAM = """
import os, signal, subprocess, sys, termios, time, tty
from openhcs.tui.utils import guardian as guardian_module
from openhcs.tui.utils.guardian import TerminalGuardian
terminal = 0
modes = termios.tcgetattr(terminal)
guardian = TerminalGuardian(terminal)
guardian.start(modes)
tty.setraw(terminal)
print("guarded by", guardian._process.pid, flush=True)
"""


class Terminal:
    """Both ends of a pseudo-terminal, and the modes it began with."""

    def __init__(self) -> None:
        self.controller, self.end = pty.openpty()
        os.set_blocking(self.controller, False)
        self.before = self.modes
        self.written = b""

    @property
    def modes(self) -> list[int | list[bytes | int]]:
        modes: list[int | list[bytes | int]] = termios.tcgetattr(self.end)
        return modes

    def read(self, timeout_s: float = 0.0) -> bytes:
        """Everything written so far, after waiting for more at most `timeout_s`."""
        if select.select([self.controller], [], [], timeout_s)[0]:
            self.written += os.read(self.controller, 10_000)
        return self.written

    def read_until(self, part: bytes) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while part not in self.read(0.05):
            assert time.monotonic() < deadline, f"waited in vain for {part!r}; there is {self.written!r}"

    def run(self, script: str) -> subprocess.Popen[bytes]:
        """A program on this terminal, in a session of its own."""
        return subprocess.Popen(
            [sys.executable, "-c", PROGRAM + script],
            stdin=self.end,
            stdout=self.end,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def guardian_of_program(self) -> int:
        """The guardian's process id, as the program prints it."""
        self.read_until(b"guarded by ")
        self.read_until(b"\n")
        return int(self.written.split(b"guarded by ")[1].split()[0])


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    terminal = Terminal()
    yield terminal
    os.close(terminal.end)
    os.close(terminal.controller)


def is_alive(pid: int) -> bool:
    """Whether process `pid` runs; one that is dead and waits to be reaped does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def wait_gone(pid: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while is_alive(pid):
        assert time.monotonic() < deadline, f"process {pid} lives on"
        time.sleep(0.01)


def test_a_dismissed_guardian_leaves_the_terminal_alone(terminal: Terminal) -> None:
    """After `dismiss` nothing is written, the modes stay, and no process is left."""
    guardian = TerminalGuardian(terminal.end)
    guardian.start(terminal.before)
    assert guardian._process is not None
    pid = guardian._process.pid
    changed = terminal.modes
    assert isinstance(changed[3], int)
    changed[3] &= ~termios.ECHO
    termios.tcsetattr(terminal.end, termios.TCSANOW, changed)
    guardian.dismiss()
    guardian.dismiss()
    assert not is_alive(pid)
    assert terminal.modes == changed
    assert terminal.read() == b""


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
        ("os.kill(os.getpid(), signal.SIGSEGV)", -signal.SIGSEGV),
        ("import ctypes; ctypes.string_at(0)", -signal.SIGSEGV),
        ("os.killpg(os.getpgrp(), signal.SIGKILL)", -signal.SIGKILL),
        ("os.abort()", -signal.SIGABRT),
        ("os._exit(3)", 3),
    ],
)
def test_a_killed_program_gives_the_terminal_back(terminal: Terminal, end: str, code: int) -> None:
    """However it dies, the modes are restored, the alternate screen is left, and the guardian is gone."""
    program = terminal.run(end)
    guardian = terminal.guardian_of_program()
    assert program.wait(PATIENCE_S) == code
    terminal.read_until(LEAVING)
    wait_gone(guardian)
    terminal.read()
    assert terminal.modes == terminal.before
    assert b"\x1b[?25h" in terminal.written
    assert b"\x1b[?2004l" in terminal.written


def test_a_child_that_holds_the_pipe_does_not_hold_the_guardian(terminal: Terminal) -> None:
    """A program is dead although what it forked lives on."""
    program = terminal.run("""
if os.fork() == 0:
    time.sleep(60)
    os._exit(0)
time.sleep(60)
""")
    guardian = terminal.guardian_of_program()
    (child,) = [child for child in wait_for_children(program.pid, 2) if child.pid != guardian]
    program.kill()
    program.wait()
    try:
        terminal.read_until(LEAVING)
        wait_gone(guardian)
        assert child.is_running()
    finally:
        child.kill()


def wait_for_children(pid: int, count: int) -> list[psutil.Process]:
    deadline = time.monotonic() + PATIENCE_S
    while len(children := psutil.Process(pid).children()) < count:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return children


def test_a_program_that_dismisses_it_and_ends(terminal: Terminal) -> None:
    """After a normal end the terminal is as the program left it."""
    program = terminal.run("termios.tcsetattr(0, termios.TCSANOW, modes); guardian.dismiss()")
    assert program.wait(PATIENCE_S) == 0
    guardian = terminal.guardian_of_program()
    wait_gone(guardian)
    assert LEAVING not in terminal.read(0.05)


def test_a_terminal_that_is_gone_keeps_nobody(terminal: Terminal) -> None:
    """When the terminal closes with the program the guardian ends as well."""
    program = terminal.run("time.sleep(60)")
    guardian = terminal.guardian_of_program()
    os.close(terminal.controller)
    terminal.controller = os.open(os.devnull, os.O_RDONLY)
    program.kill()
    program.wait()
    wait_gone(guardian)


def test_signals_of_the_terminal_do_not_reach_it(terminal: Terminal) -> None:
    """Ctrl-C, Ctrl-\\ and a hang-up of the program's group leave the guardian at its post."""
    program = terminal.run("""
for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
    os.killpg(os.getpgrp(), number)
print("still here", flush=True)
time.sleep(60)
""")
    guardian = terminal.guardian_of_program()
    terminal.read_until(b"still here")
    assert is_alive(guardian)
    program.kill()
    program.wait()
    terminal.read_until(LEAVING)
    wait_gone(guardian)


def test_a_guardian_that_is_stopped_or_dead_delays_nobody(terminal: Terminal) -> None:
    """`dismiss` ends in time whatever has become of the process."""
    for number in (signal.SIGSTOP, signal.SIGKILL):
        guardian = TerminalGuardian(terminal.end)
        guardian.start(terminal.before)
        assert guardian._process is not None
        pid = guardian._process.pid
        os.kill(pid, number)
        begun = time.monotonic()
        guardian.dismiss()
        assert time.monotonic() - begun < 5
        assert not is_alive(pid)


def test_modes_of_any_kind_survive_the_journey(terminal: Terminal) -> None:
    """Raw modes, whose minimum and time are numbers, and odd control characters are restored as they were."""
    odd = terminal.modes
    assert isinstance(odd[3], int)
    assert isinstance(odd[6], list)
    odd[3] &= ~termios.ICANON
    odd[6][termios.VMIN], odd[6][termios.VTIME], odd[6][termios.VINTR] = 3, 7, b"\xff"
    termios.tcsetattr(terminal.end, termios.TCSANOW, odd)
    odd = terminal.modes
    program = terminal.run("os._exit(0)")
    guardian = terminal.guardian_of_program()
    program.wait(PATIENCE_S)
    wait_gone(guardian)
    assert terminal.modes == odd


def test_a_held_terminal_has_its_modes_at_once(terminal: Terminal) -> None:
    """With its output stopped a terminal gets its modes now, and the rest when it takes output again."""
    program = terminal.run("time.sleep(60)")
    guardian = terminal.guardian_of_program()
    termios.tcflow(terminal.end, termios.TCOOFF)
    program.kill()
    program.wait()
    deadline = time.monotonic() + PATIENCE_S
    while terminal.modes != terminal.before:
        assert time.monotonic() < deadline, "the modes were not restored"
    termios.tcflow(terminal.end, termios.TCOON)
    terminal.read_until(LEAVING)
    wait_gone(guardian)


def test_it_is_small_and_needs_no_more_than_the_standard_library(tmp_path: Path) -> None:
    """The script runs on a bare interpreter, alone in a folder."""
    script = tmp_path / "guardian.py"
    script.write_bytes(Path(guardian_module.__file__).read_bytes())
    bare = subprocess.run([sys.executable, "-I", "-S", "-c", f"import runpy; runpy.run_path({str(script)!r})"])
    assert bare.returncode == 0


def test_undoing_tells_when_the_terminal_is_gone(terminal: Terminal) -> None:
    """A closed terminal raises, for the caller to pass over."""
    gone = os.open(os.devnull, os.O_RDONLY)
    try:
        with pytest.raises(OSError, match="Bad file descriptor"):
            undo_full_screen(gone, None)
    finally:
        os.close(gone)
