"""A titled border around a pane that shows which pane has the focus by its shape, not by colour alone.

The footer sits in the bottom border, so a frame costs two rows in all. On a plain screen there is a title line, a
footer where there is one, and no border.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from prompt_toolkit.formatted_text import StyleAndTextTuples, fragment_list_width
from prompt_toolkit.layout.containers import AnyContainer, Container, HSplit, VSplit, Window
from prompt_toolkit.layout.dimension import AnyDimension, Dimension

from openhcs.tui.utils.screen_output import is_plain
from openhcs.tui.widgets.drawn_text import cut, drawn_window

__all__ = ["PaneFrame"]


class _Line(NamedTuple):
    top_left: str
    top_right: str
    bottom_left: str
    bottom_right: str
    across: str
    down: str


_SINGLE = _Line("┌", "┐", "└", "┘", "─", "│")
_DOUBLE = _Line("╔", "╗", "╚", "╝", "═", "║")


class PaneFrame:
    """Draws `body` inside a border with a title; double lines and a bold title mean it has the focus.

    `footer(width)` is drawn in the bottom border, cut by its author to `width` cells.
    """

    def __init__(
        self,
        body: AnyContainer,
        title: Callable[[], str],
        is_focused: Callable[[], bool],
        footer: Callable[[int], StyleAndTextTuples] | None = None,
        *,
        width: AnyDimension = None,
        height: AnyDimension = None,
        style: str = "class:pane",
    ) -> None:
        self._title = title
        self._is_focused = is_focused
        self._footer = footer
        self.body = body
        self.container = HSplit(
            [
                drawn_window(self._top),
                VSplit([self._side(), body, self._side()], padding=0),
                drawn_window(self._bottom, height=self._bottom_height),
            ],
            width=width,
            height=height,
            style=style,
        )

    def __pt_container__(self) -> Container:
        return self.container

    def _line(self) -> _Line:
        return _DOUBLE if self._is_focused() else _SINGLE

    def _style(self, part: str) -> str:
        return f"class:pane.{part}.focused" if self._is_focused() else f"class:pane.{part}"

    def _side(self) -> Window:
        return Window(
            width=lambda: Dimension.exact(0 if is_plain() else 1),
            char=lambda: self._line().down,
            style=lambda: self._style("border"),
        )

    def _bottom_height(self) -> Dimension:
        return Dimension.exact(0 if is_plain() and self._footer is None else 1)

    def _top(self, width: int) -> StyleAndTextTuples:
        if is_plain():
            return [(self._style("title"), cut(self._title(), width))]
        line = self._line()
        title = cut(f" {self._title()} ", max(0, width - 4))
        fragments: StyleAndTextTuples = [
            (self._style("border"), line.top_left + line.across),
            (self._style("title"), title),
        ]
        return _close(fragments, width, line.across, line.top_right, self._style("border"))

    def _bottom(self, width: int) -> StyleAndTextTuples:
        if is_plain():
            return self._footer(width) if self._footer is not None else []
        line = self._line()
        fragments: StyleAndTextTuples = [(self._style("border"), line.bottom_left)]
        footer = self._footer(max(0, width - 6)) if self._footer is not None else []
        if footer:
            fragments += [(self._style("border"), line.across), ("class:pane.footer", " "), *footer]
            fragments.append(("class:pane.footer", " "))
        return _close(fragments, width, line.across, line.bottom_right, self._style("border"))


def _close(fragments: StyleAndTextTuples, width: int, across: str, corner: str, style: str) -> StyleAndTextTuples:
    rest = max(0, width - fragment_list_width(fragments) - 1)
    return [*fragments, (style, across * rest + corner)]
