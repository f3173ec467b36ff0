"""What covers the screen while the terminal has no room for it."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Final

from prompt_toolkit.application import get_app
from prompt_toolkit.data_structures import Size
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.layout.containers import ConditionalContainer, Float, Window
from prompt_toolkit.layout.controls import FormattedTextControl

__all__ = ["too_small_notice"]

MIN_COLUMNS: Final = 60
MIN_ROWS: Final = 16
_ABOVE_ALL: Final = 10**9


def too_small_notice(leave: str) -> Float:
    """Covers everything while the terminal is too small, says so, and leaves focus and keys as they are."""

    def text() -> StyleAndTextTuples:
        size = get_app().output.get_size()
        title, *lines = _too_small_lines(size, leave)
        return [("class:title", title), *(("", f"\n{line}") for line in lines)]

    def is_too_small() -> bool:
        size = get_app().output.get_size()
        return size.columns < MIN_COLUMNS or size.rows < MIN_ROWS

    # prompt_toolkit draws floats in their order, whatever their own index says, and dialogs come later than this one.
    notice = Window(FormattedTextControl(text), style="class:screen", z_index=_ABOVE_ALL)
    return Float(ConditionalContainer(notice, Condition(is_too_small)), top=0, right=0, bottom=0, left=0)


def _too_small_lines(size: Size, leave: str) -> Sequence[str]:
    """As much as there is room for."""
    needed = f"{MIN_COLUMNS} x {MIN_ROWS}"
    for sentences in (
        (
            "This terminal is too small.",
            f"It has {size.columns} x {size.rows} characters;",
            f"the workbench needs {needed}.",
            f"Enlarge it, or press {leave} to quit.",
        ),
        (f"Too small; needs {needed}.", f"{leave} quits."),
    ):
        lines = [line for sentence in sentences for line in textwrap.wrap(sentence, max(1, size.columns))]
        if len(lines) <= size.rows:
            return lines
    return textwrap.wrap("Too small", max(1, size.columns))[: size.rows]
