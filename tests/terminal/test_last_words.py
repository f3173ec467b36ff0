"""What a program did not come to show is readable once the terminal has been given back."""

from __future__ import annotations

import os
import sys

import pexpect
import pytest

pytestmark = pytest.mark.terminal

PROGRAM = """
import asyncio, sys
from prompt_toolkit.layout.containers import Window
from prompt_toolkit.layout.controls import FormattedTextControl
from openhcs.tui.utils.program import Program

program = Program()

async def fail_and_leave():
    program.errors.handle_error_sync(RuntimeError("just before the end"), "leaving")
    for _ in range(int(sys.argv[1])):
        await asyncio.sleep(0)
    program.exit(3)

raise SystemExit(program.show(Window(FormattedTextControl("drawn", focusable=True)), start=fail_and_leave))
"""


@pytest.mark.parametrize("turns", [0, 1, 2])
def test_an_error_that_came_with_the_end_is_told_below_the_screen(turns: int) -> None:
    """It follows the last sequence that moves the cursor back, so that no prompt is written over it."""
    environment = {**os.environ, "TERM": "xterm-256color"}
    program = pexpect.spawn(
        sys.executable, ["-c", PROGRAM, str(turns)], env=environment, encoding="utf-8", timeout=20, dimensions=(24, 100)
    )
    program.expect(pexpect.EOF)
    program.wait()
    _, _, after = program.before.rpartition("\x1b[?1049l")
    assert "leaving failed:" in after
    assert "RuntimeError: just before the end" in after
    assert program.exitstatus == 3
