"""The pictures of a well as prompt_toolkit has them: a control that is drawn, and what the mouse does on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prompt_toolkit.application import get_app
from prompt_toolkit.data_structures import Point
from prompt_toolkit.key_binding import KeyBindingsBase
from prompt_toolkit.layout.controls import UIContent, UIControl
from prompt_toolkit.mouse_events import MouseButton, MouseEvent, MouseEventType

from openhcs.tui.well_scene import Frame
from openhcs.tui.widgets.double_click import DoubleClick
from openhcs.tui.widgets.drawn_text import click_fragment, is_reachable

if TYPE_CHECKING:
    from prompt_toolkit.key_binding.key_bindings import NotImplementedOrNone

    from openhcs.tui.panes.well_pictures import WellPictures

__all__ = ["PicturesControl"]


class PicturesControl(UIControl):
    """Draws the pictures of `owner`, and takes the mouse: the wheel, a click on a site or a channel, and dragging."""

    def __init__(self, owner: WellPictures, bindings: KeyBindingsBase) -> None:
        self._owner = owner
        self._bindings = bindings
        self._clicks = DoubleClick()
        self._grabbed: tuple[Point, Frame] | None = None

    def is_focusable(self) -> bool:
        return True

    def get_key_bindings(self) -> KeyBindingsBase:
        return self._bindings

    def create_content(self, width: int, height: int) -> UIContent:
        lines = self._owner.lines(width, height)
        return UIContent(get_line=lambda i: lines[i], line_count=len(lines), show_cursor=False)

    def mouse_handler(self, mouse_event: MouseEvent) -> NotImplementedOrNone:
        owner = self._owner
        if not is_reachable(owner.window):
            return None
        at = mouse_event.position
        match mouse_event.event_type:
            case MouseEventType.SCROLL_UP:
                owner.enlarge_at(at.x, at.y)
            case MouseEventType.SCROLL_DOWN:
                owner.change(owner.scene.farther())
            case MouseEventType.MOUSE_DOWN:
                frame = owner.frame_of_site()
                self._grabbed = (at, frame) if frame is not None else None
            case MouseEventType.MOUSE_MOVE if self._grabbed is not None and mouse_event.button is MouseButton.NONE:
                self._grabbed = None  # let go outside
            case MouseEventType.MOUSE_MOVE if self._grabbed is not None:
                start, frame = self._grabbed
                owner.change(owner.scene.dragged(frame, at.x - start.x, at.y - start.y))
            case MouseEventType.MOUSE_UP:
                self._grabbed = None
                get_app().layout.focus(self)
                if at.y == 0:
                    return click_fragment([owner.head], at, mouse_event)
                channel = owner.channel_at(at.x, at.y)
                if channel is not None:
                    owner.toggle_channel(channel)
                self._click(owner.site_at(at.x, at.y))
        return None

    def _click(self, site: int | None) -> None:
        if site is not None:
            self._owner.choose_site(site, near=self._clicks.is_second(site))
