"""A run without the workbench: progress on standard error, then a table or one JSON document on standard output.

In a terminal the progress is a bar with the wells under way; into a file or a pipe it is one line for each well that
ends, which is what a batch system's log wants. Ctrl-C cancels the run and waits for the wells under way to stop; a
second one gives up waiting. Everything here goes through the engine's own door, `core.orchestrator`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from openhcs.core.model import Discrepancy
from openhcs.core.orchestrator import Run
from openhcs.core.progress import Failure, RunProgress, RunState, WellProgress, WellState
from openhcs.tui.utils.safe_text import visible, visible_lines
from openhcs.tui.widgets.progress import duration_text

__all__ = ["exit_code", "follow", "print_summary", "report", "summary_json", "tell", "tell_discrepancies"]

POLL_S = 0.2
JSON_SCHEMA = 1
"""Raised when a field of `summary_json` changes its meaning or goes."""

TRUTH_LABEL = "nuclei"
"""The label image whose count a demo plate's truth is compared with."""


class View(Protocol):
    """Shows how a run stands."""

    def show(self, progress: RunProgress) -> None:
        """Show `progress`, which replaces what was shown before."""


class Lines:
    """A line for each well that ended since the last look."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def show(self, progress: RunProgress) -> None:
        for name, well in progress.wells.items():
            if well.state.has_ended and name not in self._told:
                self._told.add(name)
                tell(f"[{len(self._told)}/{progress.total}] {_sentence(well)}")


class Bar:
    """A bar for the plate, the wells under way beside it, and a line above it for each well that failed."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task = bar.add_task("starting", total=None, wells="")
        self._told: set[str] = set()

    def show(self, progress: RunProgress) -> None:
        for name, well in progress.wells.items():
            if well.state is WellState.FAILED and name not in self._told:
                self._told.add(name)
                self._bar.console.print(f"[red]{escape(_sentence(well))}[/]", soft_wrap=True, highlight=False)
        ended = sum(well.state.has_ended for well in progress.wells.values())
        under_way = [_place(well) for well in progress.wells.values() if well.state is WellState.RUNNING]
        self._bar.update(
            self._task,
            description=progress.state.value,
            completed=ended,
            total=progress.total or None,
            wells=escape(", ".join(under_way)),
        )


def follow(run: Run, *, cancel_on_interrupt: bool) -> tuple[RunProgress, bool]:
    """Show a run until it ends, or until Ctrl-C.

    Args:
        run: The run to follow.
        cancel_on_interrupt: Whether Ctrl-C cancels the run; otherwise it goes on without us.

    Returns:
        How the run stands, and whether there was a Ctrl-C.
    """
    interrupted = False
    with _view() as view:
        while True:
            try:
                progress = run.poll()
                view.show(progress)
                if progress.state.has_ended:
                    return progress, interrupted
                run.wait(POLL_S)
            except KeyboardInterrupt:
                if interrupted or not cancel_on_interrupt:
                    return run.poll(), True
                interrupted = True
                tell("Cancelling; the wells under way are being stopped. Ctrl-C again leaves at once.")
                run.cancel()


def exit_code(progress: RunProgress) -> int:
    """0 when every well of a run finished, 1 otherwise."""
    return 0 if progress.state is RunState.FINISHED and not progress.failed else 1


def report(
    progress: RunProgress,
    discrepancies: Sequence[Discrepancy] = (),
    truth: Mapping[str, int] | None = None,
    *,
    as_json: bool,
) -> None:
    """Print the outcome of a run on standard output, as a table or as JSON."""
    if as_json:
        print(summary_json(progress, discrepancies, truth))  # noqa: T201
    else:
        print_summary(progress, truth)


def print_summary(progress: RunProgress, truth: Mapping[str, int] | None = None) -> None:
    """Print a table of the wells, how the run ended and where its results are; with `truth`, counts beside it."""
    labels = tuple(dict.fromkeys(label for well in progress.wells.values() for label in well.objects))
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("well", "state"):
        table.add_column(heading)
    for heading in (*(escape(visible(label)) for label in labels), *(("truth", "deviation") if truth else ()), "time"):
        table.add_column(heading, justify="right")
    table.add_column("", overflow="fold")
    for name, well in progress.wells.items():
        row = [visible(name), well.state.value, *(str(well.objects.get(label, "")) for label in labels)]
        if truth:
            row += [str(truth.get(name, "")), _deviation(well.objects.get(TRUTH_LABEL), truth.get(name))]
        row += ["" if well.seconds is None else duration_text(well.seconds), _why(well.failure)]
        table.add_row(*map(escape, row), style="red" if well.state is WellState.FAILED else None)
    console = Console()
    console.print(table)
    console.print()
    console.print(_ending(progress), markup=False, highlight=False, soft_wrap=True)
    console.print(f"Results: {visible(progress.out)}", markup=False, highlight=False, soft_wrap=True)


def summary_json(
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
        "wells": [_well_document(well, truth) for well in progress.wells.values()],
        "discrepancies": [{"well": one.well, "message": one.message} for one in discrepancies],
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def tell(message: str) -> None:
    """Say something on standard error, whatever it contains."""
    print(visible_lines(message), file=sys.stderr, flush=True)  # noqa: T201


def tell_discrepancies(discrepancies: Sequence[Discrepancy]) -> None:
    """Say what differs between the metadata and the images: notes, not errors."""
    for discrepancy in discrepancies:
        tell(f"note: {discrepancy}")


@contextmanager
def _view() -> Iterator[View]:
    console = Console(stderr=True)
    if not console.is_terminal or console.is_dumb_terminal:
        yield Lines()
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[wells]}", style="dim"),
    )
    # Standard output and error stay as they are: what others print must not be swallowed by the bar.
    with Progress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False) as bar:
        yield Bar(bar)


def _place(well: WellProgress) -> str:
    step = f" {well.step}/{well.steps}" if well.steps else ""
    return f"{visible(well.well)}{step} {visible(well.step_name)}".rstrip()


def _sentence(well: WellProgress) -> str:
    parts = [f"{visible(well.well)} {well.state.value}"]
    parts += [f"{count} {visible(label)}" for label, count in well.objects.items()]
    if well.seconds is not None:
        parts.append(duration_text(well.seconds))
    why = _why(well.failure)
    return ", ".join(parts) + (f": {why}" if why else "")


def _why(failure: Failure | None) -> str:
    if failure is None:
        return ""
    place = ", ".join(part for part in (failure.step, failure.plane) if part)
    return visible(f"{place}: {failure.message}" if place else failure.message)


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
    reason = f" ({visible(progress.message)})" if progress.message else ""
    return f"Run {progress.state.value}{took}: {counts}{reason}"


def _well_document(well: WellProgress, truth: Mapping[str, int] | None) -> dict[str, Any]:
    failure = well.failure
    document: dict[str, Any] = {
        "well": well.well,
        "state": well.state.value,
        "objects": dict(well.objects),
        "seconds": None if well.seconds is None else round(well.seconds, 3),
        "failure": None
        if failure is None
        else {name: getattr(failure, name) for name in ("message", "kind", "step", "plane", "file")},
    }
    if truth is not None:
        document["truth"] = truth.get(well.well)
    return document
