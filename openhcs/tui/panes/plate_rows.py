"""A line of the list of plates: symbol, mark, name, and in columns how its run goes. Values in, fragments out.

The columns are as wide as the plates shown need, so that they stand below each other; what there is no room for is left
out, the least important first. Every state has a symbol and a word as well as a colour.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from prompt_toolkit.formatted_text import StyleAndTextTuples, fragment_list_width
from prompt_toolkit.utils import get_cwidth

from openhcs.core.model import Status
from openhcs.core.progress import RunProgress, WellState
from openhcs.tui.panes.plate_text import shape_text
from openhcs.tui.plate_list import BatchProgress
from openhcs.tui.run_text import count_of, ordinal
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.widgets.drawn_text import cut, cut_middle, fit
from openhcs.tui.widgets.progress import bar, duration_text
from openhcs.tui.workbench import Activity, PlateRow

__all__ = ["Columns", "batch_text", "labels_of", "plate_line", "rate_text", "short_duration"]

_STYLES: Final = {
    Status.ADDED: "class:muted",
    Status.INITIALISED: "",
    Status.COMPILED: "class:ok",
    Status.RUNNING: "class:busy",
    Status.FINISHED: "class:ok",
    Status.FAILED: "class:error",
}

WIDE: Final = 72
"""Cells from which state and progress have columns of their own."""

_NAME: Final = range(16, 41)
_WORDS: Final = 27
_BAR: Final = 10
_SHORT_BAR: Final = 6
_LEFT: Final = len("(59 min 59 s)")
_SHORT_LEFT: Final = 6
_GAP: Final = 2


@dataclass(frozen=True, slots=True)
class Columns:
    """Cells of each column behind the name; 0 leaves it out. `name` is the name's own, or what is left for it."""

    width: int
    name: int
    words: int = 0
    bar: int = 0
    count: int = 0
    failed: int = 0
    rate: int = 0
    left: int = 0
    shape: int = 0

    @classmethod
    def fitting(cls, rows: Iterable[PlateRow], width: int) -> Columns:
        """The columns for `rows` in lines of `width` cells."""
        rows = tuple(rows)
        runs = [row.progress for row in rows if row.progress is not None and row.progress.total]
        count = max((2 * len(str(run.total)) + 1 for run in runs), default=0)
        failed = max((len(str(run.failed)) for run in runs if run.failed), default=0)
        if width < WIDE:
            return cls(width, 0, bar=_SHORT_BAR, count=count, failed=failed and failed + 1, left=_SHORT_LEFT)
        name = max((get_cwidth(row.name) for row in rows), default=0)
        name = min(max(name, _NAME.start), _NAME.stop - 1)
        room = width - 2 - min(name, _NAME.start) - _WORDS
        sizes = dict.fromkeys(("count", "bar", "left", "failed", "rate"), 0)
        wanted = {"count": count, "bar": _BAR, "left": _LEFT, "failed": failed and failed + 7, "rate": 9}
        for column, cells in wanted.items():
            if runs and cells and cells + _GAP <= room:
                sizes[column] = cells
                room -= cells + _GAP
        name = min(name, _NAME.start + room)
        room -= name - min(name, _NAME.start)
        return cls(width, name, words=_WORDS, shape=max(0, room - _GAP) if room > 24 else 0, **sizes)


def plate_line(
    row: PlateRow,
    columns: Columns,
    now_s: float,
    *,
    label: str | None = None,
    marked: bool = False,
    place: int | None = None,
    plain: bool = False,
) -> StyleAndTextTuples:
    """One line of the list.

    Args:
        label: what the plate is called here; None takes its name.
        place: how many plates have their turn before this one and it; None where it does not wait.
        plain: in words alone, and only what has happened, since every change is read out.
    """
    style, words = _words(row, place)
    name = visible(label if label is not None else row.name)
    if plain:
        told = ", ".join(filter(None, [words, _count_words(row), "marked" if marked else ""]))
        room = max(8, columns.width - get_cwidth(told) - len(": "))
        return [(style, cut(f"{cut_middle(name, room)}: {told}", columns.width))]
    head: StyleAndTextTuples = [(_STYLES[row.status], row.status.value), ("class:mark", "*" if marked else " ")]
    runs = row.status is Status.RUNNING and row.activity is None and row.progress is not None and row.progress.total
    if columns.width < WIDE:
        tail = _short_tail(row.progress, columns, now_s) if runs and row.progress is not None else [(style, words)]
        cells = sum(get_cwidth(part[1]) for part in tail)
        room = columns.width - 4
        if cells > room - 8:
            tail = [(style, cut("".join(part[1] for part in tail), max(0, room - 8)))]
            cells = get_cwidth(tail[0][1])
        return [*head, ("", fit(cut_middle(name, room - cells), room - cells)), ("", "  "), *tail]
    line: StyleAndTextTuples = [
        *head,
        ("", fit(cut_middle(name, columns.name), columns.name)),
        ("", " " * _GAP),
        (style, fit(words, columns.words - _GAP)),
        *_cells(row, columns, now_s),
    ]
    return [*line, ("", " " * (columns.width - fragment_list_width(line)))]


