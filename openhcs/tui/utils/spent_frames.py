"""Frees what a frame was made of as soon as the next one is on the screen, not when garbage is looked for.

For each frame prompt_toolkit makes a table of all cells, one of what the mouse does in each, and one for each window
of where its text stands: half a MiB at 80 by 24, six at 300 by 100. A function that calls itself, in
`Window._copy_body`, holds them in a circle, so that nothing frees them but a look through all objects. Whoever keeps a
key down, and so leaves no pause for that, had the program take some 100 MiB more; much of it stayed, because what lives
long had come to lie in between.

Checked by tests/tui/utils/test_spent_frames.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prompt_toolkit.application import Application
from prompt_toolkit.layout.containers import Window, WindowRenderInfo
from prompt_toolkit.layout.mouse_handlers import MouseHandlers
from prompt_toolkit.layout.screen import Screen

__all__ = ["spent_frames_freed"]


@contextmanager
def spent_frames_freed(app: Application[Any]) -> Iterator[None]:
    """For the time of the block, free each frame of `app` when the next one is drawn."""
    frames = _Frames()
    app.after_render += frames.next
    try:
        yield
    finally:
        app.after_render -= frames.next


class _Frames:
    """The frame that is on the screen."""

    def __init__(self) -> None:
        self._screen: Screen | None = None
        self._handlers: MouseHandlers | None = None
        self._infos: list[tuple[Window, WindowRenderInfo]] = []

    def next(self, app: Application[Any]) -> None:
        """A frame has been drawn: free the one before."""
        screen, handlers, infos = self._screen, self._handlers, self._infos
        self._screen, self._handlers = app.renderer.last_rendered_screen, app.renderer.mouse_handlers
        self._infos = [(window, info) for window in app.layout.visible_windows if (info := window.render_info)]
        if screen is not None and screen is not self._screen:
            screen.data_buffer.clear()
        if handlers is not None and handlers is not self._handlers:
            handlers.mouse_handlers.clear()
        for window, info in infos:
            # A window that is hidden now may still be asked where it was.
            if window.render_info is not info:
                info._rowcol_to_yx.clear()
