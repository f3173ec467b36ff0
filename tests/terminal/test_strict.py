"""The workbench in strict mode, in a real pseudo-terminal: its own code has nothing to answer for."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest

from tests.terminal.test_demo_plate import Terminal

pytestmark = pytest.mark.terminal


@pytest.mark.parametrize("option", ["--strict", "--strict=full"])
def test_the_workbench_runs_strictly_and_reports_nothing_of_its_own(tmp_path: Path, option: str) -> None:
    """`openhcs demo --strict` reads the plate and compiles; F12 tells who created a task; it leaves with no error."""
    program = shlex.join([sys.executable, "-m", "openhcs", "demo", "--folder", "plate", option])
    terminal = Terminal(tmp_path)
    try:
        terminal.wait_for("$")
        terminal.send(f"{program}; echo code=$?; echo the e''nd\n")
        terminal.wait_for("not initialised")
        terminal.wait_for("Pipeline nuclei")
        terminal.send("i")
        terminal.wait_for("> - ")
        terminal.send("c")
        terminal.wait_for("> o ")
        terminal.send("\x1b[24~")
        terminal.wait_for("Tasks: ")
        terminal.send("\x1b[B\x1b[B")
        terminal.wait_for("It was created at")
        terminal.send("q")
        terminal.wait_for("> o ")
        terminal.send("q")
        terminal.wait_for("the end")
        assert "code=0" in terminal.written
        after = terminal.written.rpartition("\x1b[?1049l")[2]
        assert "Traceback" not in after
        assert "swallowed" not in after
    finally:
        terminal.close()
    [logs] = (tmp_path / "home").rglob("faults.log")
    assert logs.read_text() == ""
    journal = logs.with_name("errors.jsonl")
    lines = map(json.loads, journal.read_text().splitlines()) if journal.exists() else ()
    assert [line for line in lines if line["event"] == "error"] == []
