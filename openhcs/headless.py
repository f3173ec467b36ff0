"""The outcome of a run on standard output: a table for people, or one JSON document for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from openhcs.core.model import Discrepancy
from openhcs.core.progress import RunProgress, WellProgress, WellState
from openhcs.core.wording import told_once
from openhcs.run_view import tell, why_text
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.widgets.progress import duration_text

__all__ = ["report", "tell_discrepancies"]

JSON_SCHEMA = 1
"""Raised when a field of `_summary_json` changes its meaning or goes."""

TRUTH_LABEL = "nuclei"
"""The label image whose count a demo plate's truth is compared with."""


def report(
    progress: RunProgress,
    discrepancies: Sequence[Discrepancy] = (),
    truth: Mapping[str, int] | None = None,
    *,
    as_json: bool,
) -> None:
    """Print the outcome of a run on standard output, as a table or as JSON."""
    if as_json:
        print(_summary_json(progress, discrepancies, truth))  # noqa: T201
    else:
        _print_summary(progress, truth)


def _print_summary(progress: RunProgress, truth: Mapping[str, int] | None = None) -> None:
    """Print a table of the wells, how the run ended and where its results are; with `truth`, counts beside it."""
    labels = tuple(dict.fromkeys(label for well in progress.wells.values() for label in well.objects))
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("well", "state"):
        table.add_column(heading)
    for heading in (*(escape(visible(label)) for label in labels), *(("truth", "deviation") if truth else ()), "time"):
        table.add_column(heading, justify="right")
    if progress.failed:
        table.add_column("why", overflow="fold")
    for name, well in progress.wells.items():
        row = [visible(name), well.state.value, *(str(well.objects.get(label, "")) for label in labels)]
        if truth:
            row += [str(truth.get(name, "")), _deviation(well.objects.get(TRUTH_LABEL), truth.get(name))]
        row.append("" if well.seconds is None else duration_text(well.seconds))
        if progress.failed:
            row.append(why_text(well.failure))
        table.add_row(*map(escape, row), style="red" if well.state is WellState.FAILED else None)
    console = Console()
    console.print(table)
    console.print()
    console.print(_ending(progress), markup=False, highlight=False, soft_wrap=True)
    console.print(f"Results: {visible(progress.out)}", markup=False, highlight=False, soft_wrap=True)


def _summary_json(
    progress: RunProgress, discrepancies: Sequence[Discrepancy] = (), truth: Mapping[str, int] | None = None
) -> str:
    """The outcome as one JSON document; docs/run-json.md says what each field means."""
    document: dict[str, Any] = {
        "schema": JSON_SCHEMA,
        "state": progress.state.value,
        "message": progress.message,
        "plate": progress.plate,
        "pipeline": progress.pipeline,
        "results": progress.out,
        "seconds": _seconds(progress),
        "total": progress.total,
        "finished": progress.finished,
        "failed": progress.failed,
        "cancelled": progress.cancelled,
        "warnings": list(progress.warnings),
        "wells": [_well_document(well, truth) for well in progress.wells.values()],
        "discrepancies": [{"well": one.well, "message": one.message} for one in discrepancies],
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def tell_discrepancies(discrepancies: Sequence[Discrepancy]) -> None:
    """Say what differs between the metadata and the images: notes, not errors."""
    for line in told_once(discrepancies):
        tell(f"note: {line}")


def _deviation(counted: int | None, truth: int | None) -> str:
    return "" if counted is None or not truth else f"{100 * (counted - truth) / truth:+.1f} %"


def _seconds(progress: RunProgress) -> float | None:
    if progress.started_s is None or progress.ended_s is None:
        return None
    return round(progress.ended_s - progress.started_s, 3)


def _ending(progress: RunProgress) -> str:
    seconds = _seconds(progress)
    took = "" if seconds is None else f" in {duration_text(seconds)}"
    counts = f"{progress.finished} of {progress.total} wells finished, {progress.failed} failed"
    if progress.cancelled:
        counts += f", {progress.cancelled} cancelled"
    reason = f" ({visible(progress.message)})" if progress.message else ""
    return f"Run {progress.state.value}{took}: {counts}{reason}"


def _well_document(well: WellProgress, truth: Mapping[str, int] | None) -> dict[str, Any]:
    failure = well.failure
    document: dict[str, Any] = {
        "well": well.well,
        "state": well.state.value,
        "objects": dict(well.objects),
        "seconds": None if well.seconds is None else round(well.seconds, 3),
        "retries": well.retries,
        "failure": None
        if failure is None
        else {name: getattr(failure, name) for name in ("message", "kind", "step", "plane", "file")},
    }
    if truth is not None:
        document["truth"] = truth.get(well.well)
    return document
