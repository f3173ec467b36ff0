"""A schedule as one word: `x1:fifo:c1f1r1s2:0001:2232`.

Version, order, budgets, the option taken at each choice (without the zeros at the end), and how many options each
choice had; `-` for none. The last field tells a token that is older than the program at the very choice where they
part; it may be left out, then only options out of range are noticed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_lowercase, digits
from typing import Final

from openhcs.testing.explore.bounds import Bounds, Order
from openhcs.testing.explore.errors import TokenError

__all__ = ["Token"]

_FORM: Final = "x1:<fifo|any>:c<n>f<n>r<n>s<n>:<options>:<sizes>"
_DIGITS: Final = digits + ascii_lowercase
_NUMBER: Final = re.compile(r"[0-9a-z]|\((\d+)\)")
_TAG: Final = re.compile(r"c(\d+|\*)f(\d+|\*)r(\d+|\*)s(\d+|\*)(?:o(\d+|\*))?")


def _written(numbers: Sequence[int]) -> str:
    return "".join(_DIGITS[number] if number < len(_DIGITS) else f"({number})" for number in numbers) or "-"


def _limit(text: str | None) -> int | None:
    return None if text == "*" else int(text or 0)


@dataclass(frozen=True, slots=True)
class Token:
    """One schedule of one scenario: parse it from a report, or take it from a `CounterExample`."""

    bounds: Bounds
    options: tuple[int, ...]
    sizes: tuple[int, ...] | None = None

    @classmethod
    def of(cls, bounds: Bounds, options: Sequence[int], sizes: Sequence[int]) -> Token:
        """The token of a run, without the choices at its end that took the first option."""
        length = len(options)
        while length and not options[length - 1]:
            length -= 1
        return cls(bounds, tuple(options[:length]), tuple(sizes[:length]))

    @classmethod
    def parse(cls, text: str) -> Token:
        """The token written as `text`; raises `TokenError`."""
        fields = text.strip().split(":")
        if len(fields) not in (4, 5) or fields[0] != "x1":
            raise TokenError(text, _FORM)
        tag = _TAG.fullmatch(fields[2])
        if tag is None or fields[1] not in list(Order):
            raise TokenError(text, _FORM)
        order = Order(fields[1])
        cancels, faults, rush, slow, reorder = (_limit(group) for group in tag.groups())
        bounds = Bounds(cancels, faults, rush, slow, reorder if order is Order.ANY else 0, order)
        numbers = [cls._numbers(text, field) for field in fields[3:]]
        if len(numbers) == 2 and len(numbers[0]) != len(numbers[1]):
            raise TokenError(text, f"{_FORM}, options and sizes of one length")
        return cls(bounds, numbers[0], numbers[1] if len(numbers) == 2 else None)

    @staticmethod
    def _numbers(text: str, field: str) -> tuple[int, ...]:
        if field in ("", "-"):
            return ()
        found, end = [], 0
        for number in _NUMBER.finditer(field):
            if number.start() != end:
                break
            found.append(int(number[1]) if number[1] else _DIGITS.index(number[0]))
            end = number.end()
        if end != len(field):
            raise TokenError(text, _FORM)
        return tuple(found)

    def __str__(self) -> str:
        fields = ["x1", self.bounds.order.value, self.bounds.tag, _written(self.options)]
        if self.sizes is not None:
            fields.append(_written(self.sizes))
        return ":".join(fields)
