"""The frame of a dialog: a border with the title in it and the keys below, or on a plain screen, which is read out,
the title and the keys on lines of their own.

For the dialogs of the core, which may not know the widgets; theirs is `PaneFrame`, and both look alike. Checked by
tests/tui/utils/test_dialog_frame.py and tests/tui/layout/test_plain.py.
"""

from __future__ import annotations

from collections.abc import Callable

from prompt_toolkit.formatted_text import AnyFormattedText, StyleAndTextTuples, to_formatted_text
from prompt_toolkit.layout.containers import AnyContainer, Container, HSplit, VSplit, Window
from prompt_toolkit.layout.controls import FormattedTextControl

from openhcs.tui.utils.screen_output import is_plain

__all__ = ["framed", "key_hints"]

_BORDER = "class:dialog.frame"
_TITLE = "class:dialog.title"


def framed(body: AnyContainer, title: AnyFormattedText, style: str, keys: AnyFormattedText = "") -> Container:
    """`body` in a frame, as the screen that is drawn now has frames.

    Args:
        style: that of the whole.
        keys: what is in the lower border, such as `key_hints` makes it.
    """
    if is_plain():
        lines = [body, _line(keys)] if keys else [body]
        return HSplit([_line(title, _TITLE), *lines], style=style)
    sides = VSplit([_border("║", width=1), body, _border("║", width=1)])
    upper, lower = _edge("╔═", _spaced(title), "╗", _TITLE), _edge("╚═", _spaced(keys), "╝")
    return HSplit([upper, sides, lower], style=style)


def key_hints(*hints: tuple[str, str]) -> StyleAndTextTuples:
    """Keys with what they do: `Enter Choose  Esc Cancel`."""
    fragments: StyleAndTextTuples = []
    for key, label in hints:
        fragments += [("", "  " if fragments else ""), ("class:key", key), ("class:label", f" {label}")]
    return fragments


def _spaced(text: AnyFormattedText) -> Callable[[], StyleAndTextTuples]:
    """The text as it is now, with a space on both sides; nothing where there is none."""

    def spaced() -> StyleAndTextTuples:
        fragments = to_formatted_text(text)
        return [("", " "), *fragments, ("", " ")] if fragments else []

    return spaced


def _edge(begin: str, text: AnyFormattedText, end: str, style: str = "") -> VSplit:
    inside = Window(FormattedTextControl(text), style=style, dont_extend_width=True)
    return VSplit([_border(begin, width=len(begin)), inside, _border("═"), _border(end, width=1)], height=1)


def _border(text: str, width: int | None = None) -> Window:
    if len(text) == 1:
        return Window(char=text, width=width, style=_BORDER)
    return Window(FormattedTextControl(text), width=width, style=_BORDER)


def _line(text: AnyFormattedText, style: str = "") -> Window:
    return Window(FormattedTextControl(text), height=1, style=style)
