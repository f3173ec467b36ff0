"""Pictures in a terminal: two pixels a character in colour, a ramp of characters where there is none.

Pure functions of bytes, quick enough for a thread beside the event loop; `FreshStyles` keeps a frame quick to draw.
What a picture shows is the caller's; it comes ready, as `core.rasters.Raster`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from prompt_toolkit.formatted_text import StyleAndTextTuples

from openhcs.tui.widgets.colour_scale import Palette

if TYPE_CHECKING:
    from openhcs.core.rasters import Raster

__all__ = ["FreshStyles", "Tiling", "fitted_size", "picture_lines", "tile_sites"]

_RAMP: Final = " .:-=+*#%@"
_OUTLINE: Final = "o"
_SIXTEEN: Final = {
    (1, 0, 0): "ansibrightred",
    (0, 1, 0): "ansibrightgreen",
    (0, 0, 1): "ansibrightblue",
    (1, 1, 0): "ansibrightyellow",
    (1, 0, 1): "ansibrightmagenta",
    (0, 1, 1): "ansibrightcyan",
}

_LEAST_TILE: Final = (8, 3)
"""Cells and lines below which a picture shows nothing."""


def picture_lines(raster: Raster, palette: Palette) -> list[StyleAndTextTuples]:
    """A picture as lines of text: one cell stands for two pixels, one above the other."""
    return _half_blocks(raster) if palette.has_many else _characters(raster, palette)


def _half_blocks(raster: Raster) -> list[StyleAndTextTuples]:
    width, rgb = raster.width, raster.rgb
    grey = rgb[0::3] == rgb[1::3] == rgb[2::3]
    # Grey needs finer steps than colours do; and the fewer colours there are, the fewer styles a frame has.
    mask = 0xF8 if grey else 0xF0
    lines: list[StyleAndTextTuples] = []
    for row in range(0, raster.height, 2):
        top = row * width * 3
        below = top + width * 3 if row + 1 < raster.height else top
        line: StyleAndTextTuples = []
        last, count = "", 0
        for at in range(0, width * 3, 3):
            style = _pair_style(
                rgb[top + at] & mask, rgb[top + at + 1] & mask, rgb[top + at + 2] & mask,
                rgb[below + at] & mask, rgb[below + at + 1] & mask, rgb[below + at + 2] & mask,
            )  # fmt: skip
            if style != last:
                if count:
                    line.append((last, "▀" * count))
                last, count = style, 0
            count += 1
        line.append((last, "▀" * count))
        lines.append(line)
    return lines


@lru_cache(maxsize=1 << 13)
def _pair_style(r: int, g: int, b: int, r2: int, g2: int, b2: int) -> str:
    return f"fg:#{r:02x}{g:02x}{b:02x} bg:#{r2:02x}{g2:02x}{b2:02x}"


def _characters(raster: Raster, palette: Palette) -> list[StyleAndTextTuples]:
    width, rgb, outlined = raster.width, raster.rgb, raster.outlined
    lines: list[StyleAndTextTuples] = []
    for row in range(0, raster.height, 2):
        line: StyleAndTextTuples = []
        for column in range(width):
            pixels = [y * width + column for y in (row, row + 1) if y < raster.height]
            if outlined and any(outlined[pixel] for pixel in pixels):
                line.append(("bold", _OUTLINE))
                continue
            red, green, blue = (sum(rgb[3 * pixel + part] for pixel in pixels) // len(pixels) for part in range(3))
            light = max(red, green, blue)
            style = "" if palette is Palette.SHAPES else _sixteen_style(red, green, blue, on_light=palette.is_on_light)
            line.append((style, _RAMP[min(len(_RAMP) - 1, light * len(_RAMP) // 256)]))
        lines.append(line)
    return lines


def _sixteen_style(red: int, green: int, blue: int, *, on_light: bool) -> str:
    most = max(red, green, blue)
    hue = (int(red * 2 > most), int(green * 2 > most), int(blue * 2 > most))
    colour = _SIXTEEN.get(hue)
    if colour is None:
        return ""
    # Bright letters cannot be read on a light ground; the dark ones of the same hues can.
    return f"fg:{colour.replace('bright', '') if on_light else colour}"


class FreshStyles:
    """Lets only so many styles into a frame that no frame has had: each costs the renderer some 60 µs, once.

    What has to wait is drawn in coarser colours, and `is_waiting` says that another frame is to follow. What earlier
    pictures had is forgotten when there is no room for more, so that a day of pictures takes no more than a few.

    Args:
        most: new styles in a frame.
        kept: styles that are known at a time; a picture that has more stays coarse in the rest.
    """

    def __init__(self, most: int = 160, kept: int = 1 << 12) -> None:
        self._most = most
        self._kept = kept
        self._known: set[str] = set()
        self._shown: set[str] = set()
        self._left = most
        self._is_held_back = False

    @property
    def is_waiting(self) -> bool:
        """Whether another frame would have finer colours than this one."""
        return self._is_held_back and (len(self._known) < self._kept or not self._known <= self._shown)

    def begin(self) -> None:
        """A new frame begins."""
        if len(self._known) >= self._kept:
            self._known &= self._shown
        self._shown = set()
        self._left, self._is_held_back = self._most, False

    def admit(self, line: StyleAndTextTuples) -> StyleAndTextTuples:
        """`line`, with the styles that this frame may have."""
        wanted = dict.fromkeys(fragment[0] for fragment in line if fragment[0].startswith("fg:#"))
        self._shown.update(wanted)
        fresh = [style for style in wanted if style not in self._known]
        if not fresh:
            return line
        room = max(0, min(self._left, self._kept - len(self._known)))
        self._left -= min(room, len(fresh))
        self._known.update(fresh[:room])
        if len(fresh) <= room:
            return line
        self._is_held_back = True
        coarse = {style: _coarse(style) for style in fresh[room:]}
        return [(coarse.get(fragment[0], fragment[0]), fragment[1]) for fragment in line]


@lru_cache(maxsize=1 << 12)
def _coarse(style: str) -> str:
    """The first colour of a style in a quarter of its steps: 64 styles in all."""
    parts = (int(style[at : at + 2], 16) & 0xC0 for at in (4, 6, 8))
    colour = "".join(f"{part:02x}" for part in parts)
    return f"fg:#{colour} bg:#{colour}"


@dataclass(frozen=True, slots=True)
class Tiling:
    """How pictures of sites stand beside each other: each `width` cells by `height` lines, below a line of caption.

    `first` is the first row of sites on the screen, of which there is room for `rows`.
    """

    width: int
    height: int
    rows: int
    columns: int
    first: int


def tile_sites(
    places: Sequence[tuple[int, int]], selected: tuple[int, int], width: int, height: int, aspect: float
) -> Tiling:
    """The largest tiles with which all sites can be seen; rows scroll where they would be too small.

    Args:
        places: row and column of each site.
        aspect: height by width of a picture.
    """
    rows = 1 + max((row for row, _ in places), default=0)
    columns = 1 + max((column for _, column in places), default=0)
    cells = max(_LEAST_TILE[0], (width + 1) // columns - 1)
    lines = max(_LEAST_TILE[1], height // rows - 1)
    cells, lines = fitted_size(cells, lines, aspect)
    shown = max(1, min(rows, height // (lines + 1)))
    first = max(0, min(selected[0] - shown + 1, rows - shown)) if selected[0] >= shown else 0
    return Tiling(cells, lines, shown, columns, first)


def fitted_size(cells: int, lines: int, aspect: float) -> tuple[int, int]:
    """The largest size in cells and lines that a picture of that aspect fills undistorted; a line is two pixels."""
    wide = min(cells, round(2 * lines / aspect))
    return max(1, wide), max(1, round(wide * aspect / 2))
