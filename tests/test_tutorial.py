"""The tutorial is what happens: its commands are typed into a shell, its keys pressed, its words looked for."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.terminal.test_demo_plate import Terminal

PAGE = Path(__file__).resolve().parents[1] / "docs" / "tutorial.md"
KEYS = {"Enter": "\r", "Esc": "\x1b", "Tab": "\t", "Space": " ", "Down": "\x1b[B"}


class Block(NamedTuple):
    """A piece of the page that is executed: a fenced block, or a table of keys."""

    kind: str
    text: str


def blocks(page: str) -> Iterator[Block]:
    """What of a page is executed, in its order."""
    for fenced, text, table in re.findall(r"```(\w+)\n(.*?)```|((?:^\|[^\n]*\n)+)", page, flags=re.DOTALL | re.MULTILINE):
        yield Block(fenced or "keys", text or table)


@pytest.mark.terminal
def test_the_tutorial_happens_as_it_says(tmp_path: Path) -> None:
    """In its order: commands end with 0, keys bring what their row says onto the screen, scripts run."""
    bin_folder = Path(sys.executable).parent
    terminal = Terminal(tmp_path, COLORTERM="truecolor", PATH=f"{bin_folder}{os.pathsep}{os.environ['PATH']}")
    try:
        terminal.wait_for("$")
        parts = list(blocks(PAGE.read_text(encoding="utf-8")))
        for number, (kind, text) in enumerate(parts):
            follows = parts[number + 1].kind if number + 1 < len(parts) else ""
            match kind:
                case "sh":
                    for line_number, line in enumerate(text.splitlines()):
                        _type(terminal, line, f"{number}.{line_number}", into_workbench=follows == "keys")
                case "keys":
                    _press_each(terminal, text)
                case "yaml":
                    (tmp_path / "blurred.yaml").write_text(text, encoding="utf-8")
                case "python":
                    (tmp_path / "numbers.py").write_text(text, encoding="utf-8")
                    _type(terminal, "python numbers.py", str(number), into_workbench=False)
    finally:
        terminal.close()


def _type(terminal: Terminal, line: str, number: str, *, into_workbench: bool) -> None:
    """Type a command line, and wait until it has ended well; the workbench is awaited by the table behind it."""
    if into_workbench:
        terminal.send(f"{line}\n")
        return
    terminal.send(f"clear; {line} >said 2>&1 && echo ended-{number} w''ell || cat said\n")
    terminal.wait_for(f"ended-{number} well", "rror: ")
    assert f"ended-{number} well" in terminal.text, terminal.text


def _press_each(terminal: Terminal, table: str) -> None:
    """Press the keys of each row, and wait for all that stands between backticks in its second cell."""
    for row in table.splitlines()[2:]:
        pressed, shown = (cell.strip() for cell in row.strip("|").split("|"))
        for key in re.findall(r"`([^`]+)`", pressed):
            terminal.send(KEYS.get(key, key))
        for text in re.findall(r"`([^`]+)`", shown):
            if text not in KEYS and text != "Right":
                terminal.wait_for(text)
        if pressed == "`q`":
            terminal.wait_for("\n$")
