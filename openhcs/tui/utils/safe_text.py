"""Text from outside, made safe to show: control characters become visible, nothing is executed (G12).

`visible` is for one line (a file name, a table cell), `visible_path` for a path in one, `visible_lines` for a message
of several. `describe` turns an exception into text whatever its `__str__` does. Standard library only; anybody may
import this.

Checked by tests/tui/utils/test_safe_text.py.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["as_text", "attribute_of", "describe", "format_exception", "visible", "visible_lines", "visible_path"]

_BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"

# C0 controls have pictures of their own in Unicode (U+2400...); the rest are shown as the escapes Python would print.
_SHOWN: dict[int, str] = {code: chr(0x2400 + code) for code in range(0x20)}
_SHOWN[0x7F] = "\u2421"
_SHOWN.update({code: f"\\x{code:02x}" for code in range(0x80, 0xA0)})
_SHOWN.update({ord(char): f"\\u{ord(char):04x}" for char in _BIDI + "\u2028\u2029\ufeff"})

_SHOWN_IN_LINES = _SHOWN.copy()
del _SHOWN_IN_LINES[ord("\n")]
_SHOWN_IN_LINES[ord("\t")] = "    "


def visible(text: str, limit: int = 4096) -> str:
    """`text` as one printable line, cut after `limit` characters of it."""
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    return text if text.isprintable() else _without_surrogates(text.translate(_SHOWN))


def visible_path(path: Path) -> str:
    """`path` as one printable line, with `~` for the home folder."""
    home = type(path).home()
    return visible(f"~/{path.relative_to(home)}" if path != home and path.is_relative_to(home) else str(path))


def visible_lines(text: str) -> str:
    """`text` with its line breaks kept, tabs widened and every other control character shown."""
    return _without_surrogates(text.replace("\r\n", "\n").translate(_SHOWN_IN_LINES))


def _without_surrogates(text: str) -> str:
    # Lone halves of surrogate pairs are all that UTF-8 cannot encode. In the tables their 2,048 entries would cost
    # each start half a millisecond.
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def describe(exception: BaseException) -> str:
    """The message of `exception`, or its type where there is none; never raises."""
    return as_text(exception) or type(exception).__name__


def as_text(thing: object) -> str:
    """`str(thing)`, or what can be said of it where that fails; never raises."""
    try:
        # A subclass of str may misbehave later; this makes it a plain one.
        return str.__str__(str(thing))
    except BaseException:
        # Whatever comes out of a `__str__`, be it SystemExit, says nothing but that there is no text.
        return f"<{type(thing).__name__} whose text cannot be made>"


def format_exception(exception: BaseException) -> str:
    """The whole traceback of `exception` as text; never raises, though parts may be missing or cut."""
    try:
        if all(len(describe(part)) <= _LONG for part in _parts(exception)):
            return "".join(traceback.format_exception(exception))
    except BaseException:
        # Something in it raises when it is asked; what remains is said below.
        pass
    return _format_plainly(exception)


_LONG = 100_000
"""Characters of a message past which Python's own formatting, which takes it apart line by line, would be felt."""

_PARTS = 200
_CHAIN = 20


def _parts(exception: BaseException) -> Iterator[BaseException]:
    """The exception, its members, causes and contexts, and theirs; not more than can matter."""
    parts, seen = [exception], {id(exception)}
    for part in parts:
        yield part
        further = [attribute_of(part, "__cause__"), attribute_of(part, "__context__")]
        if issubclass(type(part), BaseExceptionGroup):
            further += BaseExceptionGroup.exceptions.__get__(part)
        new = [one for one in further if one is not None and id(one) not in seen]
        seen.update(map(id, new))
        parts += new[: _PARTS - len(parts)]


def _format_plainly(exception: BaseException) -> str:
    """As Python does it, with long messages cut, members of groups left out, and nothing asked of the class."""
    sections: list[str] = []
    part: BaseException | None = exception
    while part is not None and len(sections) < 2 * _CHAIN:
        if sections:
            sections.append(_RAISED_FROM)
        sections.append(_section(part))
        part = attribute_of(part, "__cause__")
    return "".join(reversed(sections))


_RAISED_FROM = "\nThe above exception was the direct cause of the following exception:\n\n"


def _section(exception: BaseException) -> str:
    frames = "".join(traceback.format_tb(attribute_of(exception, "__traceback__"), _FRAMES))
    heading = "Traceback (most recent call last):\n" if frames else ""
    message = describe(exception)
    if len(message) > _LONG:
        left_out = len(message) - _LONG
        message = f"{message[: _LONG // 2]}\n… {left_out:,} characters left out …\n{message[-_LONG // 2 :]}"
    return f"{heading}{frames}{type(exception).__name__}: {message}\n"


_FRAMES = 100


def attribute_of(exception: BaseException, name: str) -> Any:
    """What Python itself keeps of `exception` under `name`, past whatever its class says of its attributes."""
    return vars(BaseException)[name].__get__(exception)
