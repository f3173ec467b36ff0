"""The runs that can be found again: those remembered, and those in the folder where results go. The newest first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from openhcs.core.remembered_runs import known_runs
from openhcs.core.run import Run
from openhcs.errors import RunError, StoreError

__all__ = ["find_live_runs", "find_runs"]


def find_runs(results_folder: Path, at_most: int | None = None) -> tuple[Run, ...]:
    """The last run of each results folder that is remembered, or lies in `results_folder`; polled once.

    A folder that is gone, or on a disk that is not there now, is passed over.
    """
    runs = sorted(_runs(results_folder), key=lambda run: run.key, reverse=True)[:at_most]
    for run in runs:
        run.poll()
    return tuple(runs)


def find_live_runs(results_folder: Path) -> tuple[Run, ...]:
    """Those of `find_runs` that go on."""
    return tuple(run for run in find_runs(results_folder) if not run.progress.state.has_ended)


def _runs(results_folder: Path) -> Iterator[Run]:
    below = (marker.parent for marker in results_folder.glob("*/*/openhcs.json"))
    for out in dict.fromkeys(path.absolute() for path in (*known_runs().all(), *below)):
        try:
            yield Run.attach(out)
        except (RunError, StoreError, OSError):
            continue
