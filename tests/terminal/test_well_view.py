"""The plate map and the well view in a real pseudo-terminal, with as many colours as each terminal has."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest

from openhcs.core.demo_plate import make_demo_plate
from tests.terminal.test_demo_plate import Terminal

pytestmark = pytest.mark.terminal

_COLOUR = re.compile(r"\x1b\[[\d;]*[34]8;([25]);")


@pytest.fixture(scope="module")
def plate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plate of two wells and two sites."""
    return make_demo_plate(tmp_path_factory.mktemp("plates") / "two", wells=("B02", "B03"), size_px=128).folder


@pytest.mark.parametrize(
    ("environment", "kinds"),
    [
        ({"COLORTERM": "truecolor"}, {"2"}),
        ({"COLORTERM": ""}, {"5"}),
        ({"NO_COLOR": "1"}, set()),
        ({"TERM": "vt100", "COLORTERM": ""}, set()),
    ],
    ids=["true colour", "256 colours", "no colour", "vt100"],
)
def test_a_well_is_found_on_the_map_and_looked_at(
    plate: Path, tmp_path: Path, environment: dict[str, str], kinds: set[str]
) -> None:
    """From the shell to a well's pictures and back, by a click and by keys, in the colours the terminal has."""
    terminal = Terminal(tmp_path, **environment)
    try:
        terminal.wait_for("$")
        terminal.send(shlex.join([sys.executable, "-m", "openhcs", "tui", str(plate)]) + "; echo code=$?\n")
        terminal.wait_for("not initialised")
        terminal.send("i")
        terminal.wait_for("images in 2 wells")
        terminal.send("\tm")
        terminal.wait_for("B02 · pending")
        lines = terminal.text.splitlines()
        row = next(number for number, line in enumerate(lines) if " B " in line)
        column = lines[row].rindex("·")
        terminal.send(f"\x1b[<0;{column + 1};{row + 1}M\x1b[<0;{column + 1};{row + 1}m")
        terminal.wait_for("B03 · pending")
        terminal.send("\r")
        terminal.wait_for("Well B03 of two")
        picture = "▀▀▀▀" if kinds else "[1 DAPI]"
        terminal.wait_for(picture)
        terminal.send("+")
        terminal.wait_for("site 1, 1x")
        if kinds:
            terminal.wait_for("▀▀▀▀")
        assert set(_COLOUR.findall(terminal.written)) == kinds
        assert ("▀" in terminal.text) == bool(kinds)
        terminal.send("qqq")
        terminal.wait_for("code=0")
    finally:
        terminal.close()
