"""Runs in words, for the status bar and the panes alike."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from openhcs.core.progress import RunProgress, RunState
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.widgets.progress import duration_text
from openhcs.tui.workbench import Severity

if TYPE_CHECKING:
    from openhcs.core.worker_status import WorkerStatus

__all__ = ["count_of", "end_words", "ordinal", "shown_path", "some", "worker_lines"]

_WORKERS_TOLD: Final = 8


def count_of(number: int, thing: str) -> str:
    """`1 well`, `2 wells`."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def ordinal(number: int) -> str:
    """`1st`, `2nd`, `11th`."""
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th") if number % 100 not in (11, 12, 13) else "th"
    return f"{number}{ending}"


def some(names: Iterable[str]) -> str:
    """The names, or of more than three the first two and how many more there are."""
    names = list(names)
    return ", ".join(names) if len(names) <= 3 else f"{', '.join(names[:2])} and {len(names) - 2} more"


def shown_path(path: Path) -> str:
    """`path` as people say it: from the working directory where it lies below that."""
    here = Path.cwd()
    return visible(str(path.relative_to(here) if path.is_relative_to(here) else path))


def end_words(progress: RunProgress) -> tuple[str, Severity]:
    """How a run stands or ended, and how bad that is."""
    took = "" if progress.took_s is None else f" in {duration_text(progress.took_s)}"
    finished = count_of(progress.finished, "well")
    match progress.state:
        case RunState.FINISHED if not progress.failed:
            return f"finished {finished}{took}", Severity.OK
        case RunState.FINISHED:
            return (
                f"{progress.failed} of {count_of(progress.total, 'well')} failed, {progress.finished} finished{took}",
                Severity.ERROR,
            )
        case RunState.CANCELLED:
            return f"cancelled{took}; {finished} finished", Severity.WARNING
        case RunState.WAITING:
            return f"waiting for its turn, {count_of(progress.total, 'well')}", Severity.INFO
        case RunState.STARTING | RunState.RUNNING:
            return f"running: {progress.finished} of {count_of(progress.total, 'well')} finished", Severity.INFO
        case RunState.FAILED:
            return f"the run ended before its time: {visible(progress.message)}", Severity.ERROR


def worker_lines(workers: Collection[WorkerStatus]) -> list[str]:
    """What each worker of a run does now, the one that is longest at its well first; of many the first eight."""
    told = sorted(workers, key=lambda worker: -(worker.seconds or 0.0))[:_WORKERS_TOLD]
    lines = [f"{_work_of(worker)}; process {worker.pid} on {visible(worker.host)}" for worker in told]
    return [*lines, f"{len(workers) - len(told)} more"] if len(told) < len(workers) else lines


def _work_of(worker: WorkerStatus) -> str:
    memory = f"{worker.memory_bytes / 2**20:.0f} MiB"
    if worker.well is None:
        return f"idle, {memory}"
    since = f" for {duration_text(worker.seconds)}" if worker.seconds is not None else ""
    return f"{visible(worker.well)}{since}, {memory}"
