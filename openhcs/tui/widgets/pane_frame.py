"""A titled border around a pane that shows which pane has the focus by its shape, not by colour alone.

The footer sits in the bottom border, so a frame costs two rows in all. On a plain screen there is a title line, a
footer where there is one, and no border.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from prompt_toolkit.formatted_text import StyleAndTextTuples, fragment_list_width
from prompt_toolkit.layout.containers import AnyContainer, Container, HSplit, to_container
from prompt_toolkit.layout.dimension import AnyDimension, Dimension
from prompt_toolkit.layout.mouse_handlers import MouseHandlers
from prompt_toolkit.layout.screen import Char, Screen, WritePosition

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
                _Sides(body, lambda: (self._line().down, self._style("border"))),
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


class _Sides(Container):
    """`body` between two lines; a VSplit that shares out the width cell by cell takes a tenth of a frame's time.

    `line` is the character and the style of the lines.
    """

    def __init__(self, body: AnyContainer, line: Callable[[], tuple[str, str]]) -> None:
        self._body = to_container(body)
        self._line = line

    @property
    def _cells(self) -> int:
        return 0 if is_plain() else 1

    def reset(self) -> None:
        self._body.reset()

    def preferred_width(self, max_available_width: int) -> Dimension:
        around = 2 * self._cells
        inside = self._body.preferred_width(max(0, max_available_width - around))
        return Dimension(
            min=inside.min + around,
            max=inside.max + around,
            preferred=inside.preferred + around,
            weight=inside.weight,
        )

    def preferred_height(self, width: int, max_available_height: int) -> Dimension:
        return self._body.preferred_height(max(0, width - 2 * self._cells), max_available_height)

    def write_to_screen(
        self,
        screen: Screen,
        mouse_handlers: MouseHandlers,
        write_position: WritePosition,
        parent_style: str,
        erase_bg: bool,
        z_index: int | None,
    ) -> None:
        cells, at = self._cells, write_position
        inside = WritePosition(at.xpos + cells, at.ypos, max(0, at.width - 2 * cells), at.height)
        self._body.write_to_screen(screen, mouse_handlers, inside, parent_style, erase_bg, z_index)
        if cells and (z_index is None or z_index <= 0):
            self._draw_lines(screen, at, parent_style)
        elif cells:  # as windows do: what lies above is drawn later
            screen.draw_with_z_index(z_index or 0, lambda: self._draw_lines(screen, at, parent_style))

    def _draw_lines(self, screen: Screen, at: WritePosition, parent_style: str) -> None:
        line, style = self._line()
        drawn = Char(line, f"{parent_style} {style}")
        for y in range(at.ypos, at.ypos + at.height):
            row = screen.data_buffer[y]
            row[at.xpos] = row[at.xpos + at.width - 1] = drawn

    def get_children(self) -> list[Container]:
        return [self._body]


def _close(fragments: StyleAndTextTuples, width: int, across: str, corner: str, style: str) -> StyleAndTextTuples:
    rest = max(0, width - fragment_list_width(fragments) - 1)
    return [*fragments, (style, across * rest + corner)]
