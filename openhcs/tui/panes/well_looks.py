"""How a well is drawn on the plate map, by its state or by a number, and what the legend below says.

Every state has a shape as well as a colour, and every number one of five shapes where there is no colour.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.utils import get_cwidth

from openhcs.core.progress import WellProgress, WellState
from openhcs.tui.effects.well_values import measure_text
from openhcs.tui.panes.plate_text import WELL_LOOK, well_words
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.widgets.colour_scale import NO_VALUE, Palette, Scale, legend_fragments, number_text
from openhcs.tui.widgets.drawn_text import cut
from openhcs.tui.widgets.map_cells import WellLook
from openhcs.tui.workbench import Measure

__all__ = ["measure_legend", "state_legend", "state_look", "told_fragments", "value_look"]

# Where half a cell is all a well has, its colour is all that tells its state there: no two are alike in any palette,
# and what failed is lighter or darker than what is done, for those who do not tell red from green.
_ON_DARK: Final = {
    WellState.PENDING: "#3f464d",
    WellState.RUNNING: "#6cb6ff",
    WellState.FINISHED: "#2e7d47",
    WellState.REUSED: "#256b78",
    WellState.FAILED: "#ff867c",
    WellState.CANCELLED: "#e6b450",
}
_ON_LIGHT: Final = {
    WellState.PENDING: "#b4bbc2",
    WellState.RUNNING: "#2a78d6",
    WellState.FINISHED: "#46a562",
    WellState.REUSED: "#3a9ea8",
    WellState.FAILED: "#9c1511",
    WellState.CANCELLED: "#b07500",
}
_IN_SIXTEEN: Final = {
    WellState.PENDING: "ansibrightblack",
    WellState.RUNNING: "ansiblue",
    WellState.FINISHED: "ansigreen",
    WellState.REUSED: "ansicyan",
    WellState.FAILED: "ansired",
    WellState.CANCELLED: "ansiyellow",
}
_COLOURS: Final = {
    Palette.SHAPES: _IN_SIXTEEN,
    Palette.SIXTEEN: _IN_SIXTEEN,
    Palette.SIXTEEN_ON_LIGHT: _IN_SIXTEEN,
    Palette.MANY: _ON_DARK,
    Palette.MANY_ON_LIGHT: _ON_LIGHT,
}
_NO_NUMBER: Final = {
    Palette.SHAPES: "ansibrightblack",
    Palette.SIXTEEN: "ansibrightblack",
    Palette.SIXTEEN_ON_LIGHT: "ansibrightblack",
    Palette.MANY: "#2a2f35",
    Palette.MANY_ON_LIGHT: "#e1e5ea",
}

_FULL: Final = "█"
_DARK_OF_SIXTEEN: Final = ("ansiblack", "ansiblue", "ansimagenta")


def state_look(well: WellProgress, palette: Palette) -> WellLook:
    """A well by its state, with how much of it is done while it runs."""
    words = f"{well.fraction:.0%}" if well.state is WellState.RUNNING and well.steps else ""
    return _state_look(well.state, words, palette)


# A frame of 1,536 wells asks for as many looks, nearly all of which the last one had: kept, they cost a tenth.
@lru_cache(maxsize=1 << 10)
def _state_look(state: WellState, words: str, palette: Palette) -> WellLook:
    symbol, style = WELL_LOOK[state]
    colour = _COLOURS[palette][state]
    return WellLook(symbol, style, colour, _painted(colour, palette), words=words, words_style=style)


def _painted(colour: str, palette: Palette) -> str:
    """How a shape is drawn on its colour; sixteen colours are too loud for whole wells."""
    return f"bg:{colour} {_ink_on(colour)}" if palette.has_many else ""


@lru_cache(maxsize=1 << 13)
def value_look(value: float | None, scale: Scale | None, palette: Palette) -> WellLook:
    """A well by a number; without one it is a question mark."""
    if scale is None or value is None:
        return WellLook(NO_VALUE, "class:muted", _NO_NUMBER[palette])
    words = number_text(value)
    colour = scale.colour(value, palette)
    if colour is None:
        return WellLook(scale.shape(value), fills=True, words=words)
    ink = f"bg:{colour} {_ink_on(colour)}"
    return WellLook(_FULL, f"fg:{colour}", colour, fills=True, words=words, words_style=ink)


def _ink_on(colour: str) -> str:
    """Black or white, whichever is read better on a colour: where its luminance is above 0.18 (WCAG 2.2) black is."""
    if not colour.startswith("#"):
        return "ansiwhite" if colour in _DARK_OF_SIXTEEN else "ansiblack"
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return "#000000" if 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2 > 0.18 else "#ffffff"


def told_fragments(
    well: WellProgress, measure: Measure | None, value: float | None, width: int, *, marked: bool
) -> StyleAndTextTuples:
    """One line on the well under the cursor: name, state, what it does or counted, and its number."""
    symbol, style = WELL_LOOK[well.state]
    mark = "* " if marked else ""
    number = "" if measure is None else f"{visible(measure.name)} {number_text(value) if value is not None else '?'}, "
    words = well_words(well)
    state = well.state.value if words in ("", well.state.value) else f"{well.state.value}: {words}"
    head = f"{mark}{visible(well.well)} "
    return [
        ("class:title", head),
        (style, symbol),
        ("", cut(f" {number}{state}", max(0, width - get_cwidth(head) - 1))),
    ]


def state_legend(states: Iterable[WellState], palette: Palette, width: int) -> StyleAndTextTuples:
    """One line: the states there are, with their shapes and how many wells are in each; in numbers alone if need be."""
    counts = Counter(states)
    told = [(state, f" {state.value} {counts[state]}  ") for state in WellState if counts[state]]
    if sum(len(text) + 1 for _, text in told) - len("  ") > width:
        told = [(state, f" {counts[state]}  ") for state, _ in told]
    legend: StyleAndTextTuples = []
    for state, text in told:
        symbol, style = WELL_LOOK[state]
        legend += [(_painted(_COLOURS[palette][state], palette) or style, symbol), ("class:muted", text)]
    return legend


def measure_legend(measure: Measure, scale: Scale | None, palette: Palette, width: int) -> StyleAndTextTuples:
    """One line: the measure, its unit, and the scale from its lowest to its highest number."""
    return legend_fragments(measure_text(measure), scale, palette, width)
