"""A pyte screen as an SVG picture: a monospace grid of coloured cells, frames and blocks drawn as shapes.

Text runs carry their width in cells, so that a viewer without the fonts named here still gets the columns right. Lines
and blocks are shapes because fonts leave gaps between the rows of a frame.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby
from typing import NamedTuple

import pyte
from pyte.screens import Char

__all__ = ["to_svg"]

CELL_WIDTH = 8.4
CELL_HEIGHT = 18.0
FONT_SIZE = 14
BASELINE = 13.5
PADDING = 12.0
FONTS = "ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace"

FOREGROUND, BACKGROUND = "#d8dce3", "#16181d"
PALETTE = {
    "black": "#2a2d34",
    "red": "#e06c75",
    "green": "#8fc379",
    "brown": "#e0b45e",  # pyte's word for ANSI yellow
    "blue": "#6aa6f0",
    "magenta": "#c483dd",
    "cyan": "#5bb8c4",
    "white": "#c8ccd4",
    "brightblack": "#757b87",
    "brightred": "#f0868e",
    "brightgreen": "#a9d894",
    "brightbrown": "#f2ce84",
    "brightblue": "#8dbdf7",
    "bfightmagenta": "#d8a3ec",  # spelt so in pyte
    "brightmagenta": "#d8a3ec",
    "brightcyan": "#7fd3dd",
    "brightwhite": "#f4f6fa",
}

ARMS = {
    "─": "lr", "│": "ud", "┌": "rd", "┐": "ld", "└": "ru", "┘": "lu", "├": "rud", "┤": "lud", "┬": "lrd", "┴": "lru",
    "┼": "lrud", "╭": "rd", "╮": "ld", "╰": "ru", "╯": "lu", "━": "LR", "┃": "UD", "╴": "l", "╶": "r", "╸": "L",
    "╺": "R", "┏": "RD", "┓": "LD", "┗": "RU", "┛": "LU", "═": "LR", "║": "UD", "╔": "RD", "╗": "LD", "╚": "RU",
    "╝": "LU",
}  # fmt: skip
"""Which arms a line character has, from its cell's centre; capitals are heavy."""

BLOCKS = {
    "█": (0, 0, 1, 1), "▀": (0, 0, 1, 0.5), "▄": (0, 0.5, 1, 0.5), "▌": (0, 0, 0.5, 1), "▐": (0.5, 0, 0.5, 1),
    **{character: (0.0, 0.0, 1 - eighth / 8, 1.0) for eighth, character in enumerate("▉▊▋▌▍▎▏", 1)},
    **{character: (0.0, 1 - eighth / 8, 1.0, eighth / 8) for eighth, character in enumerate("▁▂▃▄▅▆▇", 1)},
}  # fmt: skip
"""Which part of its cell a block fills: x, y, width, height as shares."""


class Look(NamedTuple):
    """How a cell is drawn."""

    foreground: str
    background: str
    bold: bool
    italic: bool
    underlined: bool


class Run(NamedTuple):
    """Neighbouring cells of one look; `cells` counts columns, a wide character two."""

    column: int
    cells: int
    text: str
    look: Look


class Rectangle(NamedTuple):
    """A part of the picture in one colour."""

    x: float
    y: float
    width: float
    height: float
    colour: str


def to_svg(screen: pyte.Screen, title: str) -> str:
    """Draw what `screen` shows; `title` is read aloud by screen readers."""
    width = screen.columns * CELL_WIDTH + 2 * PADDING
    height = screen.lines * CELL_HEIGHT + 2 * PADDING
    backgrounds: list[Rectangle] = []
    blocks: list[Rectangle] = []
    glyphs: list[str] = []
    for row in range(screen.lines):
        y = PADDING + row * CELL_HEIGHT
        for run in _runs(screen, row):
            x = PADDING + run.column * CELL_WIDTH
            if run.look.background != BACKGROUND:
                backgrounds.append(Rectangle(x, y, run.cells * CELL_WIDTH, CELL_HEIGHT, run.look.background))
            blocks.extend(_blocks(run, x, y))
            glyphs.extend(_glyphs(run, x, y))
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" role="img">',
            f"<title>{escape(title)}</title>",
            f'<rect width="{width:g}" height="{height:g}" rx="8" fill="{BACKGROUND}"/>',
            '<g shape-rendering="crispEdges">',
            *_filled(backgrounds),
            *_filled(blocks),
            "</g>",
            f'<g font-family="{FONTS}" font-size="{FONT_SIZE}" xml:space="preserve">',
            *glyphs,
            "</g>",
            "</svg>",
            "",
        ]
    )


