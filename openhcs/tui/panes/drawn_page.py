"""A page of lines that are drawn for the width of the screen, made once until something changes, and scrolled."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from prompt_toolkit.application import get_app
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.layout.containers import Container

from openhcs.tui.utils.line_view import LineView
from openhcs.tui.widgets.drawn_text import text_column

__all__ = ["DrawnPage"]


class DrawnPage:
    """Shows `make(width)` in a dialog over the whole screen."""

    def __init__(self, make: Callable[[int], Sequence[StyleAndTextTuples]]) -> None:
        self._make = make
        self._made: tuple[int, Sequence[StyleAndTextTuples], Sequence[str]] = (0, (), ())
        self.view = LineView(self._lines, lambda number, line: self._made[1][number], indent=text_column)
        self.window = self.view.window

    def __pt_container__(self) -> Container:
        return self.window

    def change(self) -> None:
        """Draw it anew."""
        self._made = 0, (), ()

    def _lines(self) -> Sequence[str]:
        # Borders and the scroll bar take three cells.
        width = max(20, get_app().output.get_size().columns - 4)
        if self._made[0] != width:
            drawn = self._make(width)
            self._made = width, drawn, ["".join(fragment[1] for fragment in line) for line in drawn]
        return self._made[2]
