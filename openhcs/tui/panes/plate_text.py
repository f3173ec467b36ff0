"""How a plate's facts and its wells read on the screen: values in, fragments out. Its line in the list: `plate_rows`.

Pure functions of what they are given, the clock included, so a row drawn twice is the same. Every state has a symbol
as well as a colour. Text from metadata and file names goes through `visible`.
"""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Final

from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.utils import get_cwidth

from openhcs.core.model import Status
from openhcs.core.progress import RunProgress, RunState, WellProgress, WellState
from openhcs.core.wording import told_once
from openhcs.tui.run_text import count_of, end_words, worker_lines
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.widgets.drawn_text import cut, cut_middle, fit
from openhcs.tui.widgets.progress import duration_text
from openhcs.tui.workbench import Activity, PlateFacts, PlateRow

if TYPE_CHECKING:
    from openhcs.core.worker_status import WorkerStatus

__all__ = [
    "WELL_LOOK",
    "busy_text",
    "detail_text",
    "shape_text",
    "summary_fragments",
    "well_detail_text",
    "well_fragments",
    "well_words",
]

WELL_LOOK: Final = {
    WellState.PENDING: ("·", "class:muted"),
    WellState.RUNNING: ("!", "class:busy"),
    WellState.FINISHED: ("✓", "class:ok"),
    WellState.REUSED: ("=", "class:ok"),
    WellState.FAILED: ("X", "class:error"),
    WellState.CANCELLED: ("-", "class:warning"),
}
_RESULTS: Final = "Results "
_DOING: Final = {
    Activity.INITIALISING: "is being initialised",
    Activity.COMPILING: "is being compiled",
    Activity.QUEUED: "waits for its turn",
    Activity.STARTING: "is being started",
    Activity.CANCELLING: "is being cancelled",
}


def busy_text(row: PlateRow) -> str:
    """What is being done to a busy plate, as a clause: `demo is being initialised`."""
    return f"{visible(row.name)} {_DOING[row.activity] if row.activity is not None else 'is running'}"


def shape_text(facts: PlateFacts) -> str:
    """How many of everything there are: `8 wells × 2 sites × 2 channels × 3 z`."""
    parts = [
        count_of(len(facts.wells), "well"),
        count_of(facts.sites, "site"),
        count_of(len(facts.channels), "channel"),
        f"{facts.z_planes} z",
    ]
    if facts.time_points > 1:
        parts.append(f"{facts.time_points} t")
    return " × ".join(parts)


def summary_fragments(row: PlateRow | None, width: int, now_s: float, *, plain: bool = False) -> StyleAndTextTuples:
    """The lines above the wells: what the plate is, and how its last job went; `plain` without the passing time."""
    if row is None:
        return [("class:muted", "Add a plate to begin: a")]
    lines: list[tuple[str, str]] = []
    facts = row.facts
    if facts is None:
        lines.append(("class:muted", visible(str(row.folder))))
    else:
        lines.append(("", shape_text(facts)))
        pixel = f"{facts.pixel_size_um:.4g} µm/px" if facts.pixel_size_um else "pixel size unknown"
        names = ", ".join(visible(channel.name) for channel in facts.channels)
        lines.append(("class:muted", f"{visible(facts.format)}, {pixel}: {names}"))
    if row.status is Status.COMPILED and row.takes:
        lines += [("class:muted", line) for line in textwrap.wrap(f"Takes {row.takes}", max(1, width))]
    lines += _state_lines(row, width, now_s, plain=plain)
    if facts is not None and facts.discrepancies:
        lines.append(("class:warning", _first_of(facts.discrepancies, "Note: ", width)))
    fragments: StyleAndTextTuples = []
    for style, text in lines:
        # A results folder is told by its end, other lines by their beginning.
        shorten = cut_middle if text.startswith(_RESULTS) else cut
        fragments += [(style, shorten(text, width)), ("", "\n")]
    return fragments[:-1]


def _first_of(told: Sequence[object], head: str, width: int) -> str:
    """The first of what there is to tell; a key for the rest at the end, where no cut takes it away."""
    text = f"{head}{visible(str(told[0]))}"
    more = f" (+{len(told) - 1}, Enter)" if len(told) > 1 else " (Enter)" if get_cwidth(text) > width else ""
    return f"{cut(text, max(0, width - len(more)))}{more}"


def _under_way(progress: RunProgress, now_s: float, *, plain: bool) -> str:
    """What a run does and since when; without that for a screen reader, since each change is read out."""
    since_s = None if plain else progress.started_s
    so_far = f"{duration_text(now_s - since_s)} so far" if since_s is not None else ""
    if progress.state is RunState.WAITING:
        doing = "waiting"
    else:
        doing = "starting workers" if progress.is_starting else "" if so_far else "running"
    words = ": ".join(filter(None, (progress.pipeline, ", ".join(filter(None, (doing, so_far))))))
    joint = " " if progress.state is RunState.WAITING else "; "
    return visible(joint.join(filter(None, (words, progress.waiting))))


