"""Two clicks on the same thing, one soon after the other: how all of the workbench opens what lists and maps show."""

from __future__ import annotations

import time
from typing import Final

__all__ = ["DOUBLE_CLICK_S", "DoubleClick"]

DOUBLE_CLICK_S: Final = 0.5


class DoubleClick:
    """Remembers the last click of one control."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Whatever is clicked next is clicked for the first time."""
        self._last: tuple[float, object] = (0.0, None)

    def would_follow(self, target: object) -> bool:
        """Whether a click on `target` now would be the second of two."""
        clicked_s, clicked = self._last
        return clicked == target and time.monotonic() - clicked_s <= DOUBLE_CLICK_S

    def is_second(self, target: object) -> bool:
        """Note a click; whether it is the second of two on `target`. A third in a row is a first one again."""
        twice = self.would_follow(target)
        self._last = (time.monotonic(), None if twice else target)
        return twice
