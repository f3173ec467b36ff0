"""Text that is drawn for the width it gets: titles, footers, status lines.

`FormattedTextControl` does not know its width when its text is made; this control does. Clicks on a fragment that
carries a mouse handler go to that handler, unless a modal dialog above owns the input.

Anybody under openhcs.tui may import this.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from prompt_toolkit.application import get_app
from prompt_toolkit.data_structures import Point
from prompt_toolkit.formatted_text import StyleAndTextTuples, split_lines
from prompt_toolkit.layout.containers import Window
from prompt_toolkit.layout.controls import UIContent, UIControl
from prompt_toolkit.layout.dimension import AnyDimension
from prompt_toolkit.mouse_events import MouseEvent, MouseEventType
from prompt_toolkit.utils import get_cwidth

from openhcs.tui.utils.line_view import with_end
from openhcs.tui.utils.screen_output import is_plain

if TYPE_CHECKING:
    from prompt_toolkit.key_binding.key_bindings import NotImplementedOrNone

__all__ = [
    "DrawnText",
    "click_fragment",
    "cut",
    "cut_middle",
    "drawn_window",
    "fit",
    "is_reachable",
    "on_click",
    "tab_fragments",
    "text_column",
]

T = TypeVar("T")

_TEXT_BEGINS: Final = re.compile(r" *(?:\S+(?: \S+)* {2,})?(?:- )?")
_LABEL_CELLS: Final = 24
"""Two spaces further on than this are not those behind a label."""


class DrawnText(UIControl):
    """Shows `draw(width)`, which may hold several lines; a fragment styled `[SetCursorPosition]` has the cursor."""

    def __init__(self, draw: Callable[[int], StyleAndTextTuples]) -> None:
        self._draw = draw
        self._lines: list[StyleAndTextTuples] = []
        self.window: Window | None = None

    def create_content(self, width: int, height: int) -> UIContent:
        self._lines = [with_end(line, width) for line in split_lines(self._draw(width))]
        lines = self._lines
        return UIContent(
            get_line=lambda i: lines[i], line_count=len(lines), cursor_position=_cursor(lines), show_cursor=False
        )

    def preferred_height(
        self, width: int, max_available_height: int, wrap_lines: bool, get_line_prefix: object
    ) -> int | None:
        return len(list(split_lines(self._draw(width))))

    def mouse_handler(self, mouse_event: MouseEvent) -> NotImplementedOrNone:
        if self.window is not None and not is_reachable(self.window):
            return NotImplemented
        return click_fragment(self._lines, mouse_event.position, mouse_event)


def _cursor(lines: list[StyleAndTextTuples]) -> Point:
    for y, line in enumerate(lines):
        x = 0
        for fragment in line:
            if "[SetCursorPosition]" in fragment[0]:
                return Point(x, y)
            x += len(fragment[1])
    return Point(0, 0)


def drawn_window(
    draw: Callable[[int], StyleAndTextTuples], *, height: AnyDimension = 1, style: str | Callable[[], str] = ""
) -> Window:
    """A window of `height` rows that shows `draw(width)`; a height of None takes the room there is."""
    control = DrawnText(draw)
    control.window = Window(
        control, height=height, style=style, dont_extend_height=height is not None, always_hide_cursor=True
    )
    return control.window


def click_fragment(
    lines: Sequence[StyleAndTextTuples], position: Point, mouse_event: MouseEvent
) -> NotImplementedOrNone:
    """Give a mouse event to the fragment drawn at `position`, in cells."""
    if position.y >= len(lines):
        return NotImplemented
    x = 0
    for fragment in lines[position.y]:
        x += get_cwidth(fragment[1])
        if position.x < x:
            return fragment[2](mouse_event) if len(fragment) == 3 else NotImplemented
    return NotImplemented


def is_reachable(window: Window) -> bool:
    """Whether `window` may take input now: on screen, and not beneath a modal dialog."""
    return any(other is window for other in get_app().layout.walk_through_modal_area())


def on_click(act: Callable[[], object]) -> Callable[[MouseEvent], NotImplementedOrNone]:
    """The mouse handler of a fragment that does `act` when a button is let go over it; all else passes it by."""

    def handler(mouse_event: MouseEvent) -> NotImplementedOrNone:
        if mouse_event.event_type is not MouseEventType.MOUSE_UP:
            return NotImplemented
        act()
        return None

    return handler


def tab_fragments(
    pages: Iterable[T], current: T, title: Callable[[T], str], turn_to: Callable[[T], object]
) -> StyleAndTextTuples:
    """The titles of pages beside each other, the current one in brackets; a click turns to a page.

    On a plain screen the current one comes first, with its number.
    """
    pages = tuple(pages)
    tabs: StyleAndTextTuples = [("", " ")]
    if is_plain():
        number = next(number for number, page in enumerate(pages, start=1) if page is current)
        others = ", ".join(title(page) for page in pages if page is not current)
        return [
            ("class:title", f" {title(current)}, page {number} of {len(pages)}."),
            ("class:muted", f" Others: {others}."),
        ]
    for page in pages:
        here = page is current
        text = f"[{title(page)}]" if here else f" {title(page)} "
        tabs += [("class:title" if here else "class:muted", text, on_click(partial(turn_to, page))), ("", " ")]
    return tabs


def text_column(line: str) -> int:
    """Where the text of a line begins: behind its indentation, a label with two spaces behind it, and a dash."""
    begins = _TEXT_BEGINS.match(line)
    return begins.end() if begins is not None and begins.end() <= _LABEL_CELLS else len(line) - len(line.lstrip(" "))


def cut(text: str, width: int, ellipsis: str = "…") -> str:
    """`text` in at most `width` cells; what does not fit is replaced by `ellipsis`. Knows wide characters."""
    if get_cwidth(text) <= width:
        return text
    room = width - get_cwidth(ellipsis)
    if room < 0:
        return ""
    used = 0
    for i, character in enumerate(text):
        used += get_cwidth(character)
        if used > room:
            return text[:i] + ellipsis
    return text


def cut_middle(text: str, width: int) -> str:
    """`text` in at most `width` cells, keeping its beginning and its end: file names differ at both."""
    if get_cwidth(text) <= width or width < 4:
        return cut(text, width)
    tail = ""
    for character in reversed(text):
        if get_cwidth(character + tail) > (width - 1) // 2:
            break
        tail = character + tail
    return cut(text, width - get_cwidth(tail)) + tail


def fit(text: str, width: int, *, right: bool = False) -> str:
    """`text` in exactly `width` cells, cut or padded; `right` aligns it to the right."""
    text = cut(text, width)
    space = " " * max(0, width - get_cwidth(text))
    return space + text if right else text + space
