"""Numbers as colours and as shapes: an even palette from low to high, five shapes for where there is no colour.

Pure functions of numbers; anybody under openhcs.tui may import this.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Final

from prompt_toolkit.application import get_app
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.styles import BaseStyle

from openhcs.tui.utils.screen_output import is_ascii
from openhcs.tui.widgets.drawn_text import cut

__all__ = ["NO_VALUE", "Palette", "Scale", "legend_fragments", "number_text", "palette_for", "palette_of_screen"]

_VIRIDIS: Final = (
    (0x31, 0x68, 0x8E), (0x26, 0x82, 0x8E), (0x1F, 0x9E, 0x89), (0x35, 0xB7, 0x79),
    (0x6E, 0xCE, 0x58), (0xB5, 0xDE, 0x2B), (0xFD, 0xE7, 0x25),
)  # fmt: skip
"""Viridis, by S. van der Walt and N. Smith: equal steps look equal, to colour-blind eyes as well.

Without its darkest third, which could not be told from a dark ground.
"""

_VIRIDIS_ON_LIGHT: Final = (
    (0x28, 0xAE, 0x80), (0x21, 0x91, 0x8C), (0x2C, 0x72, 0x8E), (0x3B, 0x52, 0x8B), (0x47, 0x2D, 0x7B),
    (0x44, 0x01, 0x54),
)  # fmt: skip
"""The same without its brightest third, and the other way round: what is high stands out from any ground."""

_SIXTEEN: Final = ("ansiblue", "ansicyan", "ansigreen", "ansiyellow", "ansibrightyellow")
_SIXTEEN_ON_LIGHT: Final = ("ansicyan", "ansigreen", "ansimagenta", "ansiblue", "ansiblack")
_SHAPES: Final = ("·", "░", "▒", "▓", "█")
_STEPS: Final = 24
_LEGEND_CELLS: Final = 15

NO_VALUE: Final = "?"
"""The shape of what has no number."""


class Palette(Enum):
    """What the screen can show of a scale."""

    SHAPES = 0
    SIXTEEN = 1
    SIXTEEN_ON_LIGHT = 2
    MANY = 3
    MANY_ON_LIGHT = 4

    @property
    def has_many(self) -> bool:
        """Whether there are colours enough for pictures."""
        return self in (Palette.MANY, Palette.MANY_ON_LIGHT)

    @property
    def is_on_light(self) -> bool:
        """Whether the colours have to stand out from a light ground."""
        return self in (Palette.SIXTEEN_ON_LIGHT, Palette.MANY_ON_LIGHT)


def palette_for(depth: ColorDepth, *, on_light: bool = False) -> Palette:
    """What a terminal of that colour depth can show, on a light ground or on a dark one."""
    match depth:
        case ColorDepth.DEPTH_1_BIT:
            return Palette.SHAPES
        case ColorDepth.DEPTH_4_BIT:
            return Palette.SIXTEEN_ON_LIGHT if on_light else Palette.SIXTEEN
        case _:
            return Palette.MANY_ON_LIGHT if on_light else Palette.MANY


def palette_of_screen() -> Palette:
    """What the screen that is drawn now can show, by its terminal and its theme.

    A theme that leaves the terminal its own colours is given none. Without blocks to paint with there are letters, in
    sixteen colours.
    """
    app = get_app()
    ground = _ground_of(app.style, app.style.invalidation_hash()) if app.style is not None else ""
    if ground == "default":
        return Palette.SHAPES
    is_hex = len(ground) == 6 and not ground.startswith("ansi")
    on_light = sum(bytes.fromhex(ground)) > 3 * 128 if is_hex else ground in ("ansiwhite", "ansigray")
    depth = app.color_depth
    few = ColorDepth.DEPTH_4_BIT if is_ascii() and depth is not ColorDepth.DEPTH_1_BIT else depth
    return palette_for(few, on_light=on_light)


@lru_cache(maxsize=8)
def _ground_of(style: BaseStyle, version: object) -> str:
    """The colour behind the screen, as `rrggbb` or a name; `version` is the style's, which changes with the theme."""
    return style.get_attrs_for_style_str("class:screen").bgcolor or ""


@dataclass(frozen=True, slots=True)
class Scale:
    """A range of numbers, `low` to `high`."""

    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Scale | None:
        """The range of the finite ones of `values`; None where there are none."""
        finite = [value for value in values if math.isfinite(value)]
        return cls(min(finite), max(finite)) if finite else None

    def fraction(self, value: float) -> float:
        """Where `value` stands between the ends, from 0 to 1; 1 where all are the same."""
        if self.high <= self.low:
            return 1.0
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))

    def shape(self, value: float | None) -> str:
        """One of five shapes, the fuller the higher."""
        if value is None or not math.isfinite(value):
            return NO_VALUE
        return _SHAPES[min(len(_SHAPES) - 1, int(self.fraction(value) * len(_SHAPES)))]

    def colour(self, value: float | None, palette: Palette) -> str | None:
        """A colour by prompt_toolkit's name; None where there is no number, or no colour."""
        if value is None or not math.isfinite(value):
            return None
        return _colour_at(self.fraction(value), palette)


def _colour_at(fraction: float, palette: Palette) -> str | None:
    if palette is Palette.SHAPES:
        return None
    if not palette.has_many:
        few = _SIXTEEN_ON_LIGHT if palette.is_on_light else _SIXTEEN
        return few[min(len(few) - 1, int(fraction * len(few)))]
    many = _VIRIDIS_ON_LIGHT if palette.is_on_light else _VIRIDIS
    # In steps that the eye takes for smooth, so that a screen of wells has few styles.
    place = round(fraction * (_STEPS - 1)) / (_STEPS - 1) * (len(many) - 1)
    first = min(int(place), len(many) - 2)
    share = place - first
    parts = zip(many[first], many[first + 1], strict=True)
    return "#" + "".join(f"{round(low + (high - low) * share):02x}" for low, high in parts)


def legend_fragments(name: str, scale: Scale | None, palette: Palette, width: int) -> StyleAndTextTuples:
    """One line: what is shown, the lowest number, the scale, the highest number."""
    if scale is None:
        return [("class:muted", cut(f"{name}: no numbers yet", width))]
    low, high = number_text(scale.low), number_text(scale.high)
    cells = min(_LEGEND_CELLS, max(0, width - len(low) - len(high) - 6))
    if cells < len(_SHAPES):
        return [("", cut(f"{name}: {low} to {high}", width))]
    # Each end stands on its side of the scale; the name gets what is left.
    title = cut(name, max(0, width - len(low) - len(high) - cells - 4))
    fragments: StyleAndTextTuples = [("", f"{title}  "), ("class:muted", f"{low} ")]
    for cell in range(cells):
        fraction = cell / (cells - 1)
        colour = _colour_at(fraction, palette)
        shape = _SHAPES[min(len(_SHAPES) - 1, int(fraction * len(_SHAPES)))]
        fragments.append((f"fg:{colour}", "█") if colour else ("", shape))
    return [*fragments, ("class:muted", f" {high}")]


def number_text(value: float) -> str:
    """A number as short as it can be read: `12`, `0.034`, `1.2e+06`."""
    return str(int(value)) if value == int(value) and abs(value) < 1e6 else f"{value:.3g}"
