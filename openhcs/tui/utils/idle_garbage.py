"""Looks for garbage while nobody types, not in the middle of a key.

Python looks through all objects there are when enough new ones have gathered, wherever that happens to be: some 20 ms
in the workbench, and mostly in a frame, because frames make most objects. Here it waits until the user pauses. Where
nobody ever pauses Python looks all the same, only later.

What pictures and tables have taken goes back to the system then as well: the allocator keeps what was freed between
things that are still there, and for each thread apart.

Checked by tests/tui/utils/test_idle_garbage.py.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from openhcs.tui.utils.allocator import return_free_memory

if TYPE_CHECKING:
    from prompt_toolkit.application import Application

__all__ = ["garbage_when_idle"]

_PAUSE_S: Final = 1.0
_LATER: Final = 20
"""How much more may gather before Python looks in the middle of whatever goes on."""


@contextmanager
def garbage_when_idle(app: Application[Any], pause_s: float = _PAUSE_S) -> Iterator[None]:
    """For the time of the block, look through all objects only after `pause_s` seconds without a key."""
    youngest, younger, oldest = gc.get_threshold()
    idle = _Idle(pause_s, oldest)
    if oldest:  # else somebody has decided that Python never looks
        gc.set_threshold(youngest, younger, oldest * _LATER)
        app.after_render += idle.wait
        app.key_processor.after_key_press += idle.wait_anew
    try:
        yield
    finally:
        if oldest:
            app.key_processor.after_key_press -= idle.wait_anew
            app.after_render -= idle.wait
            gc.set_threshold(youngest, younger, oldest)
        idle.stop()


class _Idle:
    """Waits for a pause, where there is enough to look through."""

    def __init__(self, pause_s: float, enough: int) -> None:
        self._pause_s = pause_s
        self._enough = enough
        self._timer: asyncio.TimerHandle | None = None

    def wait(self, _: object) -> None:
        """Look after a pause, if it is worth it."""
        if self._timer is None and gc.get_count()[2] >= self._enough:
            self._timer = asyncio.get_running_loop().call_later(self._pause_s, self._look)

    def wait_anew(self, _: object) -> None:
        """A key: the pause begins again, with the frame that follows."""
        self.stop()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        gc.collect()
        return_free_memory()
