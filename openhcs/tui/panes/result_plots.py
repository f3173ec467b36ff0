"""Plots of results: objects counted and columns measured, over all wells or by row, column or well."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from prompt_toolkit.formatted_text import StyleAndTextTuples

from openhcs.core.model import well_position
from openhcs.core.result_query import Grouping, Histogram, Spread
from openhcs.tui.effects.results import ResultReader
from openhcs.tui.panes import result_text
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.utils.screen_output import is_plain
from openhcs.tui.widgets.colour_scale import number_text

__all__ = ["Plot", "Plotted", "drawn_plot", "grouped_counts", "read_plot"]

CLASSES: Final = 15
"""Bars of a histogram."""

_COLUMN: Final = range(60, 111)
"""Cells of a column of bars: where there is room for two they stand beside each other, and none is needlessly long."""

_FEW: Final = 8
"""Bars that are not worth another column."""


@dataclass(frozen=True, slots=True)
class Plotted:
    """What is plotted: a column of `table`, or without one the objects of a label image called `name`."""

    name: str
    table: str | None = None

    @property
    def title(self) -> str:
        """What it is called."""
        return f"{self.table}: {self.name}" if self.table is not None else f"{self.name} counted"


@dataclass(frozen=True, slots=True)
class Plot:
    """What has been read to be drawn: bars, spreads or a histogram, none of them where there are no numbers."""

    subject: Plotted
    by: Grouping
    bars: Mapping[str, float] | None = None
    spreads: Sequence[Spread] = ()
    histogram: Histogram | None = None


async def read_plot(reader: ResultReader, subject: Plotted, by: Grouping, counts: Mapping[str, int]) -> Plot:
    """Read what `subject` is by group; `counts` are the objects by well, for a subject that counts them.

    Raises:
        StoreError: the table cannot be read.
    """
    if subject.table is None:
        return Plot(subject, by, bars=grouped_counts(counts, by))
    if by is Grouping.ALL:
        return Plot(subject, by, histogram=await reader.histogram(subject.table, subject.name, CLASSES))
    return Plot(subject, by, spreads=await reader.spreads(subject.table, subject.name, by))


def grouped_counts(counts: Mapping[str, int], by: Grouping) -> Mapping[str, float]:
    """Objects of each well, or their mean over the wells of each row or column, in the plate's order."""
    in_order = sorted(counts, key=well_position)
    match by:
        case Grouping.ALL | Grouping.WELL:
            return {well: float(counts[well]) for well in in_order}
        case Grouping.ROW:
            return _means({well: (well.rstrip("0123456789"), counts[well]) for well in in_order})
        case Grouping.COLUMN:
            by_column = sorted(counts, key=lambda well: well_position(well)[::-1])
            return _means({well: (well[len(well.rstrip("0123456789")) :], counts[well]) for well in by_column})


def _means(named: Mapping[str, tuple[str, int]]) -> Mapping[str, float]:
    groups: dict[str, list[int]] = {}
    for name, count in named.values():
        groups.setdefault(name, []).append(count)
    return {name: sum(values) / len(values) for name, values in groups.items()}


def drawn_plot(plot: Plot, width: int) -> list[StyleAndTextTuples]:
    """The plot under its title."""
    of = {
        Grouping.ALL: "of every well" if plot.subject.table is None else "over all wells",
        Grouping.WELL: "by well",
        Grouping.ROW: "by row" if plot.subject.table else "by row, the mean of its wells",
        Grouping.COLUMN: "by column" if plot.subject.table else "by column, the mean of its wells",
    }[plot.by]
    lines: list[StyleAndTextTuples] = [[("class:title", f" {visible(plot.subject.title)}"), ("", f" {of}")], []]
    if is_plain():
        told: list[StyleAndTextTuples] = [[("", f" {line}")] for line in _in_words(plot)]
        return [lines[0], *told]
    if plot.bars:
        return lines + _bars_beside_each_other(plot.bars, width)
    if plot.spreads:
        return lines + result_text.spread_lines(plot.spreads, width)
    if plot.histogram is not None:
        words = result_text.spread_words(plot.histogram.spread, plot.histogram.missing)
        return [*lines, *result_text.histogram_lines(plot.histogram, width), [], [("", f"  {words}")]]
    return [*lines, [("class:muted", "  There are no numbers here.")]]


def _in_words(plot: Plot) -> list[str]:
    """A line for each bar, box or class, for those who hear them."""
    if plot.bars:
        return [f"{visible(name)}: {number_text(value)}" for name, value in plot.bars.items()]
    if plot.spreads:
        return [f"{visible(spread.name)}: {result_text.spread_words(spread, 0)}" for spread in plot.spreads]
    if plot.histogram is not None:
        spread, missing = plot.histogram.spread, plot.histogram.missing
        edges = [number_text(float(f"{edge:.4g}")) for edge in plot.histogram.edges]
        classes = zip(edges, edges[1:], plot.histogram.counts, strict=False)
        return [
            result_text.spread_words(spread, missing),
            *(f"{low} to {high}: {count}" for low, high, count in classes),
        ]
    return ["There are no numbers here."]


def _bars_beside_each_other(values: Mapping[str, float], width: int) -> list[StyleAndTextTuples]:
    """Bars on one scale, in as many columns as there is room for; each row of the plate reads down them by itself."""
    by_row: dict[str, list[str]] = {}
    for name in values:
        by_row.setdefault(name.rstrip("0123456789"), []).append(name)
    blocks = list(by_row.values()) if max(map(len, by_row.values())) > 1 else [list(values)]
    columns = max(1, min(width // _COLUMN.start, math.ceil(max(map(len, blocks)) / _FEW)))
    cells = min(width // columns, _COLUMN.stop - 1)
    bars = dict(zip(values, result_text.bar_lines(values, cells), strict=True))
    if columns == 1:
        return list(bars.values())
    drawn: list[StyleAndTextTuples] = []
    for block in blocks:
        down = math.ceil(len(block) / columns)
        for line in range(down):
            drawn.append([part for name in block[line::down] for part in (*bars[name], ("", " "))])
        drawn.append([])
    return drawn[:-1]
