"""Calling somebody who looks elsewhere: what is sent to the terminal."""

from __future__ import annotations

import io

import pytest
from prompt_toolkit.data_structures import Size
from prompt_toolkit.output.vt100 import Vt100_Output

from openhcs.tui.utils.terminal_notice import LIMIT, notify_terminal


def sent(text: str, term: str = "xterm-256color") -> str:
    written = io.StringIO()
    notify_terminal(Vt100_Output(written, lambda: Size(24, 80), term=term, enable_cpr=False), text)
    return written.getvalue()


@pytest.fixture(autouse=True)
def no_tmux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TMUX", raising=False)


def test_the_bell_rings_and_the_text_is_sent() -> None:
    """A terminal with notifications shows the text, any other rings."""
    assert sent("demo: finished 8 wells") == "\a\x1b]9;demo: finished 8 wells\a"


def test_within_tmux_the_text_is_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """tmux gets the sequence in an envelope for the terminal around it."""
    monkeypatch.setenv("TMUX", "/tmp/tmux-1000/default,1,0")
    assert sent("done") == "\a\x1bPtmux;\x1b\x1b]9;done\a\x1b\\"


def test_a_terminal_that_would_print_the_text_only_rings() -> None:
    """On the console of Linux nothing appears on the screen."""
    assert sent("done", term="linux") == "\a"


def test_a_name_cannot_end_the_sequence() -> None:
    """Control characters in a plate's name are pictures of themselves, and a long name is cut."""
    written = sent("a\x1b\\\x07b" + "x" * 1000)
    assert written.count("\x1b") == 1
    assert written.count("\a") == 2
    assert len(written) < LIMIT + 20
