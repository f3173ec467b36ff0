"""The tutorial is what happens: its commands are typed into a shell, its keys pressed, its words looked for."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.terminal.test_demo_plate import Terminal

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE = DOCS / "tutorial.md"
RESULTS = DOCS / "guides" / "results-in-python.md"
KEYS = {"Enter": "\r", "Esc": "\x1b", "Tab": "\t", "Space": " ", "Down": "\x1b[B"}


class Block(NamedTuple):
    """A piece of the page that is executed: a fenced block, or a table of keys."""

    kind: str
    text: str


def blocks(page: str) -> Iterator[Block]:
    """What of a page is executed, in its order."""
    for fenced, text, table in re.findall(
        r"```(\w+)\n(.*?)```|((?:^\|[^\n]*\n)+)", page, flags=re.DOTALL | re.MULTILINE
    ):
        yield Block(fenced or "keys", text or table)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the tutorial was gone through, in its order."""
    folder = tmp_path_factory.mktemp("tutorial")
    bin_folder = Path(sys.executable).parent
    terminal = Terminal(folder, COLORTERM="truecolor", PATH=f"{bin_folder}{os.pathsep}{os.environ['PATH']}")
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
                    (folder / "blurred.yaml").write_text(text, encoding="utf-8")
                case "python":
                    (folder / "count_nuclei.py").write_text(text, encoding="utf-8")
                    _type(terminal, "python count_nuclei.py", str(number), into_workbench=False)
    finally:
        terminal.close()
    return folder


@pytest.mark.terminal
def test_the_tutorial_happens_as_it_says(played: Path) -> None:
    """Commands end with 0, keys bring what their row says onto the screen, and the last script prints every well."""
    assert (played / "openhcs-results" / "demo-plate" / "blurred" / "provenance").is_dir()
    assert all(f"{row}0{column} " in (played / "said").read_text() for row in "BC" for column in range(2, 6))


@pytest.mark.terminal
def test_results_can_be_read_as_the_guide_reads_them(played: Path) -> None:
    """Tables, pictures, objects, provenance and the outcome of a run, from the results that the tutorial made."""
    pieces = [text for kind, text in blocks(RESULTS.read_text(encoding="utf-8")) if kind == "python"]
    (played / "read.py").write_text("\n".join(pieces), encoding="utf-8")
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "OPENHCS_HOME": str(played / "home"),
    }
    read = [sys.executable, "-W", "ignore", "read.py"]
    done = subprocess.run(read, cwd=played, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    found = re.search(r"(\d+) pixels; ([\d.]+) in the table", done.stdout)
    assert found is not None
    assert float(found[1]) == float(found[2])
    assert done.stdout.endswith("finished []\n")


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
            terminal.wait_for_shell()
