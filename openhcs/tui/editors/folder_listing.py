"""What a folder holds, as rows: reading, sorting, filtering, and how size and time are written.

All of it runs in a thread except `matching`, which is quick enough for a key press on 100,000 entries. The disk is
behind `FileLister`, so that a remote file system or a test can stand in for it. No prompt_toolkit here.
"""

from __future__ import annotations

import itertools
import os
import re
import stat
import time
import unicodedata
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Final, Protocol

__all__ = [
    "Entry",
    "FileLister",
    "LocalDisk",
    "SortOrder",
    "arranged",
    "fold",
    "matching",
    "read_folder",
    "size_text",
    "time_text",
    "with_details",
]


class FileLister(Protocol):
    """The calls a browser makes to a file system. They may block; the browser makes them in a thread."""

    def scan(self, folder: Path) -> Iterator[tuple[str, bool]]:
        """Name and "is it a folder" of each entry, in any order; raises OSError."""

    def stat(self, path: Path) -> os.stat_result:
        """Kind, size and time of what `path` leads to; raises OSError."""


class LocalDisk:
    """The file systems of this machine."""

    def scan(self, folder: Path) -> Iterator[tuple[str, bool]]:
        with os.scandir(folder) as entries:
            for entry in entries:
                try:
                    is_folder = entry.is_dir()
                except OSError:  # a link into a place we may not enter
                    is_folder = False
                yield entry.name, is_folder

    def stat(self, path: Path) -> os.stat_result:
        return path.stat()


class SortOrder(Enum):
    """How entries are ordered; folders come first in each."""

    NAME = "name"
    MODIFIED = "newest"
    SIZE = "largest"

    def next(self) -> SortOrder:
        """The order after this one, round and round."""
        orders = list(SortOrder)
        return orders[(orders.index(self) + 1) % len(orders)]


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a folder. Size and time are None until they are read, and where they cannot be."""

    name: str
    is_folder: bool
    folded: str
    sort_key: str
    size: int | None = None
    modified_s: float | None = None


_DIGITS: Final = re.compile(r"\d+")


def fold(text: str) -> str:
    """`text` as it is compared when filtering: without case, and composed, as macOS stores names decomposed."""
    return (text if text.isascii() else unicodedata.normalize("NFKC", text)).casefold()


def _entry(name: str, is_folder: bool) -> Entry:
    folded = fold(name)
    # Numbers padded, so that site 2 comes before site 10 with plain string comparison.
    return Entry(name, is_folder, folded, _DIGITS.sub(lambda match: match[0].zfill(12), folded))


def read_folder(lister: FileLister, folder: Path, still_wanted: Callable[[], bool]) -> list[Entry]:
    """The entries of `folder` by name, without details; raises OSError. Stops early when nobody wants them."""
    found = itertools.takewhile(lambda _: still_wanted(), lister.scan(folder))
    return arranged([_entry(name, is_folder) for name, is_folder in found], SortOrder.NAME)


def with_details(lister: FileLister, folder: Path, entry: Entry) -> Entry:
    """`entry` with its size and time, or as it is where they cannot be read."""
    try:
        details = lister.stat(folder / entry.name)
    except (OSError, ValueError):
        return entry
    size = None if stat.S_ISDIR(details.st_mode) else details.st_size
    return replace(entry, size=size, modified_s=details.st_mtime)


def arranged(entries: Sequence[Entry], order: SortOrder) -> list[Entry]:
    """`entries` in `order`, folders first, equal ones by name."""
    rows = sorted(entries, key=lambda entry: entry.sort_key)
    if order is SortOrder.MODIFIED:
        rows.sort(key=lambda entry: -(entry.modified_s or 0.0))
    elif order is SortOrder.SIZE:
        rows.sort(key=lambda entry: -(entry.size or 0))
    rows.sort(key=lambda entry: not entry.is_folder)
    return rows


def matching(
    entries: Sequence[Entry],
    *,
    text: str = "",
    hidden: bool = False,
    files: bool = True,
    suffixes: Collection[str] = (),
) -> list[Entry]:
    """The entries to show: names that hold `text`, files only of `suffixes` (".yaml") if any are given."""
    wanted = fold(text)
    endings = tuple(suffix.casefold() for suffix in suffixes)
    return [
        entry
        for entry in entries
        if wanted in entry.folded
        and (hidden or not entry.name.startswith("."))
        and (entry.is_folder or (files and (not endings or entry.folded.endswith(endings))))
    ]


def size_text(size: int | None) -> str:
    """A file size in at most 7 characters: `812 B`, `4.2 MB`."""
    if size is None:
        return ""
    if size < 1000:
        return f"{size} B"
    value = float(size)
    for unit in ("kB", "MB", "GB", "TB", "PB"):
        value /= 1000
        if value < 999.5:
            return f"{value:.1f} {unit}" if value < 9.95 else f"{value:.0f} {unit}"
    return "huge"


def time_text(modified_s: float | None) -> str:
    """A time on this machine's clock, to the minute: `2024-05-03 14:22`."""
    if modified_s is None:
        return ""
    try:
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(modified_s))
    except (OverflowError, ValueError, OSError):
        return "?"