def labels_of(rows: Sequence[PlateRow]) -> dict[Path, str]:
    """What to call plates that share a name: that name, with as much of the path as tells them apart.

    It stands before a name that is the folder's own, `monday/plate 1`, and behind another: `plate 1 (nuclei)`.
    """
    by_name: dict[str, list[PlateRow]] = defaultdict(list)
    for row in rows:
        by_name[row.name].append(row)
    labels: dict[Path, str] = {}
    for name, same in by_name.items():
        if len(same) > 1:
            tails = _tails([row.folder for row in same])
            labels |= {folder: tail if folder.name == name else f"{name} ({tail})" for folder, tail in tails.items()}
    return labels


def _tails(folders: Sequence[Path]) -> dict[Path, str]:
    """The ends of paths, which are not the same, as short as they can be to differ."""
    depth, tails = 1, {folder: folder.name for folder in folders}
    while len(set(tails.values())) < len(tails):
        depth += 1
        tails = {folder: "/".join(folder.parts[-depth:]) for folder in folders}
    return tails


def _cells(row: PlateRow, columns: Columns, now_s: float) -> StyleAndTextTuples:
    """The columns of a wide line."""
    progress = row.progress if row.progress is not None and row.progress.total else None
    goes_on = progress is not None and not progress.state.has_ended
    sizes = (columns.bar, columns.count, columns.failed, columns.rate, columns.left)
    if progress is None:
        cells = [(size, "", "") for size in sizes]
    else:
        left_s = progress.eta_s(now_s) if goes_on else progress.took_s
        time = "" if left_s is None else duration_text(left_s) if goes_on else f"({duration_text(left_s)})"
        cells = [
            (columns.bar, "class:busy", bar(progress.fraction, columns.bar) if goes_on else ""),
            (columns.count, "", f"{_over(progress)}/{progress.total}"),
            (columns.failed, "class:error", f"{progress.failed} failed" if progress.failed else ""),
            (columns.rate, "class:muted", rate_text(progress, now_s)),
            (columns.left, "" if goes_on else "class:muted", time),
        ]
    fragments: StyleAndTextTuples = []
    for width, style, text in cells:
        if width:
            fragments += [("", " " * _GAP), (style, fit(text, width, right=True))]
    shape = visible(f"{row.facts.format}  {shape_text(row.facts)}") if row.facts is not None and columns.shape else ""
    if columns.shape:
        fragments += [("", " " * _GAP), ("class:muted", fit(shape, columns.shape))]
    return fragments


def _short_tail(progress: RunProgress, columns: Columns, now_s: float) -> StyleAndTextTuples:
    """How a run goes, where there is little room; the same columns in every line."""
    left_s = progress.eta_s(now_s)
    tail: StyleAndTextTuples = [
        ("class:busy", bar(progress.fraction, columns.bar)),
        ("class:busy", f" {fit(f'{_over(progress)}/{progress.total}', columns.count, right=True)}"),
    ]
    if columns.failed:
        failed = f"X{progress.failed}" if progress.failed else ""
        tail.append(("class:error", f" {fit(failed, columns.failed, right=True)}"))
    left = "" if left_s is None else short_duration(left_s)
    return [*tail, ("class:busy", f" {fit(left, columns.left, right=True)}")]


def _over(progress: RunProgress) -> int:
    return progress.finished + progress.failed


_TENTHS: Final = 10


def _count_words(row: PlateRow) -> str:
    """How far a run is, in at most ten steps however many wells there are, since each is read out; failures at once."""
    progress = row.progress
    if row.status is not Status.RUNNING or progress is None or progress.is_starting or not progress.total:
        return ""
    over, wells = _over(progress), count_of(progress.total, "well")
    tenths = over * _TENTHS // progress.total
    done = (
        f"{over} of {wells} done" if progress.total <= _TENTHS else f"{tenths * 100 // _TENTHS} percent of {wells} done"
    )
    return f"{done}, {progress.failed} failed" if progress.failed else done


def _words(row: PlateRow, place: int | None) -> tuple[str, str]:
    """How the plate stands, with the style of it."""
    progress = row.progress
    if row.activity is Activity.QUEUED and place is not None:
        return "class:busy", f"waiting ({ordinal(place)})"
    if row.status is Status.RUNNING and progress is not None:
        if row.activity is not None:
            return "class:busy", f"{row.activity.value} {_over(progress)}/{progress.total}"
        return "class:busy", "starting" if progress.is_starting else "running"
    if row.activity is not None:
        return "class:busy", row.activity.value
    match row.status:
        case Status.FINISHED if progress is not None:
            return "class:ok", f"{count_of(progress.finished, 'well')} done"
        case Status.FAILED if progress is not None and progress.failed and not row.problems:
            return "class:error", f"{progress.failed} of {progress.total} failed"
        case Status.FAILED:
            return "class:error", count_of(len(row.problems), "problem") if row.problems else "failed"
        case Status.ADDED if progress is None or not progress.finished:
            return "class:muted", "not initialised"
        case _:
            # Of a plate that has not been looked into yet, the last run knows the wells it was to do.
            count = len(row.facts.wells) if row.facts else progress.total if progress is not None else 0
            wells = count_of(count, "well") if count else ""
            if progress is not None and progress.finished:
                wells = f"{progress.finished} of {wells} done"
            word = "ready" if row.status is Status.COMPILED else ""
            return "class:muted", ", ".join(filter(None, (wells, word)))


def rate_text(progress: RunProgress, now_s: float) -> str:
    """Wells done in a minute, or in an hour where that is less than one; those taken over are not counted."""
    ended_s = progress.ended_s if progress.ended_s is not None else now_s
    done = _over(progress) - progress.counts[WellState.REUSED]
    if progress.started_s is None or done <= 0 or ended_s <= progress.started_s:
        return ""
    a_minute = 60 * done / (ended_s - progress.started_s)
    if a_minute >= 1:
        return f"{a_minute:.1f}/min" if a_minute < 100 else f"{a_minute:.0f}/min"
    return f"{60 * a_minute:.0f}/h" if a_minute * 60 >= 1 else "<1/h"


def short_duration(seconds: float) -> str:
    """A duration in at most six cells: `45 s`, `12 min`, `2.1 h`, `3.5 d`."""
    seconds = max(seconds, 0.0)
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    if seconds < 3570:
        return f"{seconds / 60:.0f} min"
    hours = seconds / 3600
    return f"{hours:.1f} h" if hours < 99.95 else f"{min(hours / 24, 999):.0f} d"


def batch_text(batch: BatchProgress | None, width: int, *, plain: bool = False) -> str:
    """`12 of 30 plates, 3,100 of 11,520 wells, 2 failed, 2 h 10 min left`, as much of it as there is room for.

    `plain` is without what changes with every well.
    """
    if batch is None or batch.plates < 2:
        return ""
    failed = f"{batch.failed:,} failed" if batch.failed else ""
    if plain:
        return cut(", ".join(filter(None, (f"{batch.plates_done} of {batch.plates} plates", failed))), width)
    if batch.is_over:
        parts = [f"{batch.plates} plates", f"{batch.wells_done:,} of {batch.wells:,} wells", failed]
    else:
        left = f"{duration_text(batch.left_s)} left" if batch.left_s is not None else ""
        plates = f"{batch.plates_done} of {batch.plates} plates"
        parts = [plates, f"{batch.wells_done:,} of {batch.wells:,} wells", failed, left]
        if get_cwidth(", ".join(filter(None, parts))) > width:
            left = f"{short_duration(batch.left_s)} left" if batch.left_s is not None else ""
            plates = f"{batch.plates_done}/{batch.plates} plates"
            parts = [plates, f"{batch.wells_done}/{batch.wells} wells", left, failed]
    text = ""
    for part in filter(None, parts):
        longer = f"{text}, {part}" if text else part
        if get_cwidth(longer) > width:
            break
        text = longer
    return text
