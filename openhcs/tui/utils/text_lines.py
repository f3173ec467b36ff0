"""A long text as a sequence of its lines, none of which is cut out before somebody looks at it.

Standard library only; anybody may import this. Checked by tests/tui/utils/test_text_lines.py.
"""

from __future__ import annotations

__all__ = ["TextLines"]

_ENDS = 128
"""Lines at either end whose starts are kept: a view asks for the first and the last ones whatever it shows."""


class TextLines:
    """The lines of `text`, split at its line feeds; a carriage return before one is left out.

    In between, reading on from the line read last costs only the lines on the way.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._count = text.count("\n") + 1
        ends = min(_ENDS, self._count)
        self._first = [0]
        for _ in range(ends - 1):
            self._first.append(text.find("\n", self._first[-1]) + 1)
        self._last = [text.rfind("\n") + 1]
        for _ in range(ends - 1):
            self._last.append(text.rfind("\n", 0, self._last[-1] - 1) + 1)
        self._number = self._start = 0

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> str:
        """Line `number`, counted from 0, or from the end where negative."""
        if not -self._count <= number < self._count:
            raise IndexError(f"line not found: {number}; expected less than {self._count}, the number of lines")
        start = self._start_of(number % self._count)
        stop = self._text.find("\n", start)
        return self._text[start:] if stop < 0 else self._text[start:stop].removesuffix("\r")

    def _start_of(self, number: int) -> int:
        from_end = self._count - 1 - number
        if number < len(self._first):
            return self._first[number]
        if from_end < len(self._last):
            return self._last[from_end]
        way = abs(number - self._number)
        if number < way:
            self._number, self._start = 0, 0
        elif from_end < way:
            self._number, self._start = self._count - 1, self._last[0]
        text, at, start = self._text, self._number, self._start
        while at < number:
            start = text.find("\n", start) + 1
            at += 1
        while at > number:
            start = text.rfind("\n", 0, start - 1) + 1
            at -= 1
        self._number, self._start = at, start
        return start
