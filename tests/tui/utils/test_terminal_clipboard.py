"""The terminal's clipboard: the sequence it is asked by."""

from __future__ import annotations

import base64
import io
import re

import pytest
from prompt_toolkit.data_structures import Size
from prompt_toolkit.output import DummyOutput
from prompt_toolkit.output.vt100 import Vt100_Output

from openhcs.tui.utils.terminal_clipboard import LIMIT, copy_to_terminal


def sent(text: str, term: str | None = "xterm-256color") -> str:
    written = io.StringIO()
    copy_to_terminal(Vt100_Output(written, lambda: Size(24, 80), term=term, enable_cpr=False), text)
    return written.getvalue()


def copied(written: str) -> str:
    """The text that a terminal would put into the clipboard."""
    sequence = re.fullmatch(r"\x1b]52;c;([A-Za-z0-9+/=]*)\x07", written)
    assert sequence is not None, written[:100]
    return base64.b64decode(sequence[1]).decode()


def test_the_text_arrives() -> None:
    """Lines and letters of any script are what is pasted."""
    assert copied(sent("Error in B07\nµm: 日本語")) == "Error in B07\nµm: 日本語"


def test_control_characters_are_pasted_as_pictures() -> None:
    """What would be typed into a shell is not in the clipboard."""
    assert copied(sent("a\x1b[201~\rrm -rf\x07\ud800")) == "a␛[201~␍rm -rf␇\\ud800"


@pytest.mark.parametrize("letter", ["x", "é", "日"])
def test_a_long_text_is_cut_between_characters(letter: str) -> None:
    """The sequence is one that terminals take, and what is copied is the beginning of the text."""
    written = sent(letter * 1_000_000)
    assert len(written) < 75_000
    text = copied(written)
    assert set(text) == {letter}
    assert LIMIT - 3 < len(text.encode()) <= LIMIT


@pytest.mark.parametrize("term", ["dumb", "linux", "vt100", "unknown", "", None])
def test_a_terminal_that_would_print_it_is_not_asked(term: str | None) -> None:
    """Nothing is written to a terminal that has no such sequence."""
    assert sent("text", term) == ""


def test_an_output_that_is_no_terminal_is_not_asked() -> None:
    """It says that nothing was copied."""
    assert copy_to_terminal(DummyOutput(), "text") == 0
