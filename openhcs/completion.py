"""What a shell offers after Tab where a command takes a pipeline, a plate, a results folder or a function.

Where nothing is offered the shell completes file names, which it does better: it quotes them, and goes into folders.
So a name that would need quotes is never offered. A shell waits while it asks, and shows what is printed in the middle
of the line that is being typed: nothing here imports the science libraries, and what is broken offers nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Final

from openhcs.errors import OpenHCSError

__all__ = ["complete_function", "complete_live_run", "complete_pipeline", "complete_plate", "complete_run"]

FOLDERS_LOOKED_INTO: Final = 50
_PLAIN: Final = re.compile(r"[\w@%+=,./~-]+")


def complete_pipeline(incomplete: str) -> list[str]:
    """Pipelines that are shipped, saved, or files here."""
    from openhcs.core.config import load_settings
    from openhcs.core.pipeline_file import shipped_pipelines

    try:
        saved = load_settings().pipelines_folder
    except OpenHCSError:
        return _offered(shipped_pipelines(), incomplete)
    files = sorted(file.name for pattern in ("[!.]*.yaml", "[!.]*.yml") for file in Path().glob(pattern))
    return _offered([*shipped_pipelines(), *(file.stem for file in sorted(saved.glob("*.yaml"))), *files], incomplete)


def complete_plate(incomplete: str) -> list[str]:
    """Plates in this folder, and those opened last; once a path is begun, the shell goes on."""
    from openhcs.core.formats import detect_format
    from openhcs.core.remembered import load_remembered

    if incomplete:
        return []
    here = []
    for folder in islice((entry for entry in sorted(Path().iterdir()) if entry.is_dir()), FOLDERS_LOOKED_INTO):
        try:
            detect_format(folder)
        except OpenHCSError:
            continue
        here.append(str(folder))
    remembered = [str(plate) for plate in load_remembered().plates if plate.is_dir()]
    return _offered([*here, *remembered], incomplete)


def complete_run(incomplete: str) -> list[str]:
    """The results folders of runs that are known, those that go on first."""
    return _runs(incomplete, live_only=False)


def complete_live_run(incomplete: str) -> list[str]:
    """The results folders of runs that go on."""
    return _runs(incomplete, live_only=True)


def complete_function(incomplete: str) -> list[tuple[str, str]]:
    """Functions of the catalogue with what they do, which some shells show."""
    from openhcs.core.config import load_settings
    from openhcs.core.functions import catalogue

    try:
        functions = catalogue(load_settings().function_modules)
    except OpenHCSError:
        functions = catalogue()
    return [(name, functions[name].summary) for name in _offered(functions, incomplete)]


def _runs(incomplete: str, *, live_only: bool) -> list[str]:
    from openhcs.core.config import load_settings
    from openhcs.core.known_runs import find_runs

    try:
        runs = find_runs(load_settings().results_folder)
    except OpenHCSError:
        return []
    here = Path.cwd()
    live = sorted(runs, key=lambda run: run.progress.state.has_ended)
    folders = [run.out for run in live if not (live_only and run.progress.state.has_ended)]
    return _offered(
        (str(folder.relative_to(here) if folder.is_relative_to(here) else folder) for folder in folders), incomplete
    )


def _offered(names: Iterable[str], incomplete: str) -> list[str]:
    """The names that go on from what is typed, each once, without those that a shell would need in quotes."""
    return [name for name in dict.fromkeys(names) if name.startswith(incomplete) and _PLAIN.fullmatch(name)]
