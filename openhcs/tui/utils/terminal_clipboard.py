"""The clipboard of the user's own machine, reached through the terminal, be that at the other end of SSH.

The terminal is asked by OSC 52, which says nothing back: one that does not know it, or whose user has not allowed it,
passes over it. Checked by tests/tui/utils/test_terminal_clipboard.py and tests/terminal/test_smallest_app.py.
"""

from __future__ import annotations

import base64

from prompt_toolkit.output import Output
from prompt_toolkit.output.vt100 import Vt100_Output

from openhcs.tui.utils.safe_text import visible_lines

__all__ = ["LIMIT", "copy_to_terminal", "takes_sequences"]

LIMIT = 50_000
"""Bytes of text that are copied: terminals take no more than some 75,000 characters in a sequence, Base64 included."""

_WITHOUT = ("", "dumb", "linux", "unknown", "vt100", "vt102", "vt220")
"""Kinds of terminal that would print the sequence."""


def takes_sequences(output: Output) -> bool:
    """Whether the terminal behind `output` passes over control sequences that it does not know."""
    return isinstance(output, Vt100_Output) and (output.term or "") not in _WITHOUT


def copy_to_terminal(output: Output, text: str) -> int:
    """Ask the terminal behind `output` to have `text` in the clipboard; how many characters of it, 0 if none.

    Control characters are made visible: pasted into a shell they would be typed.
    """
    if not takes_sequences(output):
        return 0
    # What the limit cuts in two is left out whole.
    taken = visible_lines(text[:LIMIT]).encode()[:LIMIT].decode(errors="ignore")
    output.write_raw(f"\x1b]52;c;{base64.b64encode(taken.encode()).decode()}\a")
    output.flush()
    return len(taken)
