"""The runs of this user, as `openhcs runs` lists them: those that go on, those that wait for their turn in the order in
which they have it, and the newest of the others.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import typer

from openhcs.core.known_runs import find_runs
from openhcs.core.orchestrator import Run
from openhcs.core.progress import RunProgress, RunState
from openhcs.tui.run_text import ordinal, shown_path
from openhcs.tui.utils.safe_text import visible

__all__ = ["RUNS_SHOWN", "KnownRun", "list_runs", "runs_json", "print_runs"]

RUNS_SHOWN: Final = 20
ANSWER_S: Final = 1.0
JSON_SCHEMA: Final = 1


@dataclass(frozen=True, slots=True)
class KnownRun:
    """A run as it stands; `answers` is None where nobody is there to answer."""

    out: Path
    progress: RunProgress
    answers: bool | None

    @property
    def state(self) -> str:
        """The run's state in a few words."""
        state, place = self.progress.state.value, self.progress.place
        words = state if place is None else f"{state} ({ordinal(place)})"
        return f"{words}, does not answer" if self.answers is False else words


def list_runs(results_folder: Path, at_most: int | None = RUNS_SHOWN) -> tuple[KnownRun, ...]:
    """The last run of each results folder that is known, in the order in which they are listed."""
    runs = find_runs(results_folder, at_most)
    if not runs:
        return ()
    with ThreadPoolExecutor(max_workers=len(runs)) as threads:  # those that do not answer are waited for together
        found = list(threads.map(_look_at, runs))
    return tuple(sorted(found, key=_order))


def print_runs(runs: Sequence[KnownRun]) -> None:
    """Print the runs on standard output, two lines each."""
    if not runs:
        typer.echo("No run is known: neither one that you started nor one with results in the results folder.")
    indent = max((len(run.state) for run in runs), default=0) + 2
    for run in runs:
        progress = run.progress
        words = f"{visible(progress.plate)} with {visible(progress.pipeline)}: "
        words += f"{progress.finished} of {progress.total} wells done, {progress.failed} failed"
        if progress.started_s is not None:
            words += f", started {datetime.fromtimestamp(progress.started_s):%Y-%m-%d %H:%M}"
        typer.echo(f"{run.state:<{indent}}{words}\n{'':<{indent}}{shown_path(run.out)}")


def runs_json(runs: Sequence[KnownRun]) -> str:
    """The runs as one JSON document; docs/run-json.md says what each field means."""
    return json.dumps({"schema": JSON_SCHEMA, "runs": [_document(run) for run in runs]}, indent=2, ensure_ascii=False)


def _look_at(run: Run) -> KnownRun:
    progress = run.progress
    has_runner = progress.state in (RunState.WAITING, RunState.RUNNING)
    return KnownRun(run.out, progress, run.answers(ANSWER_S) if has_runner else None)


def _order(run: KnownRun) -> tuple[bool, bool, int]:
    progress = run.progress
    return progress.state.has_ended, progress.state is RunState.WAITING, progress.place or 0


def _document(run: KnownRun) -> dict[str, Any]:
    progress = run.progress
    started = None if progress.started_s is None else datetime.fromtimestamp(progress.started_s, UTC).isoformat()
    return {
        "results": str(run.out),
        "plate": progress.plate,
        "pipeline": progress.pipeline,
        "state": progress.state.value,
        "live": not progress.state.has_ended,
        "place": progress.place,
        "answers": run.answers,
        "started": started,
        "total": progress.total,
        "finished": progress.finished,
        "failed": progress.failed,
        "cancelled": progress.cancelled,
        "message": progress.message,
    }
