"""Something made from parts of a snapshot, and kept until one of them is another object. Standard library only."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["Kept"]

T = TypeVar("T")


class Kept(Generic[T]):
    """Keeps what was made last; frozen parts that are the same objects make the same, and comparing costs nothing."""

    def __init__(self) -> None:
        self._parts: tuple[object, ...] = ()
        self._made: T | None = None

    def made_from(self, parts: tuple[object, ...], make: Callable[[], T]) -> T:
        """What `make` makes of `parts`."""
        same = len(parts) == len(self._parts) and all(map(operator.is_, parts, self._parts))
        if self._made is None or not same:
            self._parts, self._made = parts, make()
        return self._made
