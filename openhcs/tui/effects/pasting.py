"""Paths pasted while nobody types: folders become plates, the file of a pipeline is loaded.

A terminal pastes the path of what is dropped on it, so this is drag and drop too.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from openhcs.tui import actions
from openhcs.tui.effects.pipeline import SUFFIXES, PipelineEffects
from openhcs.tui.effects.plate_list import PlateListEffects
from openhcs.tui.state import AppState
from openhcs.tui.utils.daemon_thread import in_daemon_thread
from openhcs.tui.workbench import Severity

__all__ = ["PastedPaths", "pasted_paths", "take_paste"]


@dataclass(frozen=True, slots=True)
class PastedPaths:
    """What a pasted text names and is there: folders, and the first file that may be a pipeline."""

    folders: tuple[Path, ...] = ()
    pipeline: Path | None = None


async def take_paste(text: str, plates: PlateListEffects, pipeline: PipelineEffects, state: AppState) -> None:
    """Add the folders whose paths are in `text` as plates; without any, load the pipeline whose file it names."""
    pasted = await in_daemon_thread(lambda: pasted_paths(text), "read what was pasted")
    if pasted.folders:
        await plates.add_folders(pasted.folders)
    elif pasted.pipeline is not None:
        if await pipeline.may_lose_changes("Load the pasted pipeline?"):
            await pipeline.load_file(pasted.pipeline)
    else:
        told = "What was pasted names no folder that is there, and no pipeline"
        state.dispatch(actions.MessageShown(told, Severity.WARNING))


def pasted_paths(text: str) -> PastedPaths:
    """What `text` names, a path a line, or several in a line as a shell has them; asks the disk.

    File managers give `file:` addresses, terminals quote what is dropped on them.
    """
    folders: dict[Path, None] = {}
    files: list[Path] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        for path in _paths_in(line):
            if path.is_dir():
                folders[path] = None
            elif path.suffix in SUFFIXES:
                files.append(path)
    return PastedPaths(tuple(folders), next(iter(files), None))


def _paths_in(line: str) -> list[Path]:
    """The paths that are there: the whole line as one, else those of its words."""
    whole = _existing(line)
    if whole is not None:
        return [whole]
    try:
        words = shlex.split(line)
    except ValueError:  # a quotation mark that is left open
        words = line.split()
    return [path for word in words if (path := _existing(word)) is not None]


def _existing(text: str) -> Path | None:
    address = unquote(urlsplit(text).path) if text.startswith("file:") else text
    try:
        path = Path(address).expanduser().absolute()
        return path if path.exists() else None
    except (OSError, RuntimeError, ValueError):
        return None
