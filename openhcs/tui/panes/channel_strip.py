"""The channels of the selected site by themselves, in the room that the pictures of a well leave beside them.

They stand below each other, in as few columns as that takes.

Deliberately absent: reading and drawing them, which is done where the other pictures are read (`effects.wells`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final

from prompt_toolkit.formatted_text import StyleAndTextTuples, fragment_list_width

from openhcs.tui.effects.wells import Tile
from openhcs.tui.widgets.drawn_text import cut
from openhcs.tui.widgets.thumbnail import Tiling

__all__ = ["ChannelStrip", "StripSize", "fit_strip"]

_LEAST_CELLS: Final = 12
_MOST_SHRUNK: Final = 6
_GAP: Final = 1
_NOTHING: Final[StyleAndTextTuples] = []


@dataclass(frozen=True, slots=True)
class StripSize:
    """Where the strip begins, and how large each of its pictures is: those of the sites smaller by `shrink`."""

    left: int
    shrink: int
    width: int
    height: int
    columns: int = 1


def fit_strip(tiling: Tiling, width: int, height: int, channels: int) -> StripSize | None:
    """The largest pictures of `channels` that fit beside the sites; None where there is no room, or one channel."""
    left = tiling.columns * (tiling.width + 1) + 1
    if channels < 2:
        return None
    for shrink in range(1, _MOST_SHRUNK + 1):
        cells, lines = tiling.width // shrink, -(-(2 * tiling.height // shrink) // 2)
        columns = -(-channels // max(1, height // (lines + 1)))
        if cells >= _LEAST_CELLS and lines < height and left + columns * (cells + _GAP) - _GAP <= width:
            return StripSize(left, shrink, cells, lines, columns)
    return None


@dataclass(frozen=True, slots=True)
class ChannelStrip:
    """Pictures of one channel each, in the order of the channels, with what they are called."""

    size: StripSize
    names: Sequence[str]
    tiles: Sequence[Tile]

    def beside(self, lines: Sequence[StyleAndTextTuples]) -> list[StyleAndTextTuples]:
        """`lines`, with the strip at their right."""
        size = self.size
        pictures: list[list[StyleAndTextTuples]] = []
        for place, (name, tile) in enumerate(zip(self.names, self.tiles, strict=True), start=1):
            caption: StyleAndTextTuples = [("class:muted", cut(f" {place} {name}", size.width))]
            pictures.append([caption, *(list(line) for line in tile.lines[: size.height])])
        strip: list[StyleAndTextTuples] = []
        for first in range(0, len(pictures), size.columns):
            for parts in zip_longest(*pictures[first : first + size.columns], fillvalue=_NOTHING):
                strip.append(_beside_each_other(parts, size.width + _GAP))
        drawn: list[StyleAndTextTuples] = []
        for number in range(max(len(lines), len(strip))):
            line = list(lines[number]) if number < len(lines) else []
            if number < len(strip):
                line += [("", " " * (self.size.left - fragment_list_width(line))), *strip[number]]
            drawn.append(line)
        return drawn

    def place_at(self, x: int, y: int) -> int | None:
        """Which channel, from 1, is drawn in a cell; `y` counts from the first line of the strip."""
        column, cell = divmod(x - self.size.left, self.size.width + _GAP)
        if not 0 <= column < self.size.columns or cell >= self.size.width or y < 0:
            return None
        place = y // (self.size.height + 1) * self.size.columns + column + 1
        return place if place <= len(self.tiles) else None


def _beside_each_other(parts: Iterable[StyleAndTextTuples], width: int) -> StyleAndTextTuples:
    """Parts of a line, each of which begins `width` cells behind the one before."""
    line: StyleAndTextTuples = []
    for number, part in enumerate(parts):
        line += [("", " " * (number * width - fragment_list_width(line))), *part]
    return line
