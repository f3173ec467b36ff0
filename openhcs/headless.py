"""A run without the workbench: progress on standard error, then a table or one JSON document on standard output.

In a terminal the progress is a bar with the wells under way; into a file or a pipe it is one line for each well that
ends, which is what a batch system's log wants. Ctrl-C cancels the run and waits for the wells under way to stop; a
second one gives up waiting. Everything here goes through the engine's own door, `core.orchestrator`.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, Protocol, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from openhcs.core.model import Discrepancy
from openhcs.core.orchestrator import Run
from openhcs.core.progress import Failure, RunProgress, RunState, WellProgress, WellState
from openhcs.core.wording import told_once
from openhcs.tui.utils.safe_text import visible, visible_lines
from openhcs.tui.widgets.progress import duration_text

__all__ = ["Interrupts", "exit_code", "follow", "print_summary", "report", "summary_json", "tell", "tell_discrepancies"]

POLL_S = 0.2
JSON_SCHEMA = 1
"""Raised when a field of `summary_json` changes its meaning or goes."""

TRUTH_LABEL = "nuclei"
"""The label image whose count a demo plate's truth is compared with."""


class Interrupts:
    """Counts Ctrl-C while it is entered, in place of an exception that could come between any two lines.

    SIGTERM counts as well: with it a batch system asks a job to end.
    """

    def __init__(self) -> None:
        self.count = 0
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.count += 1


class View(Protocol):
    """Shows how a run stands."""

    def show(self, progress: RunProgress) -> None:
        """Show `progress`, which replaces what was shown before."""

    def say(self, text: str) -> None:
        """Show a line that stays."""


class Lines:
    """A line for each well that ended since the last look."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def show(self, progress: RunProgress) -> None:
        for name, well in progress.wells.items():
            if well.state.has_ended and name not in self._told:
                self._told.add(name)
                self.say(f"[{len(self._told)}/{progress.total}] {_sentence(well)}")

    def say(self, text: str) -> None:
        tell(text)


class Bar:
    """A bar for the plate with the wells under way beside it, and a line above it for each well that failed."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task = bar.add_task("", total=1.0, count="", wells="")
        self._told: set[str] = set()

    def show(self, progress: RunProgress) -> None:
        for name, well in progress.wells.items():
            if well.state is WellState.FAILED and name not in self._told:
                self._told.add(name)
                self.say(_sentence(well))
        ended = sum(well.state.has_ended for well in progress.wells.values())
        under_way = [_place(well) for well in progress.wells.values() if well.state is WellState.RUNNING]
        self._bar.update(
            self._task,
            description=progress.state.value,
            completed=progress.fraction,
            count=f"{ended}/{progress.total} wells" if progress.total else "",
            wells=escape(", ".join(under_way)),
        )

    def say(self, text: str) -> None:
        self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)


def follow(run: Run, interrupts: Interrupts, *, cancel_on_interrupt: bool) -> RunProgress:
    """Show a run until it ends, or until Ctrl-C.

    Args:
        run: The run to follow.
        interrupts: Entered by the caller before the run was started, so that none is lost.
        cancel_on_interrupt: Whether Ctrl-C cancels the run, and a second one kills it; otherwise it goes on without us.
    """
    asked_after = 0
    with _view() as view:
        while True:
            progress = run.poll()
            view.show(progress)
            if progress.state.has_ended or (interrupts.count and not cancel_on_interrupt):
                return progress
            if asked_after and interrupts.count > asked_after:
                _kill(run)
            elif interrupts.count and not asked_after:
                # One that came while nobody looked counts for one: it asks, what comes after the answer insists.
                asked_after = interrupts.count
                view.say("Cancelling: the wells under way are being stopped. Ctrl-C again kills the run.")
                run.cancel()
            run.wait(POLL_S)


def exit_code(progress: RunProgress, interrupts: Interrupts) -> int:
    """0 when every well of the run finished, 130 when Ctrl-C came before the end, 1 otherwise."""
    if interrupts.count and progress.state is not RunState.FINISHED:
        return 128 + signal.SIGINT
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
    if progress.failed:
        table.add_column("why", overflow="fold")
    for name, well in progress.wells.items():
        row = [visible(name), well.state.value, *(str(well.objects.get(label, "")) for label in labels)]
        if truth:
            row += [str(truth.get(name, "")), _deviation(well.objects.get(TRUTH_LABEL), truth.get(name))]
        row.append("" if well.seconds is None else duration_text(well.seconds))
        if progress.failed:
            row.append(_why(well.failure))
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
    for line in told_once(discrepancies):
        tell(f"note: {line}")


@contextmanager
def _view() -> Iterator[View]:
    console = Console(stderr=True)
    if not console.is_terminal or console.is_dumb_terminal:
        yield Lines()
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[count]}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[wells]}", style="dim"),
    )
    # Standard output and error stay as they are: what others print must not be swallowed by the bar.
    with Progress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False) as bar:
        yield Bar(bar)


def _kill(run: Run) -> None:
    """End the runner and its workers, which are a process group, at once; `Run.poll` then says so."""
    if run.pid:
        with suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)


def _place(well: WellProgress) -> str:
    share = f" {well.fraction:.0%}" if well.steps else ""
    return f"{visible(well.well)}{share} {visible(well.step_name)}".rstrip()


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
        "failure": None
        if failure is None
        else {name: getattr(failure, name) for name in ("message", "kind", "step", "plane", "file")},
    }
    if truth is not None:
        document["truth"] = truth.get(well.well)
    return document
