"""A terminal that goes away ends the program in order, and is one error."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import pexpect
import pytest

pytestmark = pytest.mark.terminal

PROGRAM = """
import asyncio, signal, sys
from pathlib import Path
from prompt_toolkit.layout.containers import Window
from prompt_toolkit.layout.controls import FormattedTextControl
from openhcs.tui.utils.error_journal import ErrorJournal
from openhcs.tui.utils.program import Program

journal, ignores_signal = Path(sys.argv[1]), sys.argv[2] == "ignored"
program = Program(journal=ErrorJournal(journal))

async def draw_on():
    if ignores_signal:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    while True:
        program.invalidate()
        await asyncio.sleep(0.005)

code = program.show(Window(FormattedTextControl("drawn", focusable=True)), start=draw_on)
journal.with_name("code").write_text(str(code))
"""


@pytest.mark.parametrize("signal_is", ["caught", "ignored"])
def test_a_terminal_that_is_closed_is_one_error_and_an_orderly_end(tmp_path: Path, signal_is: str) -> None:
    """The program ends with the code of SIGHUP, heard or not, and its journal has one error, which nobody has seen."""
    journal = tmp_path / "errors.jsonl"
    environment = {**os.environ, "TERM": "xterm-256color"}
    program = pexpect.spawn(sys.executable, ["-c", PROGRAM, str(journal), signal_is], env=environment, timeout=20)
    program.expect_exact("drawn")
    program.ptyproc.fileobj.close()
    code = tmp_path / "code"
    deadline = time.monotonic() + 20
    while not code.is_file() or not code.read_text():
        assert time.monotonic() < deadline, "the program goes on without a terminal"
        time.sleep(0.02)
    os.waitpid(program.pid, 0)
    program.closed = program.ptyproc.closed = program.terminated = program.ptyproc.terminated = True
    assert code.read_text() == "129"
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    assert [line["event"] for line in lines] == ["start", "error", "end"]
    assert (lines[1]["type"], lines[1]["context"]) == ("TerminalLost", "the terminal")
