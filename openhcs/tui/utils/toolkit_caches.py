"""Keeps what prompt_toolkit remembers from growing for as long as the program runs.

It remembers how wide each short text is that was ever asked for, how each beginning of a mouse report goes on, and for
each style that was ever drawn its attributes and escape sequence; and up to a million characters, each in each of its
styles. Lines of a form would never get it far, but a picture has thousands of styles, and a day of them some hundred
MiB. Here each is bounded by what a large screen needs, and what is on the screen is remembered all the same, so that
no frame is slower for it.

Checked by tests/tui/utils/test_toolkit_caches.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from prompt_toolkit.application import Application
from prompt_toolkit.input.vt100_parser import _IS_PREFIX_OF_LONGER_MATCH_CACHE as _BEGINNINGS
from prompt_toolkit.layout.screen import _CHAR_CACHE as _CHARACTERS
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.utils import _CHAR_SIZES_CACHE as _WIDTHS

__all__ = ["toolkit_caches_bounded"]

_CHARACTERS_KEPT: Final = 1 << 14
"""A character in a style is some 400 bytes with it, and made in a few µs; a screen of 300 by 100 has 30,000 cells."""

_STYLES_KEPT: Final = 1 << 13
"""A style is some 600 bytes with its escape sequence, and 60 µs when it is met anew; no picture has more than half."""

_TEXTS_KEPT: Final = 1 << 13
"""Texts and beginnings of mouse reports are 100 to 150 bytes, and found again in a few µs."""


@contextmanager
def toolkit_caches_bounded(
    app: Application[Any],
    characters: int = _CHARACTERS_KEPT,
    styles: int = _STYLES_KEPT,
    texts: int = _TEXTS_KEPT,
) -> Iterator[None]:
    """For the time of the block, have no more remembered for `app` than so many of each, and what is on the screen."""

    def look(app: Application[Any]) -> None:
        if len(_WIDTHS) > texts:
            _WIDTHS.clear()
            _WIDTHS._long_strings.clear()
        if len(_BEGINNINGS) > texts:
            _BEGINNINGS.clear()
        attributes = app.renderer._attrs_for_style
        if attributes is not None and len(attributes) > styles:
            _forget_styles(app)

    before = _CHARACTERS.size
    _CHARACTERS.size = characters  # from then on the oldest goes for each that comes
    app.after_render += look
    try:
        yield
    finally:
        app.after_render -= look
        _CHARACTERS.size = before


def _forget_styles(app: Application[Any]) -> None:
    """Forget the styles that are not on the screen."""
    renderer = app.renderer
    screen = renderer.last_rendered_screen
    rows = screen.data_buffer.values() if screen is not None else ()
    shown = {character.style for row in rows for character in row.values()}
    caches: tuple[dict[str, Any] | None, ...] = (renderer._attrs_for_style, renderer._style_string_has_style)
    for cache in filter(None, caches):
        for style in cache.keys() - shown:
            del cache[style]
    if isinstance(app.output, Vt100_Output):
        # By attributes, not by styles; written for what changes on the screen, so that few are needed at once.
        for codes in app.output._escape_code_caches.values():
            codes.clear()
