"""How messages show a value that is wrong and suggest a name that is right. Anybody may import this."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterable

__all__ = ["did_you_mean", "is_text", "show_value"]

_shortened = reprlib.Repr()
_shortened.maxlevel = 2  # by default six levels of six items each are shown, which can be megabytes


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """` Did you mean a or b?` from the known names most like `name`, or nothing."""
    close = difflib.get_close_matches(name, list(known), n=2, cutoff=0.6)
    return f" Did you mean {' or '.join(close)}?" if close else ""


def is_text(name: str) -> bool:
    """Whether a file's name is text: bytes that are not UTF-8 come as surrogates, which no file of ours can hold."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def show_value(value: object) -> str:
    """A value as Python writes it, shortened."""
    return _shortened.repr(value)
