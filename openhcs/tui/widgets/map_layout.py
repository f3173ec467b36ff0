"""Where the wells of a plate lie on a screen: how large each is drawn, and which part of the plate is seen.

Pure functions of sizes; `plate_map` draws by them. Anybody under openhcs.tui may import this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["HEADER_CELLS", "Grid", "MapLayout", "Position", "lay_out", "row_letters"]

HEADER_CELLS: Final = 3
"""Columns of text before the wells, for the letters of the rows."""

_WIDEST: Final = {1: 4, 2: 5, 3: 7, 4: 9}
"""The widest well by its height in lines: about square, since a line is as high as two columns are wide."""

Position = tuple[int, int]
"""Row and column on the plate, from 0."""


@dataclass(frozen=True)
class Grid:
    """A plate of `rows` by `columns`, and where its wells lie; they are known by their place in `positions`."""

    rows: int
    columns: int
    positions: tuple[Position, ...]
    numbers: Mapping[Position, int]

    @classmethod
    def of(cls, rows: int, columns: int, positions: Sequence[Position]) -> Grid:
        """A grid that is at least as large as its wells need."""
        return cls(
            max([rows, *(row + 1 for row, _ in positions)]),
            max([columns, *(column + 1 for _, column in positions)]),
            tuple(positions),
            {position: number for number, position in enumerate(positions)},
        )


@dataclass(frozen=True, slots=True)
class MapLayout:
    """Which part of a grid is on the screen, and how: a well is `cell` columns of text by `tall` lines.

    `stacked` rows share a line where there are too many for a line each.
    """

    cell: int
    tall: int
    stacked: int
    first_row: int
    rows: int
    first_column: int
    columns: int

    def wells_at(self, x: int, y: int) -> list[Position]:
        """The places on the plate that share the cell in column `x` and line `y` of the map, header and all."""
        across, down = x - HEADER_CELLS, y - 1
        row, column = down // self.tall * self.stacked, across // self.cell
        if across < 0 or down < 0 or column >= self.columns:
            return []
        lines = range(row, min(row + self.stacked, self.rows))
        return [(self.first_row + line, self.first_column + column) for line in lines]

    def rows_at(self, x: int, y: int) -> list[int]:
        """The rows of the plate that share the letters there."""
        return [row for row, _ in self.wells_at(HEADER_CELLS, y)] if x < HEADER_CELLS else []

    def column_at(self, x: int, y: int) -> int | None:
        """The column of the plate whose number stands there."""
        at = self.wells_at(x, 1) if y == 0 else []
        return at[0][1] if at else None


def lay_out(
    grid: Grid, width: int, height: int, at: Position, *, may_stack: bool, before: MapLayout | None
) -> MapLayout:
    """The largest wells with which all of them fit, scrolled no farther than needed to have `at` on the screen."""
    room, lines = max(1, width - HEADER_CELLS), max(1, height - 1)
    across, down = room // max(1, grid.columns), lines // max(1, grid.rows)
    tall = max((tall for tall in _WIDEST if tall <= down and 2 * tall - 1 <= across), default=1)
    cell = max(1, min(across, _WIDEST[tall]))
    stacked = 2 if may_stack and grid.rows > lines else 1
    rows, columns = min(grid.rows, lines // tall * stacked), min(grid.columns, room // cell)
    same = before is not None and before.stacked == stacked
    first_row = _scrolled(before.first_row if before and same else 0, rows, at[0], grid.rows)
    if stacked == 2:  # a line always shows the same two rows
        first_row = min(first_row + first_row % 2, max(0, grid.rows - rows + 1) // 2 * 2)
    first_column = _scrolled(before.first_column if before else 0, columns, at[1], grid.columns)
    return MapLayout(cell, tall, stacked, first_row, min(rows, grid.rows - first_row), first_column, columns)


def _scrolled(first: int, shown: int, at: int, count: int) -> int:
    first = min(max(first, at - shown + 1), at)
    return max(0, min(first, count - shown))


def row_letters(row: int) -> str:
    """The letters of a row: 0 is A, 26 is AA."""
    return chr(65 + row) if row < 26 else f"{row_letters(row // 26 - 1)}{chr(65 + row % 26)}"
