"""Listing a microscope's folder: which files lie where, without following links in circles and without writing.

The order is the same on every system. What cannot be listed below the top folder is told, not raised: one unreadable
folder must not hide the rest of a plate. Standard library only; the formats import this.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from openhcs.errors import PlateError

__all__ = ["Listing", "holds_file", "list_folder", "walk_folder"]


@dataclass(frozen=True, slots=True)
class Listing:
    """The visible files and folders in one folder; `path` is relative to the top folder, "" for the top itself.

    `links` are the names among them that are symbolic links.
    """

    path: str
    files: tuple[str, ...]
    folders: tuple[str, ...]
    links: frozenset[str] = frozenset()

    def below(self, name: str) -> str:
        """The path of `name` in this folder, relative to the top folder."""
        return f"{self.path}/{name}" if self.path else name


def list_folder(folder: Path, path: str = "") -> Listing:
    """The visible files and folders in `folder`; raises `PlateError` when it cannot be listed."""
    files: list[str] = []
    folders: list[str] = []
    links: set[str] = set()
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.name.startswith("."):
                    (folders if _is_folder(entry) else files).append(entry.name)
                    if entry.is_symlink():
                        links.add(entry.name)
    except FileNotFoundError as error:
        raise PlateError(f"folder not found: {folder}; expected a plate's folder. Check the path.") from error
    except NotADirectoryError as error:
        raise PlateError(f"not a folder: {folder}; expected a plate's folder. Choose the folder it lies in.") from error
    except OSError as error:
        raise PlateError(
            f"folder cannot be listed: {folder}; expected a folder you may read, got {error.strerror}. "
            "Check its permissions and the disk it is on."
        ) from error
    return Listing(path, tuple(sorted(files)), tuple(sorted(folders)), frozenset(links))


def holds_file(folder: Path, name: str) -> bool:
    """Whether there is a file of that name, hidden ones too; not in a folder that may not be looked into."""
    return os.path.isfile(folder / name)  # noqa: PTH113 - the method of a path raises for such a folder


def walk_folder(
    top: Path, enter: Callable[[str], bool], tell: Callable[[str], None] = lambda message: None
) -> Iterator[Listing]:
    """Every folder from `top` down, parents first.

    Args:
        enter: whether to look into a folder of this name; what it refuses is never listed.
        tell: called with one sentence for each folder below `top` that was left out.

    Raises:
        PlateError: `top` itself cannot be listed.
    """
    seen: set[tuple[int, int]] = set()
    pending = [""]
    while pending:
        path = pending.pop()
        try:
            listing = list_folder(top / path, path)
            identity = _identity(top / path)
        except (OSError, PlateError) as error:
            if not path:
                raise
            cause = error.__cause__ if isinstance(error, PlateError) else error
            tell(f"folder {path} left out: {cause.strerror if isinstance(cause, OSError) else cause}")
            continue
        if identity in seen:
            tell(f"folder {path} left out: it is a link to a folder already read")
            continue
        seen.add(identity)
        yield listing
        pending.extend(listing.below(name) for name in reversed(listing.folders) if enter(name))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        # A link that leads to itself: take it by its name's word, so that listing it tells what is wrong.
        return True


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino
