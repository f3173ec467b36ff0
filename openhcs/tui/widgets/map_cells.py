"""How one well of a plate map is drawn, in as many columns and lines of text as it has there.

Pure functions; anybody under openhcs.tui may import this.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.utils import get_cwidth

from openhcs.tui.widgets.map_layout import MapLayout

__all__ = ["SELECTED", "SELECTED_AWAY", "WellLook", "well_lines"]

SELECTED: Final = "class:selected"
SELECTED_AWAY: Final = "class:selected.unfocused"
_FULL: Final = "█"
_UPPER_HALF: Final = "▀"
"""The last line of a block of several: half as high, it leaves as much between rows as there is between columns."""


@dataclass(frozen=True, slots=True)
class WellLook:
    """How one well is drawn: a shape of one cell, its style, and a plain colour for where half a cell is all it has.

    A shape that `fills` is repeated over the well's cells, which makes neighbours a picture. Any other stands on the
    well's colour in the style `painted`, where there is one. `words` are drawn where a well has lines enough and they
    fit, below a shape or on what is filled.
    """

    shape: str
    style: str = ""
    colour: str | None = None
    painted: str = ""
    fills: bool = False
    words: str = ""
    words_style: str = ""


def well_lines(look: WellLook, layout: MapLayout, cursor: str, *, marked: bool) -> list[StyleAndTextTuples]:
    """The lines of a well that looks like `look`; `cursor` is the style of the one that is selected, else empty."""
    style = f"{look.style} bold" if marked else look.style
    if layout.cell == 1:
        parts = (look.painted or style, cursor, "underline" if marked else "")
        return [[(" ".join(filter(None, parts)), look.shape)]]
    # A mark, and the place where one stands, are told by a character beside the shape as well.
    beside = "*" if marked else ">" if cursor else ""
    draw = _filled if look.fills else _shaped
    return draw(layout, look, style, cursor, beside)


def _shaped(layout: MapLayout, look: WellLook, style: str, cursor: str, beside: str) -> list[StyleAndTextTuples]:
    """A well as a shape in its corner, with its words below where there are lines."""
    wide = layout.cell - 1
    if look.painted and not cursor:
        return _painted(layout, look, beside)
    # As in lists: with the focus the whole is reversed, away from it the state keeps its colour.
    inside = f"{cursor} {style}" if cursor == SELECTED_AWAY else f"{style} {cursor}"
    first: StyleAndTextTuples = [(inside, look.shape), (inside if cursor else "class:mark", beside or " ")]
    if wide > 1:
        first += [(cursor if look.painted or layout.tall > 1 else "", " " * (wide - 2)), ("", " ")]
    lines = [first]
    words = _words(look, wide)
    for line in range(1, layout.tall):
        lines.append([(f"{look.words_style} {cursor}", f"{words if line == 1 else '':<{wide}}"), ("", " ")])
    return lines


def _painted(layout: MapLayout, look: WellLook, beside: str) -> list[StyleAndTextTuples]:
    """A well as a block of its colour, with its shape in the corner and its words below where there are lines."""
    wide = layout.cell - 1
    style = f"{look.painted} bold" if beside else look.painted
    if wide == 1:
        return [[(style, look.shape), ("class:mark", beside or " ")]]
    lines: list[StyleAndTextTuples] = [[(style, f"{look.shape}{beside}".ljust(wide)), ("", " ")]]
    words = _words(look, wide)
    for line in range(1, layout.tall):
        if line == layout.tall - 1 and not (words and line == 1):
            lines.append([(f"fg:{look.colour}", _UPPER_HALF * wide), ("", " ")])
        else:
            lines.append([(style, f"{words if line == 1 else '':<{wide}}"), ("", " ")])
    return lines


def _words(look: WellLook, wide: int) -> str:
    return look.words if get_cwidth(look.words) <= wide else ""


def _filled(layout: MapLayout, look: WellLook, style: str, cursor: str, beside: str) -> list[StyleAndTextTuples]:
    """A well as a block, with its words on it where there are lines; a cursor covers the words, or else an edge."""
    wide, tall = layout.cell - 1, layout.tall
    fits = tall > 1 and look.words and get_cwidth(look.words) <= wide
    lines: list[StyleAndTextTuples] = []
    for line in range(tall):
        here = beside if line == 0 else ""
        if fits and line == (tall - 1) // 2:
            # Where the mark has no room before the words, they are underlined.
            text = f"{here}{look.words}" if get_cwidth(look.words) + len(here) <= wide else look.words
            underlined = " underline" if beside == "*" else ""
            lines.append([(f"{cursor or look.words_style}{underlined}", f"{text:^{wide}}"), ("", " ")])
            continue
        shape = _UPPER_HALF if line == tall - 1 > 0 and look.shape == _FULL else look.shape
        body = max(1, wide - len(here))
        gap = " " * (layout.cell - body - len(here))
        lines.append([(style, shape * body), (cursor or "class:mark", here), ("", gap)])
    return lines
