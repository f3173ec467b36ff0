"""A one-line text field over prompt_toolkit's `Buffer`, with the keys people know from any shell.

Deliberately absent: labels, parsing and messages, which belong to the form or the dialog around it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from prompt_toolkit.application import get_app
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.document import Document
from prompt_toolkit.filters import FilterOrBool
from prompt_toolkit.key_binding import KeyBindingsBase
from prompt_toolkit.layout.containers import Container, Window
from prompt_toolkit.layout.controls import BufferControl
from prompt_toolkit.layout.dimension import AnyDimension
from prompt_toolkit.mouse_events import MouseEvent, MouseEventType

from openhcs.tui.widgets.drawn_text import is_reachable

if TYPE_CHECKING:
    from prompt_toolkit.key_binding.key_bindings import NotImplementedOrNone

__all__ = ["TextField"]


class TextField:
    """An editable line. `on_change` runs after each edit, `on_enter` on Enter; `style` is asked at each frame."""

    def __init__(
        self,
        text: str = "",
        *,
        on_change: Callable[[], None] | None = None,
        on_enter: Callable[[], None] | None = None,
        keys: KeyBindingsBase | None = None,
        style: Callable[[], str] | None = None,
        focusable: FilterOrBool = True,
        width: AnyDimension = None,
    ) -> None:
        self._style = style

        def accept(buffer: Buffer) -> bool:
            if on_enter is not None:
                on_enter()
            return True

        self.buffer = Buffer(document=Document(text, len(text)), multiline=False, accept_handler=accept)
        if on_change is not None:
            self.buffer.on_text_changed += lambda _: on_change()
        self.control = _FieldControl(self.buffer, keys, focusable)
        self.window = Window(self.control, height=1, width=width, dont_extend_height=True, style=self._window_style)
        self.control.window = self.window

    def __pt_container__(self) -> Container:
        return self.window

    @property
    def text(self) -> str:
        """What stands in the field."""
        return self.buffer.text

    @text.setter
    def text(self, text: str) -> None:
        self.buffer.document = Document(text, len(text))

    def _window_style(self) -> str:
        focused = get_app().layout.has_focus(self.window)
        style = "class:field class:field.focused" if focused else "class:field"
        return f"{style} {self._style()}" if self._style is not None else style


class _FieldControl(BufferControl):
    def __init__(self, buffer: Buffer, keys: KeyBindingsBase | None, focusable: FilterOrBool) -> None:
        super().__init__(buffer, key_bindings=keys, focusable=focusable)
        self.window: Window | None = None

    def mouse_handler(self, mouse_event: MouseEvent) -> NotImplementedOrNone:
        if self.window is None or not is_reachable(self.window):
            return None
        match mouse_event.event_type:
            case MouseEventType.MOUSE_DOWN if self.is_focusable():
                get_app().layout.focus(self.window)
            case MouseEventType.MOUSE_MOVE | MouseEventType.MOUSE_UP:
                # The buffer would select what is dragged over or clicked twice, and then take no letters.
                return None
        return super().mouse_handler(mouse_event)
