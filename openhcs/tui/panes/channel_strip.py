"""The channels of the selected site by themselves, below each other, in the room that the pictures of a well leave.

Deliberately absent: reading and drawing them, which is done where the other pictures are read (`effects.wells`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from prompt_toolkit.formatted_text import StyleAndTextTuples, fragment_list_width

from openhcs.tui.effects.wells import Tile
from openhcs.tui.widgets.drawn_text import cut
from openhcs.tui.widgets.thumbnail import Tiling

__all__ = ["ChannelStrip", "StripSize", "fit_strip"]

_LEAST_CELLS: Final = 12
_MOST_SHRUNK: Final = 4


@dataclass(frozen=True, slots=True)
class StripSize:
    """Where the strip begins, and how large its pictures are: those of the sites smaller by `shrink`."""

    left: int
    shrink: int
    width: int
    height: int


def fit_strip(tiling: Tiling, width: int, height: int, channels: int) -> StripSize | None:
    """The largest pictures of `channels` that fit beside the sites; None where there is no room, or one channel."""
    left = tiling.columns * (tiling.width + 1) + 1
    if channels < 2:
        return None
    for shrink in range(1, _MOST_SHRUNK + 1):
        cells, lines = tiling.width // shrink, -(-(2 * tiling.height // shrink) // 2)
        if _LEAST_CELLS <= cells <= width - left and channels * (lines + 1) <= height:
            return StripSize(left, shrink, cells, lines)
    return None


@dataclass(frozen=True, slots=True)
class ChannelStrip:
    """Pictures of one channel each, in the order of the channels, with what they are called."""

    size: StripSize
    names: Sequence[str]
    tiles: Sequence[Tile]

    def beside(self, lines: Sequence[StyleAndTextTuples]) -> list[StyleAndTextTuples]:
        """`lines`, with the strip at their right."""
        strip: list[StyleAndTextTuples] = []
        for place, (name, tile) in enumerate(zip(self.names, self.tiles, strict=True), start=1):
            strip.append([("class:muted", cut(f" {place} {name}", self.size.width))])
            strip += [list(line) for line in tile.lines[: self.size.height]]
        drawn: list[StyleAndTextTuples] = []
        for number in range(max(len(lines), len(strip))):
            line = list(lines[number]) if number < len(lines) else []
            if number < len(strip):
                line += [("", " " * (self.size.left - fragment_list_width(line))), *strip[number]]
            drawn.append(line)
        return drawn

    def place_at(self, x: int, y: int) -> int | None:
        """Which channel, from 1, is drawn in a cell; `y` counts from the first line of the strip."""
        if not self.size.left <= x < self.size.left + self.size.width or y < 0:
            return None
        place = y // (self.size.height + 1) + 1
        return place if place <= len(self.tiles) else None
