"""A layer over the screen that is not seen and decides what becomes of the mouse beneath it.

Checked by tests/tui/utils/test_dialog_host.py and tests/tui/layout/test_workbench.py.
"""

from __future__ import annotations

from collections.abc import Callable

from prompt_toolkit.layout.containers import Container
from prompt_toolkit.layout.dimension import Dimension
from prompt_toolkit.layout.mouse_handlers import MouseHandlers
from prompt_toolkit.layout.screen import Screen, WritePosition

__all__ = ["MouseShield"]


class MouseShield(Container):
    """Draws nothing; `change(handlers, area)` changes who gets the mouse, after what lies beneath has been drawn."""

    def __init__(self, change: Callable[[MouseHandlers, WritePosition], None]) -> None:
        self._change = change

    def reset(self) -> None:
        """There is nothing to reset."""

    def preferred_width(self, max_available_width: int) -> Dimension:
        """Any."""
        return Dimension()

    def preferred_height(self, width: int, max_available_height: int) -> Dimension:
        """Any."""
        return Dimension()

    def write_to_screen(
        self,
        screen: Screen,
        mouse_handlers: MouseHandlers,
        write_position: WritePosition,
        parent_style: str,
        erase_bg: bool,
        z_index: int | None,
    ) -> None:
        """Have the handlers changed in its turn: floats of the body are drawn late as well."""
        screen.draw_with_z_index(z_index or 0, lambda: self._change(mouse_handlers, write_position))

    def get_children(self) -> list[Container]:
        """None."""
        return []
