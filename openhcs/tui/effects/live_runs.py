"""Runs that were not started by this workbench: by an earlier one, or by `openhcs run` elsewhere.

The engine is imported only where some run may be: a workbench that is opened for the first time need not wait for it.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Final

from openhcs.core import paths
from openhcs.core.remembered_runs import known_runs
from openhcs.core.turns import turns_here
from openhcs.errors import RunError, StoreError

if TYPE_CHECKING:
    from openhcs.core.orchestrator import Run
    from openhcs.core.worker_status import WorkerStatus

__all__ = ["find_last_runs", "find_live_runs_but", "find_workers", "remember_run"]

_DEFAULT_RESULTS: Final = Path("openhcs-results")


def find_last_runs() -> tuple[tuple[Path, Run], ...]:
    """The runs that go on and the last one of every other plate, each with its plate's folder, the newest first.

    Blocks, so call it off the event loop.

    Raises:
        SettingsError: the settings, which say where results are, are wrong.
    """
    if not (known_runs().all() or paths.settings_file().exists() or _DEFAULT_RESULTS.is_dir()):
        return ()
    from openhcs.core.config import load_settings
    from openhcs.core.known_runs import find_runs

    last: list[tuple[Path, Run]] = []
    seen: set[Path] = set()
    for run in find_runs(load_settings().results_folder):
        folder = run.plate_folder
        if folder is not None and (folder not in seen or not run.progress.state.has_ended):
            seen.add(folder)
            last.append((folder, run))
    return tuple(last)


def find_live_runs_but(followed: Collection[Path]) -> tuple[tuple[Path, Run], ...]:
    """The runs that go on or wait on this machine, of other plates than `followed`, each with its plate's folder.

    Blocks, so call it off the event loop. Where nothing can be learnt of a run, it is passed over.
    """
    try:
        tickets = [ticket for ticket in turns_here().look() if ticket.plate not in followed]
    except StoreError:  # told to whoever wants to wait for a turn
        return ()
    if not tickets:
        return ()
    from openhcs.core.orchestrator import Run

    live: list[tuple[Path, Run]] = []
    for ticket in tickets:
        try:
            run = Run.attach(ticket.out)
            progress = run.poll()
        except (RunError, StoreError, OSError):
            continue
        if not progress.state.has_ended:
            live.append((ticket.plate, run))
    return tuple(live)


def find_workers(out: Path) -> tuple[WorkerStatus, ...]:
    """What the workers of the run in `out` do now; none where its runner does not say. Blocks, for seconds at most."""
    from openhcs.core.orchestrator import Run

    try:
        return Run.attach(out).workers()
    except (RunError, StoreError):
        return ()


def remember_run(out: Path) -> None:
    """Remember the run in `out`, for `openhcs runs` and the next workbench."""
    known_runs().add(out)
