"""How results read on the screen: the summary of a run, a plate in characters, bars, spreads and histograms.

Values in, lines of fragments out; pure but for plotille, which draws the histograms and is imported with the first one
(70 ms). Every colour stands beside a shape or a number. Text from files goes through `visible`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from itertools import pairwise, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Final

from prompt_toolkit.formatted_text import StyleAndTextTuples, fragment_list_width

from openhcs.core.model import well_name, well_position
from openhcs.core.progress import RunProgress, RunState, WellState
from openhcs.core.result_query import Histogram, Spread
from openhcs.tui.run_text import count_of, end_words
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.utils.screen_output import is_plain
from openhcs.tui.widgets.colour_scale import Palette, Scale, legend_fragments, number_text, palette_of_screen
from openhcs.tui.widgets.drawn_text import cut, fit, on_click
from openhcs.tui.widgets.progress import bar, duration_text

if TYPE_CHECKING:
    from openhcs.core.result_summary import ResultSummary

__all__ = [
    "bar_lines",
    "heat_lines",
    "histogram_lines",
    "pace_lines",
    "run_lines",
    "spread_lines",
    "spread_words",
    "summary_lines",
]

_LABEL_CELLS: Final = 10
_SLOWEST: Final = 3
_ENOUGH_WELLS: Final = 8
_CLASSES: Final = 12
_BESIDE_CELLS: Final = 48
_EMPTY_BRAILLE: Final = "\u2800"
_LOW_END, _HIGH_END, _LINE, _BOX, _MIDDLE = "├", "┤", "─", "▒", "█"
_MEDIAN: Final = "median"


def summary_lines(
    progress: RunProgress | None,
    summary: ResultSummary | None,
    out: Path,
    trouble: str,
    now_s: float,
    width: int,
    open_well: Callable[[str], object] = lambda well: None,
) -> list[StyleAndTextTuples]:
    """A run at a glance: how it stands, what was found, where it is, a map of the objects, what it warned of.

    Args:
        summary: what is on record; None while it is read.
        trouble: why it cannot be read, or nothing.
        open_well: what a click on a well of the plate does.
    """
    lines: list[StyleAndTextTuples] = []
    if progress is not None:
        lines += run_lines(progress)
        lines += pace_lines(progress, now_s)
    if summary is None:
        lines.append([("class:muted", "  reading")])
    else:
        lines += _slowest_lines(summary.seconds)
        lines += [_counts_line(name, counts) for name, counts in summary.objects.items()]
        lines.append(_named_line("Tables", visible(", ".join(summary.tables)) or "none yet"))
    lines.append(_named_line("Folder", visible(str(out))))
    if trouble:
        lines += [[], [("class:error", f"  X {visible(trouble)}")]]
    if summary is not None:
        # Shapes in their places say nothing to whoever has the screen read out; the plots have numbers.
        wells = progress.wells.values() if progress is not None else ()
        failed = frozenset(well.well for well in wells if well.state is WellState.FAILED)
        for name, counts in summary.objects.items() if not is_plain() else ():
            palette = palette_of_screen()
            plate = heat_lines(f"{visible(name)} of each well", counts, palette, width, open_well, failed)
            lines += [[], *_beside(plate, _distribution_lines(visible(name), counts), width)]
        lines += [[], *_warning_lines(summary)]
    if progress is not None and progress.warnings:
        lines += [[], [("class:title", "  The run said")]]
        lines += [[("class:warning", f"  {visible(text)}")] for text in progress.warnings]
    return lines


def _named_line(name: str, text: str, style: str = "") -> StyleAndTextTuples:
    """What is told, under its name."""
    return [("class:label", f"  {name:<{_LABEL_CELLS}}"), (style, text)]


def run_lines(progress: RunProgress) -> list[StyleAndTextTuples]:
    """How the run ended or stands, and what became of its wells."""
    words, severity = end_words(progress)
    head: StyleAndTextTuples = [
        ("class:title", f"  {visible(progress.plate)}"),
        ("", f" with {visible(progress.pipeline)}: "),
        (f"class:{severity.value}", words),
    ]
    parts: StyleAndTextTuples = []
    for state, style in _STATE_STYLES.items():
        if progress.counts[state]:
            parts += [("", ", " if parts else ""), (style, f"{progress.counts[state]} {_STATE_WORDS[state]}")]
    return [head, [*_named_line("Wells", ""), *parts, ("", f", of {progress.total}")]] if parts else [head]


_STATE_STYLES: Final = {
    WellState.FINISHED: "class:ok",
    WellState.REUSED: "class:ok",
    WellState.FAILED: "class:error",
    WellState.CANCELLED: "class:warning",
    WellState.RUNNING: "class:busy",
    WellState.PENDING: "class:muted",
}
_STATE_WORDS: Final = {
    WellState.FINISHED: "done",
    WellState.REUSED: "done earlier",
    WellState.FAILED: "failed",
    WellState.CANCELLED: "cancelled",
    WellState.RUNNING: "running",
    WellState.PENDING: "waiting",
}


def pace_lines(progress: RunProgress, now_s: float) -> list[StyleAndTextTuples]:
    """How fast the run was or is; nothing where no well was done in it.

    While it goes on a plain screen has nothing of that, which would be read out with every change.
    """
    if is_plain() and not progress.state.has_ended:
        return []
    done = progress.counts[WellState.FINISHED] + progress.counts[WellState.FAILED]
    if progress.started_s is None or not done:
        return []
    took_s = (progress.ended_s or now_s) - progress.started_s
    if took_s <= 0:
        return []
    words = f"{number_text(done * 60 / took_s)} wells a minute"
    left_s = progress.eta_s(now_s) if progress.state is RunState.RUNNING else None
    return [_named_line("Rate", f"{words}, {duration_text(left_s)} left" if left_s is not None else words)]


def _slowest_lines(seconds: Mapping[str, float]) -> list[StyleAndTextTuples]:
    """How long a well took in the median, and the wells that took longest."""
    if not seconds:
        return []
    median = sorted(seconds.values())[len(seconds) // 2]
    slowest = ", ".join(f"{visible(well)} {duration_text(took)}" for well, took in list(seconds.items())[:_SLOWEST])
    return [_named_line("Time", f"{duration_text(median)} a well (median); slowest: {slowest}")]


def _counts_line(label: str, by_well: Mapping[str, int]) -> StyleAndTextTuples:
    """The objects of one label image, in one line."""
    total = sum(by_well.values())
    least, most = min(by_well, key=lambda well: by_well[well]), max(by_well, key=lambda well: by_well[well])
    spread = f", from {by_well[least]:,} ({visible(least)}) to {by_well[most]:,} ({visible(most)})"
    mean = f"{total:,} {visible(label)}, {number_text(round(total / len(by_well), 1))} a well"
    return _named_line("Objects", mean + (spread if len(by_well) > 1 else ""))


_FAILED: Final = "   X failed"


def heat_lines(
    name: str,
    by_well: Mapping[str, float],
    palette: Palette,
    width: int,
    open_well: Callable[[str], object] = lambda well: None,
    failed: Collection[str] = frozenset(),
) -> list[StyleAndTextTuples]:
    """The plate in characters, a well the fuller the more it has, and what the shapes mean; a click opens a well.

    Wells that `failed` have an X, and whatever they had before does not count.
    """
    by_well = {well: value for well, value in by_well.items() if well not in failed}
    scale = Scale.of(by_well.values())
    if scale is None:
        return []
    places: dict[tuple[int, int], float | None] = {well_position(well): value for well, value in by_well.items()}
    places |= {well_position(well): None for well in failed}
    first_row, last_row = min(row for row, _ in places), max(row for row, _ in places)
    first, last = min(column for _, column in places), max(column for _, column in places)
    cells = 3 if 4 + (last - first + 1) * 3 <= width else 1
    legend = legend_fragments(f"  {name}", scale, palette, width)
    if failed and fragment_list_width(legend) + len(_FAILED) <= width:
        legend.append(("class:error", _FAILED))
    lines: list[StyleAndTextTuples] = [legend]
    if cells == 3:
        lines.append([("class:muted", "    " + "".join(f"{column + 1:>2} " for column in range(first, last + 1)))])
    for row in range(first_row, last_row + 1):
        line: StyleAndTextTuples = [("class:muted", f"{well_name(row, 0)[:-2]:>3} ")]
        for column in range(first, last + 1):
            value, is_there = places.get((row, column)), (row, column) in places
            colour = scale.colour(value, palette)
            shape = scale.shape(value) if value is not None else "X" if is_there else " "
            cell, style = shape * min(cells, 2), f"fg:{colour}" if colour else "class:error" if shape == "X" else ""
            click = on_click(partial(open_well, well_name(row, column)))
            line += [(style, cell, click) if is_there else (style, cell), ("", " " * (cells // 3))]
        lines.append(line)
    return lines


def _distribution_lines(name: str, by_well: Mapping[str, int]) -> list[StyleAndTextTuples]:
    """How many wells have so many objects, in classes of equal width; nothing where there are few wells."""
    if len(by_well) < _ENOUGH_WELLS:
        return []
    low, high = min(by_well.values()), max(by_well.values())
    step = math.ceil((high - low + 1) / _CLASSES)
    wells = Counter((count - low) // step for count in by_well.values())
    classes = {
        f"{first:,}" if step == 1 else f"{first:,} to {first + step - 1:,}": float(wells[number])
        for number, first in enumerate(range(low, high + 1, step))
    }
    return [[("", f"  wells by {name}")], *bar_lines(classes, _BESIDE_CELLS)]


def _beside(left: list[StyleAndTextTuples], right: list[StyleAndTextTuples], width: int) -> list[StyleAndTextTuples]:
    """Two drawings beside each other, or below each other where there is no room for that."""
    edge = max(map(fragment_list_width, left), default=0) + 2
    if not right or edge + _BESIDE_CELLS > width:
        return [*left, [], *right] if right else left
    nothing: StyleAndTextTuples = []
    return [
        [*one, ("", " " * (edge - fragment_list_width(one))), *other]
        for one, other in zip_longest(left, right, fillvalue=nothing)
    ]


def bar_lines(values: Mapping[str, float], width: int) -> list[StyleAndTextTuples]:
    """A bar for each value, as long as it is large."""
    if not values:
        return []
    most = max(values.values())
    texts = {name: f"{value:,.0f}" if value == int(value) else f"{value:,.1f}" for name, value in values.items()}
    names, numbers = max(len(name) for name in values), max(len(text) for text in texts.values())
    room = max(4, width - names - numbers - 5)
    return [
        [
            ("class:label", f"  {name:<{names}} "),
            ("class:busy", bar(value / most if most > 0 else 0.0, room)),
            ("", f" {texts[name]:>{numbers}}"),
        ]
        for name, value in values.items()
    ]


def spread_lines(spreads: Sequence[Spread], width: int) -> list[StyleAndTextTuples]:
    """A box for each group on one common scale: the middle half, its median, and the 5th to 95th percentile."""
    if not spreads:
        return []
    low, high = min(spread.low for spread in spreads), max(spread.high for spread in spreads)
    names = max(len(spread.name) for spread in spreads)
    medians = [number_text(float(f"{spread.median:.4g}")) for spread in spreads]
    tail = max(len(text) for text in (*medians, _MEDIAN)) + 1
    room = max(8, width - names - tail - 5)
    ends = number_text(float(f"{low:.4g}")), number_text(float(f"{high:.4g}"))
    gap = " " * max(1, room - len(ends[0]) - len(ends[1]))
    lines: list[StyleAndTextTuples] = [
        [("class:muted", f"  {'':<{names}} {ends[0]}{gap}{ends[1]}"), ("class:muted", f" {_MEDIAN:>{tail}}")]
    ]
    for spread, median in zip(spreads, medians, strict=True):
        lines.append(
            [
                ("class:label", f"  {visible(spread.name):<{names}} "),
                ("class:busy", _box(spread, low, high, room)),
                ("", f" {median:>{tail}}"),
            ]
        )
    lines.append([("class:muted", cut(f"  {_LOW_END}{_LINE} 5 to 95 %, {_BOX} 25 to 75 %, {_MIDDLE} median", width))])
    return lines


def _box(spread: Spread, low: float, high: float, room: int) -> str:
    def at(value: float) -> int:
        return round((value - low) / (high - low) * (room - 1)) if high > low else 0

    cells = [" "] * room
    for cell in range(at(spread.low), at(spread.high) + 1):
        cells[cell] = _LINE
    cells[at(spread.low)], cells[at(spread.high)] = _LOW_END, _HIGH_END
    for cell in range(at(spread.quarter), at(spread.three_quarters) + 1):
        cells[cell] = _BOX
    cells[at(spread.median)] = _MIDDLE
    return "".join(cells)


def spread_words(spread: Spread, missing: int) -> str:
    """A spread in one line of words."""
    numbers = ", ".join(
        f"{word} {number_text(float(f'{value:.4g}'))}"
        for word, value in (
            ("mean", spread.mean),
            ("median", spread.median),
            ("5 %", spread.low),
            ("95 %", spread.high),
        )
    )
    left_out = f"; {missing:,} without a number" if missing else ""
    return f"{spread.count:,} {'value' if spread.count == 1 else 'values'}: {numbers}{left_out}"


def histogram_lines(found: Histogram, width: int) -> list[StyleAndTextTuples]:
    """A bar for each class of values, by plotille."""
    from plotille import hist_aggregated  # 70 ms, when a plot is looked at

    labels = _edge_labels(found.edges)
    cells = max(len(label) for label in labels)
    numbers = max(len(f"{count}") for count in found.counts)
    drawn = hist_aggregated(
        list(found.counts),
        labels=[fit(label, cells, right=True) for label in labels],
        width=max(8, width - cells - numbers - 7),
    )
    # The first and the last line are its frame; the pane has one.
    rows = drawn.replace(_EMPTY_BRAILLE, " ").splitlines()[1:-1]
    return [
        [("class:busy" if count else "class:muted", f"  {row}")] for row, count in zip(rows, found.counts, strict=True)
    ]


def _edge_labels(edges: Sequence[float]) -> list[str]:
    """From where to where each class goes, with as many decimals as tell them apart."""
    step = edges[1] - edges[0]
    decimals = max(0, 1 - math.floor(math.log10(step))) if step > 0 else 0
    largest = max(abs(edge) for edge in edges)
    form = f",.{decimals}f" if decimals <= 6 and largest < 1e9 else ".3e"
    return [f"{low:{form}} to {high:{form}}" for low, high in pairwise(edges)]


def _warning_lines(summary: ResultSummary) -> list[StyleAndTextTuples]:
    """What the wells warned of, each warning once."""
    if not summary.warnings:
        return [[("class:muted", "  No warnings.")]]
    lines: list[StyleAndTextTuples] = [[("class:title", f"  {count_of(len(summary.warnings), 'kind')} of warning")]]
    for group in summary.warnings:
        where = f"{count_of(len(group.wells), 'well')}, {count_of(group.times, 'time')}: "
        lines.append([("class:warning", f"  {where}"), ("", visible(group.text))])
    return lines
