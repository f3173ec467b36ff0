"""A word to somebody who is looking elsewhere: the terminal's bell, and a notification where the terminal shows such.

The notification is OSC 9, which says nothing back: a terminal that does not know it passes over it. tmux hands it on
where its user has allowed that (`allow-passthrough`), and the bell in any case.
Checked by tests/tui/utils/test_terminal_notice.py.
"""

from __future__ import annotations

import os

from prompt_toolkit.output import Output

from openhcs.tui.utils.safe_text import visible
from openhcs.tui.utils.terminal_clipboard import takes_sequences

__all__ = ["LIMIT", "notify_terminal"]

LIMIT = 200
"""Characters of a notification; more than any terminal shows."""


def notify_terminal(output: Output, text: str) -> None:
    """Ring the bell behind `output`, and have `text` shown on the user's desktop if the terminal can."""
    output.bell()
    if takes_sequences(output):
        sequence = f"\x1b]9;{visible(text[:LIMIT])}\a"
        if os.environ.get("TMUX"):
            escaped = sequence.replace("\x1b", "\x1b\x1b")
            sequence = f"\x1bPtmux;{escaped}\x1b\\"
        output.write_raw(sequence)
    output.flush()