def _runs(screen: pyte.Screen, row: int) -> Iterator[Run]:
    cells = [(column, screen.buffer[row][column]) for column in range(screen.columns)]
    cursor = (screen.cursor.x, screen.cursor.y) if not screen.cursor.hidden else None

    def appearance(cell: tuple[int, Char]) -> tuple[Look, str]:
        column, character = cell
        shape = character.data if character.data in ARMS or character.data in BLOCKS else ""
        return _look(character, reverse=(column, row) == cursor), shape

    for (look, _), group in groupby(cells, appearance):
        members = list(group)
        yield Run(members[0][0], len(members), "".join(character.data for _, character in members), look)


def _look(character: Char, *, reverse: bool) -> Look:
    foreground = _colour(character.fg, FOREGROUND)
    background = _colour(character.bg, BACKGROUND)
    if character.reverse != reverse:
        foreground, background = background, foreground
    return Look(foreground, background, character.bold, character.italics, character.underscore)


def _colour(name: str, default: str) -> str:
    if name == "default":
        return default
    return PALETTE.get(name, f"#{name}")  # what is not a name is six hexadecimal digits


def _blocks(run: Run, x: float, y: float) -> Iterator[Rectangle]:
    if (first := run.text[:1]) in BLOCKS:
        left, top, width, height = BLOCKS[first]
        if width == 1:  # full cells in a row are one shape
            cells = run.cells * CELL_WIDTH
            yield Rectangle(x, y + top * CELL_HEIGHT, cells, height * CELL_HEIGHT, run.look.foreground)
            return
        for cell in range(run.cells):
            start = x + (cell + left) * CELL_WIDTH
            above = y + top * CELL_HEIGHT
            yield Rectangle(start, above, width * CELL_WIDTH, height * CELL_HEIGHT, run.look.foreground)


def _glyphs(run: Run, x: float, y: float) -> Iterator[str]:
    first = run.text[:1]
    if first in ARMS:
        yield _lines(run, x, y)
    elif first not in BLOCKS and (run.text.strip() or run.look.underlined):
        yield _text(run, x, y)


def _lines(run: Run, x: float, y: float) -> str:
    arms = ARMS[run.text[0]]
    middle = y + CELL_HEIGHT / 2
    path = ""
    if arms.lower() == "lr":  # a row of them is one line
        path = f"M{x:.1f} {middle:.1f}h{run.cells * CELL_WIDTH:.1f}"
    for cell in range(0 if path else run.cells):
        centre = x + (cell + 0.5) * CELL_WIDTH
        for arm in arms.lower():
            end = {
                "l": f"H{centre - CELL_WIDTH / 2:.1f}",
                "r": f"H{centre + CELL_WIDTH / 2:.1f}",
                "u": f"V{y:.1f}",
                "d": f"V{y + CELL_HEIGHT:.1f}",
            }
            path += f"M{centre:.1f} {middle:.1f}{end[arm]}"
    thickness = 2.2 if arms.isupper() else 1.2
    return f'<path d="{path}" stroke="{run.look.foreground}" stroke-width="{thickness}" fill="none"/>'


def _text(run: Run, x: float, y: float) -> str:
    look = run.look
    style = "".join(
        (
            ' font-weight="bold"' if look.bold else "",
            ' font-style="italic"' if look.italic else "",
            ' text-decoration="underline"' if look.underlined else "",
        )
    )
    return (
        f'<text x="{x:.1f}" y="{y + BASELINE:.1f}" textLength="{run.cells * CELL_WIDTH:.1f}" '
        f'lengthAdjust="spacingAndGlyphs" fill="{look.foreground}"{style}>{escape(run.text)}</text>'
    )


def _filled(rectangles: Sequence[Rectangle]) -> Iterator[str]:
    """A path for each colour: a picture of the well view is thousands of half cells in some hundred colours."""
    by_colour: dict[str, list[Rectangle]] = {}
    for rectangle in rectangles:
        by_colour.setdefault(rectangle.colour, []).append(rectangle)
    for colour, members in by_colour.items():
        shapes = "".join(
            f"M{one.x:.1f} {one.y:.1f}h{one.width:.1f}v{one.height:.1f}h-{one.width:.1f}z" for one in members
        )
        yield f'<path fill="{colour}" d="{shapes}"/>'
