"""The workbench in terminals of all kinds: their names, locales and sizes, and with what the user asks of them."""

from __future__ import annotations

import random
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.terminal.test_demo_plate import Terminal

pytestmark = pytest.mark.terminal

NAME = "細胞 e\u0301 עברית ü"
"""Wide, combining, right to left, accented."""

_REDIRECTIONS = ("<&-",)


@contextmanager
def running(folder: Path, *options: str, **environment: str) -> Iterator[Terminal]:
    """The workbench on a plate that has NAME, from a shell and back to it."""
    plate = folder / NAME
    plate.mkdir()
    terminal = Terminal(folder, **environment)
    try:
        terminal.wait_for("$")
        words = [word if word in _REDIRECTIONS else shlex.quote(word) for word in options]
        terminal.send(" ".join([shlex.quote(sys.executable), "-m openhcs tui", *words, "./*ü; echo code=$?\n"]))
        yield terminal
    finally:
        terminal.close()


def leave(terminal: Terminal) -> str:
    """Press q; what was written until the shell was back."""
    terminal.send("q")
    terminal.wait_for("code=0")
    screen, _, after = terminal.written.rpartition("\x1b[?1049l")
    assert screen
    assert "code=0" in after
    return terminal.written.partition("\x1b[?1049h")[2].rpartition("\x1b[?1049l")[0]


@pytest.mark.parametrize(("term", "shown"), [("xterm", "No plates yet."), ("dumb", "Exit codes:")])
def test_alone_it_opens_the_workbench_where_there_can_be_one(term: str, shown: str, tmp_path: Path) -> None:
    """`openhcs` and nothing else is the workbench; in a terminal that cannot show it, the list of commands."""
    terminal = Terminal(tmp_path, TERM=term)
    try:
        terminal.wait_for("$")
        terminal.send(f"{shlex.quote(sys.executable)} -m openhcs\n")
        terminal.wait_for(shown)
    finally:
        terminal.close()


@pytest.mark.parametrize("term", ["xterm", "screen", "tmux-256color", "vt220", "linux", "rxvt"])
def test_the_workbench_opens_in_any_terminal(term: str, tmp_path: Path) -> None:
    """Whatever the terminal is called, the screen stands, a key moves the focus, and the shell is given back."""
    with running(tmp_path, TERM=term) as terminal:
        terminal.wait_for("not initialised")
        assert terminal.text.splitlines()[1].startswith("╔═ Plates (1) ═")
        assert "ü" in terminal.text
        terminal.send("\t")
        terminal.wait_for("╔═ Wells of ")
        leave(terminal)


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({"LC_ALL": "C"}, "???? e ????? u"),
        ({"LC_ALL": "", "LC_CTYPE": "", "LANG": "POSIX"}, "???? e ????? u"),
        ({"LC_ALL": "de_DE.ISO-8859-1"}, "???? e ????? \ufffd"),
    ],
    ids=["C", "POSIX", "latin-1"],
)
def test_a_locale_without_utf_8_gets_what_it_can_show(environment: dict[str, str], name: str, tmp_path: Path) -> None:
    """Borders and marks are ASCII, focus is seen by the border, and letters are what the encoding has of them."""
    with running(tmp_path, **environment) as terminal:
        terminal.wait_for("not initialised")
        assert terminal.text.splitlines()[1].startswith("#= Plates (1) =")
        assert "+- Wells of " in terminal.text
        assert name in terminal.text
        assert leave(terminal).replace("\ufffd", "u").isascii()


def test_ascii_can_be_asked_for(tmp_path: Path) -> None:
    """`--ascii` draws with ASCII whatever the locale says."""
    with running(tmp_path, "--ascii") as terminal:
        terminal.wait_for("not initialised")
        assert leave(terminal).isascii()


def test_no_mouse_leaves_the_mouse_to_the_terminal(tmp_path: Path) -> None:
    """With `--no-mouse` the terminal is never asked for mouse events, so that its own selection works."""
    with running(tmp_path, "--no-mouse") as terminal:
        terminal.wait_for("not initialised")
        written = leave(terminal)
        assert not [mode for mode in ("1000", "1002", "1003", "1006", "1015") if f"\x1b[?{mode}h" in written]


@pytest.mark.parametrize(
    ("environment", "encoding"),
    [({"LC_ALL": "de_DE.ISO-8859-1"}, "latin-1"), ({"LC_ALL": "C"}, "utf-8"), ({}, "utf-8")],
    ids=["latin-1", "C", "UTF-8"],
)
def test_letters_are_read_in_the_encoding_of_the_terminal(
    environment: dict[str, str], encoding: str, tmp_path: Path
) -> None:
    """What is typed and what is pasted in a terminal's own encoding arrives as it was meant."""
    (tmp_path / "übung").mkdir()
    with running(tmp_path, **environment) as terminal:
        terminal.wait_for("not initialised")
        terminal.send("a")
        terminal.wait_for("Choose plates")
        terminal.send_bytes("üb".encode(encoding) + b"\x1b[200~" + "ung".encode(encoding) + b"\x1b[201~")
        terminal.wait_for("1 of 2", "1 of 3")
        terminal.send("\x1b")
        terminal.wait_for("type to filter")
        terminal.send("\x1b")
        terminal.wait_for("Plates (1)")
        leave(terminal)


@pytest.mark.parametrize("term", ["dumb", "vt52", ""])
def test_a_terminal_that_cannot_place_text_is_refused(term: str, tmp_path: Path) -> None:
    """TERM=dumb, or none, is refused in words that name the command to use there, and nothing is drawn."""
    with running(tmp_path, TERM=term) as terminal:
        terminal.wait_for("code=2")
        assert "openhcs run PLATE --pipeline FILE" in terminal.text.replace("\n", "")
        assert "\x1b[?1049h" not in terminal.written


def test_ctrl_z_goes_back_to_the_shell_for_a_while(tmp_path: Path) -> None:
    """Ctrl-Z stops the workbench, also while a dialog is open; `fg` brings it back as it was."""
    with running(tmp_path) as terminal:
        terminal.wait_for("not initialised")
        terminal.send("\x10")
        terminal.wait_for("Action:")
        terminal.send("\x1a")
        terminal.wait_for("Stopped", "Suspended")
        terminal.send("clear; fg; echo code=$?\n")
        terminal.wait_for("Action:")
        terminal.send("\x1b")
        terminal.wait_for("Plates (1)")
        leave(terminal)


def test_what_is_closed_is_no_terminal(tmp_path: Path) -> None:
    """With its standard input closed the workbench is refused in the same words, without a traceback."""
    with running(tmp_path, "<&-") as terminal:
        terminal.wait_for("code=2")
        assert "the input is not one" in terminal.text
        assert "Traceback" not in terminal.written


def test_any_size_at_any_moment(tmp_path: Path) -> None:
    """Storms of sizes, down to a single cell, leave a working screen; where there is no room for it, it says so."""
    chance = random.Random(7)
    with running(tmp_path) as terminal:
        terminal.wait_for("not initialised")
        for _ in range(60):
            terminal.resize(chance.choice([1, 2, 5, 40, 80, 300]), chance.choice([1, 2, 5, 16, 24, 100]))
            terminal.send(chance.choice(["\t", "?", "\x1b", "z", "\x10", "a", "\x1b[21~", "\x1b[B"]))
        terminal.send("\x1b")
        terminal.resize(50, 24)
        terminal.wait_for("the workbench needs 60 x 16")
        terminal.resize(80, 24)
        terminal.send("\x1b")
        terminal.wait_for("Plates (1)")
        terminal.resize(300, 100)
        terminal.wait_for("═" * 120)
