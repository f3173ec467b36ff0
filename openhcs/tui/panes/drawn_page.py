"""A page of lines that are drawn for the width of the screen, made once until something changes, and scrolled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from prompt_toolkit.application import get_app
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.layout.containers import Container
from prompt_toolkit.mouse_events import MouseEvent

from openhcs.tui.utils.line_view import LineView
from openhcs.tui.widgets.drawn_text import click_fragment, is_reachable, text_column

if TYPE_CHECKING:
    from prompt_toolkit.key_binding.key_bindings import NotImplementedOrNone

__all__ = ["DrawnPage"]


class DrawnPage:
    """Shows `make(width)` in a dialog over the whole screen; a fragment's own handler gets its clicks."""

    def __init__(self, make: Callable[[int], Sequence[StyleAndTextTuples]]) -> None:
        self._make = make
        self._made: tuple[int, Sequence[StyleAndTextTuples], Sequence[str]] = (0, (), ())
        self.view = _ClickedLines(self._lines, lambda number, line: self._made[1][number], indent=text_column)
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


class _ClickedLines(LineView):
    def mouse_handler(self, mouse_event: MouseEvent) -> NotImplementedOrNone:
        if not is_reachable(self.window) or super().mouse_handler(mouse_event) is None:
            return None
        return click_fragment(self.rows, mouse_event.position, mouse_event)
