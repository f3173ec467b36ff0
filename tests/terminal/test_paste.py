"""Pastes that lose their end, in a real pseudo-terminal under a real shell."""

from __future__ import annotations

import signal
import time

import pytest

from tests.terminal.test_job_control import DRAWN, Shell, shell

__all__ = ["shell"]

pytestmark = pytest.mark.terminal

HALF = "\x1b[200~half of a paste"


def test_keys_work_again_after_a_paste_without_an_end(shell: Shell) -> None:
    """The end mark was lost on the way: after a while without a key `q` quits."""
    shell.child.send(HALF)
    time.sleep(3)  # a key in the first two seconds would be taken for a part of the paste
    shell.child.send("q")
    shell.wait(shell.all_are_gone, "the end of the job")


@pytest.mark.parametrize("stop", [signal.SIGTSTP, signal.SIGSTOP])
def test_keys_work_again_when_the_program_was_stopped_in_a_paste(shell: Shell, stop: signal.Signals) -> None:
    """The rest of the paste went to the shell; soon after `fg` keys are keys."""
    shell.child.send(HALF)
    time.sleep(0.3)  # until it is read, which shows nowhere
    shell.program.send_signal(stop)
    shell.child.expect_exact("Stopped")
    shell.child.sendline("fg; echo code $?")
    shell.child.expect_exact(DRAWN)
    time.sleep(1)  # less than what a paste that may still go on is given
    shell.child.send("q")
    shell.child.expect(r"code \d")
    shell.wait(shell.all_are_gone, "the end of the job")
