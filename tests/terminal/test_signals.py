"""The workbench in a real terminal, under every signal: the terminal is given back and the exit code is right."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import psutil
import pytest

pytestmark = pytest.mark.terminal

LEFT_ALTERNATE_SCREEN = "\x1b[?1049l"
DRAWN = "Quit"
PATIENCE_S = 60.0


class Terminal:
    """A shell that runs the workbench and then tells its exit code.

    The shell leads the session, as on every real terminal: the death of a session's leader takes the terminal along.
    """

    def __init__(self, home: Path) -> None:
        environment = {**os.environ, "TERM": "xterm-256color", "OPENHCS_HOME": str(home), "LC_ALL": "C.UTF-8"}
        command = f"{shlex.quote(sys.executable)} -m openhcs tui; echo code $?; read -r"
        self.shell = pexpect.spawn(
            "bash",
            ["--norc", "-c", command],
            dimensions=(24, 80),
            env=environment,
            encoding="utf-8",
            timeout=PATIENCE_S,
        )
        self._modes_before = termios.tcgetattr(self.shell.child_fd)
        self.shell.expect_exact(DRAWN)
        self.program = psutil.Process(self.shell.pid).children()[0]

    @property
    def modes_are_restored(self) -> bool:
        """Whether the terminal's modes are those from before the program started."""
        now: list[object] = termios.tcgetattr(self.shell.child_fd)
        return now == self._modes_before

    def guardians(self) -> list[psutil.Process]:
        """The processes that watch over the program."""
        return [child for child in self.program.children() if "guardian" in " ".join(child.cmdline())]


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """The workbench, opened without a plate and drawn."""
    terminal = Terminal(tmp_path)
    yield terminal
    terminal.shell.close(force=True)


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Wait for something outside this process."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_an_ending_signal_is_an_orderly_exit(terminal: Terminal, number: signal.Signals) -> None:
    """The terminal is given back and the exit code is 128 plus the signal's number, as shells count."""
    terminal.program.send_signal(number)
    terminal.shell.expect_exact(f"code {128 + number}")
    assert LEFT_ALTERNATE_SCREEN in terminal.shell.before
    assert "Traceback" not in terminal.shell.before
    assert "Press ENTER" not in terminal.shell.before
    assert terminal.modes_are_restored


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_the_guardian_gives_the_terminal_back(terminal: Terminal, number: signal.Signals) -> None:
    """A program that is killed outright leaves the terminal as it was, and no process behind."""
    guardians = terminal.guardians()
    assert len(guardians) == 1
    terminal.program.send_signal(number)
    terminal.shell.expect_exact(LEFT_ALTERNATE_SCREEN)
    wait_until(lambda: terminal.modes_are_restored, "the terminal's modes")
    _, alive = psutil.wait_procs(guardians, timeout=PATIENCE_S)
    assert not alive


def test_a_normal_exit_leaves_no_guardian(terminal: Terminal) -> None:
    """Quitting by key ends the guardian, restores the modes and exits with 0."""
    guardians = terminal.guardians()
    terminal.shell.send("q")
    terminal.shell.expect_exact("code 0")
    assert terminal.modes_are_restored
    _, alive = psutil.wait_procs(guardians, timeout=PATIENCE_S)
    assert not alive


def test_a_stop_gives_the_terminal_back_to_the_shell(tmp_path: Path) -> None:
    """SIGTSTP leaves the screen and stops the program under its shell; `fg` brings both back, and it goes on."""
    environment = {**os.environ, "TERM": "xterm-256color", "OPENHCS_HOME": str(tmp_path), "PS1": "shell> "}
    shell = pexpect.spawn(
        "bash", ["--norc", "-i"], dimensions=(24, 80), env=environment, encoding="utf-8", timeout=PATIENCE_S
    )
    try:
        shell.sendline(f"{shlex.quote(sys.executable)} -m openhcs tui")
        shell.expect_exact(DRAWN)
        program = next(child for child in psutil.Process(shell.pid).children() if "openhcs" in child.cmdline())
        program.send_signal(signal.SIGTSTP)
        shell.expect_exact(LEFT_ALTERNATE_SCREEN)
        shell.expect_exact("Stopped")
        shell.sendline("fg; echo code $?")
        shell.expect_exact(DRAWN)
        shell.send("q")
        shell.expect_exact("code 0")
    finally:
        shell.close(force=True)


def test_a_stop_that_cannot_be_caught_is_drawn_over(terminal: Terminal) -> None:
    """After SIGSTOP and SIGCONT the screen is drawn anew and keys work."""
    terminal.program.send_signal(signal.SIGSTOP)
    wait_until(lambda: terminal.program.status() == psutil.STATUS_STOPPED, "the stop")
    terminal.program.send_signal(signal.SIGCONT)
    terminal.shell.expect_exact(DRAWN)
    terminal.shell.send("q")
    terminal.shell.expect_exact("code 0")
