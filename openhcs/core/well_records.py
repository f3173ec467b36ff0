"""What is on record about one well of a results folder: what made its results, what happened to it, what was printed.

Reads small files only, but blocks: call it in a thread. Images are `previews`, measurements `well_tables`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from openhcs.core.journal import Event, EventKind, Json, replay
from openhcs.core.progress import Failure, RunProgress
from openhcs.core.results import ResultsFolder
from openhcs.core.run_folder import RunFolder

__all__ = ["WellHistory", "event_line", "provenance_lines", "read_history"]

_MOST_LOG_BYTES = 4 << 20
_MOST_LOG_LINES = 500


@dataclass(frozen=True, slots=True)
class WellHistory:
    """What happened to a well in the newest run: a line an event, what was printed about it, and why it failed."""

    events: tuple[str, ...]
    log: tuple[str, ...]
    failure: Failure | None


def read_history(out: Path, well: str) -> WellHistory:
    """What happened to `well` in the run that was started last in `out`; nothing where there was none.

    Raises:
        StoreError: the run's journal cannot be read.
    """
    folder = RunFolder.newest(ResultsFolder(out))
    if folder is None:
        return WellHistory((), (), None)
    events = replay(folder.journal)
    progress = RunProgress()
    for event in events:
        if event.well == well or event.well is None:
            progress = progress.apply(event)
    own = progress.wells.get(well)
    return WellHistory(
        events=tuple(event_line(event) for event in events if event.well == well),
        log=_log_lines(folder.log, well),
        failure=own.failure if own is not None else None,
    )


def event_line(event: Event, *, with_well: bool = False) -> str:
    """What happened, and when, in one line; `with_well` says to which well, or that it was the run's."""
    when = time.strftime("%H:%M:%S", time.localtime(event.time_s))
    return f"{when}  {event.well or 'run':<4}  {_event_text(event)}" if with_well else f"{when}  {_event_text(event)}"


def _event_text(event: Event) -> str:
    data = event.data
    match event.kind:
        case EventKind.RUN_QUEUED | EventKind.RUN_STARTED:
            wells = data.get("wells")
            count = len(wells) if isinstance(wells, list) else 0
            word = "started" if event.kind is EventKind.RUN_STARTED else "asked for"
            noun = "well" if count == 1 else "wells"
            return f"{word}: {count} {noun} of {data.get('plate')} with {data.get('pipeline')}"
        case EventKind.WELL_STARTED:
            return "started"
        case EventKind.STEP_STARTED:
            # Journals of earlier versions have the numbers alone.
            where = data.get("where") or f"step {data.get('step')} of {data.get('steps')}"
            return f"{where}: {data.get('name')}"
        case EventKind.WELL_FINISHED:
            return f"finished{_objects(data.get('objects'))}"
        case EventKind.WELL_REUSED:
            return f"taken from an earlier run{_objects(data.get('objects'))}"
        case EventKind.WELL_RETRIED:
            return f"tried again: {data.get('message')}"
        case EventKind.WELL_FAILED | EventKind.RUN_FAILED:
            return f"failed: {data.get('message')}"
        case EventKind.WELL_CANCELLED | EventKind.RUN_CANCELLED:
            return "cancelled"
        case EventKind.RUN_WAITING:
            return f"waiting: {data.get('message')}" if data.get("message") else "waiting no longer"
        case EventKind.RUN_WARNED:
            return f"warning: {data.get('message')}"
        case EventKind.RUN_FINISHED:
            return "finished"


def _objects(objects: Json) -> str:
    if not isinstance(objects, dict) or not objects:
        return ""
    return ": " + ", ".join(f"{count} {name}" for name, count in objects.items())


def _log_lines(log: Path, well: str) -> tuple[str, ...]:
    """The last lines of the run's log that name the well; none where it cannot be read."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _MOST_LOG_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return ()
    return tuple(line for line in text.splitlines() if well in line)[-_MOST_LOG_LINES:]


def provenance_lines(out: Path, well: str) -> Sequence[str]:
    """How the results of `well` came to be, in lines to read; none where it has no results.

    Raises:
        StoreError: the well's provenance cannot be read.
    """
    results = ResultsFolder(out)
    content = results.read_provenance(well)
    if content is None:
        return ()
    recipe = _mapping(content.get("recipe"))
    lines = [
        f"Plate      {content.get('plate')}",
        f"Folder     {content.get('root')}",
        f"Results    {out}",
        f"Plan       {content.get('hash')}",
        f"Time       {content.get('seconds')} s",
    ]
    lines += ["", "Steps", *_step_lines(recipe, _mapping(content.get("step_seconds")))]
    for title, key in (("Objects", "objects"), ("Rows of tables", "rows")):
        counts = _mapping(content.get(key))
        if counts:
            lines += ["", title, *(f"  {name:<28} {count}" for name, count in counts.items())]
    warnings = _mapping(content.get("warnings"))
    lines += ["", "Warnings", *([f"  {times} x {text}" for text, times in warnings.items()] or ["  none"])]
    filled = content.get("filled")
    if isinstance(filled, list) and filled:
        lines += ["", "Without an image", *(f"  {place}" for place in filled)]
    versions = _mapping(recipe.get("versions"))
    if versions:
        lines += ["", "Versions", *(f"  {name:<28} {version}" for name, version in versions.items())]
    planes = _mapping(content.get("planes"))
    lines += ["", f"Images read: {len(planes)}", *(f"  {key}: {file}" for key, file in planes.items())]
    return lines


def _step_lines(recipe: Mapping[str, Json], seconds: Mapping[str, Json]) -> Iterator[str]:
    steps = recipe.get("steps")
    for number, step in enumerate(map(_mapping, steps if isinstance(steps, list) else ()), start=1):
        name = str(step.get("name"))
        took = f"  ({seconds[name]} s)" if name in seconds else ""
        yield f"  {number} {name}{took}"
        pattern = step.get("pattern")
        chains = pattern if isinstance(pattern, dict) else {"": pattern}
        for group, calls in chains.items():
            for call in map(_mapping, calls if isinstance(calls, list) else ()):
                parameters = ", ".join(f"{key}={value}" for key, value in _mapping(call.get("parameters")).items())
                yield f"      {f'{group}: ' if group else ''}{call.get('function')}({parameters})"


def _mapping(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, dict) else {}
