"""Questions that hang on one another, in circles too: each is asked once, and a circle is cut where it closes.

An answer found while a question was left open may be too small, so it is good only until the outermost question is
answered. Standard library only.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

from openhcs.verify.values import Value, Values

__all__ = ["Questions"]

_DEEPEST = 60
"""How many questions may hang on one another."""

_Key = TypeVar("_Key", bound=Hashable)


class Questions:
    """What is being asked now, and the answers that are good for now."""

    def __init__(self) -> None:
        self._asking: set[Hashable] = set()
        self._left_open = 0
        self._for_now: dict[Hashable, Values] = {}

    def ask(self, kept: dict[_Key, Values], key: _Key, find: Callable[[], Iterable[Value]]) -> Values:
        """The answer to a question; nothing where it hangs on itself, or on too many others.

        Args:
            kept: answers that stay good; this one is added if it does.
            key: the question, among those of all kinds.
            find: finds the answer, and may ask others.
        """
        known = kept.get(key)
        if known is None:
            known = self._for_now.get(key)
        if known is not None:
            return known
        if key in self._asking or len(self._asking) > _DEEPEST:
            self._left_open += 1
            return ()
        left_open = self._left_open
        self._asking.add(key)
        try:
            answer = tuple(dict.fromkeys(find()))
        finally:
            self._asking.discard(key)
        if left_open == self._left_open or not self._asking:
            kept[key] = answer
        if self._asking:
            self._for_now[key] = answer
        else:
            self._for_now.clear()
        return answer
