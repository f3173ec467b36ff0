"""The frame of a dialog: a border with the title in it, or on a plain screen, which is read out, the title on a line.

For the dialogs of the core, which may not know the widgets; theirs is `PaneFrame`. Checked by
tests/tui/layout/test_plain.py.
"""

from __future__ import annotations

from prompt_toolkit.formatted_text import AnyFormattedText
from prompt_toolkit.layout.containers import AnyContainer, Container, HSplit, Window
from prompt_toolkit.layout.controls import FormattedTextControl
from prompt_toolkit.widgets import Frame

from openhcs.tui.utils.screen_output import is_plain

__all__ = ["framed"]


def framed(body: AnyContainer, title: AnyFormattedText, style: str) -> Container:
    """`body` in a frame, as the screen that is drawn now has frames; `style` is that of the whole."""
    if not is_plain():
        return Frame(body, title=title, style=style).container
    heading = Window(FormattedTextControl(title), height=1, style="class:frame.label")
    return HSplit([heading, body], style=style)
