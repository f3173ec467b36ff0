"""Runs that go on and were not started by this workbench: by an earlier one, or by `openhcs run` elsewhere.

The engine is imported only where some run may be: a workbench that is opened for the first time need not wait for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from openhcs.core import paths
from openhcs.core.remembered_runs import known_runs

if TYPE_CHECKING:
    from openhcs.core.orchestrator import Run

__all__ = ["find_live_runs", "remember_run"]

_DEFAULT_RESULTS: Final = Path("openhcs-results")


def find_live_runs() -> tuple[tuple[Path, Run], ...]:
    """Each run that goes on with its plate's folder, the newest first; blocks, so call it off the event loop.

    Raises:
        SettingsError: the settings, which say where results are, are wrong.
    """
    if not (known_runs().all() or paths.settings_file().exists() or _DEFAULT_RESULTS.is_dir()):
        return ()
    from openhcs.core.config import load_settings
    from openhcs.core.known_runs import find_live_runs as find

    runs = find(load_settings().results_folder)
    return tuple((folder, run) for run in runs if (folder := run.plate_folder) is not None)


def remember_run(out: Path) -> None:
    """Remember the run in `out`, for `openhcs runs` and the next workbench."""
    known_runs().add(out)
