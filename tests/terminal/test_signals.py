"""The workbench in a real terminal, under every signal: the terminal is given back and the exit code is right."""

from __future__ import annotations

import os
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


@pytest.fixture
def child(tmp_path: Path) -> Iterator[pexpect.spawn]:
    """The workbench, opened without a plate and drawn."""
    environment = {**os.environ, "TERM": "xterm-256color", "OPENHCS_HOME": str(tmp_path), "LC_ALL": "C.UTF-8"}
    process = pexpect.spawn(
        sys.executable, ["-m", "openhcs", "tui"], dimensions=(24, 80), env=environment, encoding="utf-8", timeout=20
    )
    process.modes_before = termios.tcgetattr(process.child_fd)
    process.expect_exact(DRAWN)
    yield process
    process.close(force=True)


def wait_until(condition: Callable[[], bool], what: str, timeout_s: float = 10.0) -> None:
    """Wait for something outside this process."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout_s} s in vain for {what}"
        time.sleep(0.02)


def modes_are_restored(child: pexpect.spawn) -> bool:
    """Whether the terminal's modes are those from before the program started."""
    now: list[object] = termios.tcgetattr(child.child_fd)
    return now == child.modes_before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_an_ending_signal_is_an_orderly_exit(child: pexpect.spawn, number: signal.Signals) -> None:
    """The terminal is given back and the exit code is 128 plus the signal's number, as shells count."""
    child.kill(number)
    child.expect(pexpect.EOF)
    child.wait()
    assert LEFT_ALTERNATE_SCREEN in child.before
    assert "Traceback" not in child.before
    assert "Press ENTER" not in child.before
    assert child.exitstatus == 128 + number
    assert modes_are_restored(child)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_the_guardian_gives_the_terminal_back(child: pexpect.spawn, number: signal.Signals) -> None:
    """A program that is killed outright leaves the terminal as it was, and no process behind."""
    guardians = [
        process for process in psutil.Process(child.pid).children() if "guardian" in " ".join(process.cmdline())
    ]
    assert len(guardians) == 1
    child.kill(number)
    child.expect_exact(LEFT_ALTERNATE_SCREEN)
    wait_until(lambda: modes_are_restored(child), "the terminal's modes")
    psutil.wait_procs(guardians, timeout=10)
    assert not any(guardian.is_running() for guardian in guardians)


def test_a_normal_exit_leaves_no_guardian(child: pexpect.spawn) -> None:
    """Quitting by key ends the guardian, restores the modes and exits with 0."""
    guardians = psutil.Process(child.pid).children()
    child.send("q")
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 0
    assert modes_are_restored(child)
    psutil.wait_procs(guardians, timeout=10)
    assert not any(guardian.is_running() for guardian in guardians)


def test_a_stop_gives_the_terminal_back_to_the_shell(tmp_path: Path) -> None:
    """SIGTSTP leaves the screen and stops the program under its shell; `fg` brings both back, and it goes on."""
    environment = {**os.environ, "TERM": "xterm-256color", "OPENHCS_HOME": str(tmp_path), "PS1": "shell> "}
    shell = pexpect.spawn("bash", ["--norc", "-i"], dimensions=(24, 80), env=environment, encoding="utf-8", timeout=20)
    try:
        shell.sendline(f"{sys.executable} -m openhcs tui")
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


def test_a_stop_that_cannot_be_caught_is_drawn_over(child: pexpect.spawn) -> None:
    """After SIGSTOP and SIGCONT the screen is drawn anew and keys work."""
    process = psutil.Process(child.pid)
    child.kill(signal.SIGSTOP)
    wait_until(lambda: process.status() == psutil.STATUS_STOPPED, "the stop")
    child.kill(signal.SIGCONT)
    child.expect_exact(DRAWN)
    child.send("q")
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 0
