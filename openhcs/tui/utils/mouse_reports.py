"""Which of what looks like a report of the mouse is one.

A terminal on a noisy line, or one that speaks half of a protocol, sends reports of buttons that do not exist, or
without a place. prompt_toolkit's handler raises on those: nobody has done anything, so nobody is to be shown an error.

Checked by tests/tui/utils/test_application.py.
"""

from __future__ import annotations

from typing import Final

from prompt_toolkit.key_binding.bindings.mouse import typical_mouse_events

__all__ = ["is_mouse_report"]

_INTRODUCED: Final = len("\x1b[")
_MOST_DIGITS: Final = 6


def is_mouse_report(data: str) -> bool:
    """Whether `data`, which begins as a report of the mouse does, tells a button and a place."""
    body = data[_INTRODUCED:]
    if body.startswith("M"):  # the oldest protocol: three characters, the button and the place
        return len(body) == 4 and ord(body[1]) in typical_mouse_events
    numbers = body.removeprefix("<")[:-1].split(";")
    return len(numbers) == 3 and all(number.isdecimal() and len(number) <= _MOST_DIGITS for number in numbers)
