"""A window whose scroll bar takes the mouse: a click or a drag on it goes to that part of what is shown.

prompt_toolkit gives a window's content the mouse and its margins none. Checked by
tests/tui/utils/test_scrolled_window.py.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from prompt_toolkit.application import get_app
from prompt_toolkit.layout.containers import Window
from prompt_toolkit.layout.controls import UIControl
from prompt_toolkit.layout.dimension import AnyDimension
from prompt_toolkit.layout.margins import Margin
from prompt_toolkit.layout.mouse_handlers import MouseHandlers
from prompt_toolkit.layout.screen import Screen, WritePosition
from prompt_toolkit.mouse_events import MouseButton, MouseEvent, MouseEventType

if TYPE_CHECKING:
    from prompt_toolkit.key_binding.key_bindings import NotImplementedOrNone

__all__ = ["ScrolledWindow", "is_held"]


def is_held(mouse_event: MouseEvent) -> bool:
    """Whether a button goes down, or is down while the mouse moves."""
    presses = mouse_event.event_type in (MouseEventType.MOUSE_DOWN, MouseEventType.MOUSE_MOVE)
    return presses and mouse_event.button is not MouseButton.NONE


class ScrolledWindow(Window):
    """Shows `content` with `bar` at its right.

    Args:
        overflows: whether there is anything to scroll; where not, the bar takes no mouse.
        scroll_to: is given the place on the bar that the mouse is on, from 0 at the top to 1 at the bottom.
    """

    def __init__(
        self,
        content: UIControl,
        bar: Margin,
        *,
        overflows: Callable[[], bool],
        scroll_to: Callable[[float], None],
        always_hide_cursor: bool = False,
        height: AnyDimension = None,
        style: str = "",
    ) -> None:
        super().__init__(
            content, right_margins=[bar], always_hide_cursor=always_hide_cursor, height=height, style=style
        )
        self._overflows = overflows
        self._scroll_to = scroll_to

    def write_to_screen(
        self,
        screen: Screen,
        mouse_handlers: MouseHandlers,
        write_position: WritePosition,
        parent_style: str,
        erase_bg: bool,
        z_index: int | None,
    ) -> None:
        """Draw as every window does, and take the mouse on the last column in its turn."""
        super().write_to_screen(screen, mouse_handlers, write_position, parent_style, erase_bg, z_index)
        take = partial(self._take_mouse, mouse_handlers, write_position)
        if z_index is None or z_index <= 0:
            take()
        else:  # as the window itself: what lies above is drawn later
            screen.draw_with_z_index(z_index, take)

    def _take_mouse(self, mouse_handlers: MouseHandlers, at: WritePosition) -> None:
        if at.width <= 0 or at.height <= 0 or not self._overflows():
            return
        right = at.xpos + at.width
        mouse_handlers.set_mouse_handler_for_range(
            x_min=right - 1,
            x_max=right,
            y_min=at.ypos,
            y_max=at.ypos + at.height,
            handler=partial(self._on_bar, at.ypos, at.height),
        )

    def _on_bar(self, top: int, height: int, mouse_event: MouseEvent) -> NotImplementedOrNone:
        if not is_held(mouse_event) or not any(self is other for other in get_app().layout.walk_through_modal_area()):
            return NotImplemented
        self._scroll_to(min(1.0, max(0.0, (mouse_event.position.y - top) / max(1, height - 1))))
        return None
