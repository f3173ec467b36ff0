"""The workbench as a job of a shell: killed while it is stopped or in the background, and left without a terminal."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import psutil
import pytest

pytestmark = pytest.mark.terminal

DRAWN = "Quit"
PATIENCE_S = 60.0


class Shell:
    """An interactive shell, and the workbench it runs in the foreground."""

    def __init__(self, folder: Path) -> None:
        environment = {**os.environ, "TERM": "xterm-256color", "OPENHCS_HOME": str(folder), "PS1": "shell> "}
        self.child = pexpect.spawn(
            "bash", ["--norc", "-i"], dimensions=(24, 80), env=environment, encoding="utf-8", timeout=PATIENCE_S
        )
        self.child.sendline(f"{sys.executable} -m openhcs tui")
        self.child.expect_exact(DRAWN)
        processes = psutil.Process(self.child.pid).children(recursive=True)
        self.program = next(process for process in processes if "openhcs" in process.cmdline())
        self.others = [process for process in processes if process != self.program]

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, f"waited in vain for {what}"
            time.sleep(0.02)

    def all_are_gone(self) -> bool:
        """Whether neither the workbench nor its guardian lives."""
        return not any(is_alive(process) for process in (self.program, *self.others))


def is_alive(process: psutil.Process) -> bool:
    """Whether `process` has not ended; it may do so at any moment."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    shell = Shell(tmp_path)
    yield shell
    shell.child.close(force=True)
    for process in (shell.program, *shell.others):
        if is_alive(process):
            process.kill()


@pytest.mark.parametrize("stop", [signal.SIGTSTP, signal.SIGSTOP])
@pytest.mark.parametrize("kill", ["kill %1", "kill -HUP %1", "kill -KILL %1"])
def test_killed_while_stopped(shell: Shell, stop: signal.Signals, kill: str) -> None:
    """`kill` of a stopped job ends it: it does not stop once more for want of the terminal, and the shell goes on."""
    shell.program.send_signal(stop)
    shell.child.expect_exact("Stopped")
    shell.child.sendline(kill)
    shell.wait(shell.all_are_gone, "the end of the job")
    shell.child.sendline("echo the shell $((40 + 2))")
    shell.child.expect_exact("the shell 42")


def test_continued_in_the_background(shell: Shell) -> None:
    """`bg` stops it again, as it needs the terminal, or lets it wait; `fg` brings it back, with keys that work."""
    shell.program.send_signal(signal.SIGTSTP)
    shell.child.expect_exact("Stopped")
    shell.child.sendline("bg")
    shell.child.sendline("echo the shell $((40 + 2))")
    shell.child.expect_exact("the shell 42")
    shell.child.sendline("fg; echo code $?")
    shell.child.expect_exact(DRAWN)
    shell.child.send("q")
    shell.child.expect(r"code \d")
    shell.wait(shell.all_are_gone, "the end of the job")


def test_the_terminal_is_closed(shell: Shell) -> None:
    """When the window is closed nothing is left of the job."""
    shell.child.close(force=False)
    shell.wait(shell.all_are_gone, "the end of the job")
