"""The runs that can be found again: those that go on or wait for their turn here, those remembered, and those in the
folder where results go. The newest first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from openhcs.core.remembered_runs import known_runs
from openhcs.core.run import Run
from openhcs.core.turns import turns_here
from openhcs.errors import RunError, StoreError

__all__ = ["find_live_runs", "find_runs"]


def find_runs(results_folder: Path, at_most: int | None = None) -> tuple[Run, ...]:
    """The last run of each results folder that has a ticket, is remembered, or lies in `results_folder`; polled once.

    A folder that is gone, or on a disk that is not there now, is passed over. Of more than `at_most`, those with a
    ticket and the newest of the others are found.
    """
    here = _with_tickets()
    runs = sorted(_runs(here, results_folder), key=lambda run: run.key, reverse=True)
    shown = [run for number, run in enumerate(runs) if at_most is None or number < at_most or run.out in here]
    for run in shown:
        run.poll()
    return tuple(shown)


def find_live_runs(results_folder: Path) -> tuple[Run, ...]:
    """Those of `find_runs` that go on."""
    return tuple(run for run in find_runs(results_folder) if not run.progress.state.has_ended)


def _runs(here: Iterable[Path], results_folder: Path) -> Iterator[Run]:
    below = _results_in(results_folder)
    for out in dict.fromkeys(path.absolute() for path in (*here, *known_runs().all(), *below)):
        try:
            yield Run.attach(out)
        except (RunError, StoreError, OSError):
            continue


def _results_in(folder: Path) -> tuple[Path, ...]:
    try:
        return tuple(marker.parent for marker in folder.glob("*/*/openhcs.json"))
    except OSError:  # told to whoever wants to write there: the setting may be no name that a folder can have
        return ()


def _with_tickets() -> tuple[Path, ...]:
    try:
        return tuple(ticket.out for ticket in turns_here().look())
    except StoreError:  # told to whoever wants to wait for a turn
        return ()