def _state_lines(row: PlateRow, width: int, now_s: float, *, plain: bool) -> list[tuple[str, str]]:
    if row.problems:
        return [("class:error", _first_of(row.problems, "Problem: " if plain else "X ", width))]
    progress = row.progress
    if progress is None:
        return []
    if not progress.state.has_ended:
        style = "class:warning" if progress.waiting and progress.state is RunState.RUNNING else "class:busy"
        return [(style, _under_way(progress, now_s, plain=plain))]
    words, severity = end_words(progress)
    return [(f"class:{severity.value}", words), ("class:muted", f"{_RESULTS}{visible(str(row.out))}")]


def well_fragments(
    well: WellProgress, width: int, *, marked: bool = False, plain: bool = False, number: str = ""
) -> StyleAndTextTuples:
    """One line of the well list: state, name, mark, what it does or why it failed, time at the right.

    `plain` is that in words, without what changes from moment to moment; it tells `number` too, which the map shows.
    """
    symbol, style = WELL_LOOK[well.state]
    if plain:
        words = "" if well.state is WellState.RUNNING else well_words(well)
        told = [well.state.value, number, "" if words == well.state.value else words, "marked" if marked else ""]
        return [(style, cut(f"{visible(well.well)}: {', '.join(filter(None, told))}", width))]
    tail = duration_text(well.seconds) if well.seconds is not None else ""
    head = f"{symbol} {fit(visible(well.well), 4)}{'*' if marked else ' '}"
    room = max(0, width - len(head) - len(tail) - 1)
    words = well_words(well)
    return [
        (style, head),
        (style if well.state in (WellState.RUNNING, WellState.FAILED) else "", fit(words, room)),
        ("", " "),
        ("class:muted", tail),
    ]


def well_words(well: WellProgress) -> str:
    """What a well is doing, what it counted, or why it failed."""
    match well.state:
        case WellState.RUNNING:
            return f"{well.fraction:3.0%} {visible(well.step_name)}" if well.steps else ""
        case WellState.FAILED:
            failure = well.failure
            if failure is None:
                return "failed"
            return visible(f"{failure.step}: {failure.message}" if failure.step else failure.message)
        case WellState.FINISHED:
            return _objects_text(well) or "done"
        case WellState.REUSED:
            return ", ".join(filter(None, (_objects_text(well), "from an earlier run")))
        case WellState.CANCELLED:
            return "cancelled"
        case WellState.PENDING:
            return ""


def _objects_text(well: WellProgress) -> str:
    return ", ".join(f"{count} {visible(name)}" for name, count in well.objects.items())


def detail_text(row: PlateRow, workers: Collection[WorkerStatus] = ()) -> Sequence[str]:
    """Everything known about a plate, and what the workers of its run do now, a line each, for its details dialog."""
    lines = [f"Folder       {row.folder}"]
    facts = row.facts
    if facts is not None:
        pixel = f"{facts.pixel_size_um:.5g} µm" if facts.pixel_size_um else "unknown"
        lines += [
            f"Name         {facts.name}",
            f"Format       {facts.format}, {facts.rows} x {facts.columns} wells",
            f"Images       {facts.images}: {shape_text(facts)}",
            f"Projections  {'stored by the microscope' if facts.has_projections else 'none stored'}",
            f"Pixel size   {pixel}",
        ]
        for channel in facts.channels:
            wavelength = f", {channel.wavelength_nm:g} nm" if channel.wavelength_nm else ""
            lines.append(f"Channel {channel.number:<4} {channel.name}{wavelength}")
        lines.append(f"Wells        {', '.join(facts.wells)}")
    if row.takes:
        lines.append(f"Takes        {row.takes}")
    if row.progress is not None:
        lines += [f"Results      {row.out}", f"Last run     {row.progress.pipeline}: {end_words(row.progress)[0]}"]
    for number, worker in enumerate(worker_lines(workers)):
        lines.append(f"{'' if number else 'Workers':<12} {worker}")
    if row.problems:
        lines += ["", "Problems", *(f"- {problem}" for problem in row.problems)]
    if facts is not None and facts.discrepancies:
        lines += ["", "Discrepancies between the metadata and the folder (the folder is believed)"]
        lines += [f"- {line}" for line in told_once(facts.discrepancies)]
    return [visible(line) for line in lines]


def well_detail_text(well: WellProgress) -> Sequence[str]:
    """Everything known about one well of a run, a line each."""
    lines = [f"State    {well.state.value}"]
    if well.step_name and well.state is WellState.RUNNING:
        lines.append(f"Step     {well.step_name}; {well.fraction:.0%} of the well is done")
    if well.seconds is not None:
        lines.append(f"Time     {duration_text(well.seconds)}")
    lines += [f"Objects  {count} {name}" for name, count in well.objects.items()]
    failure = well.failure
    if failure is not None:
        places = (("Step", failure.step), ("Plane", failure.plane), ("File", failure.file))
        lines += ["", *failure.message.splitlines(), ""]
        lines += [f"{word:<8} {place}" for word, place in places if place]
        lines.append(f"Kind     {failure.kind}")
        if failure.traceback:
            lines += ["", *failure.traceback.splitlines()]
    return [visible(line) for line in lines]
