"""What one folder holds, in columns: a hundred thousand entries are a few lists and arrays, not as many objects.

Reading threads fill it; rows are counted in the order they were found, and `by_name` and `arranged` are orders of
these numbers. A column only grows, and a number in it is written once, so that the screen can be drawn from it at any
moment. `Entry` is made for the rows that are drawn. No prompt_toolkit here.
"""

from __future__ import annotations

import itertools
import stat
import unicodedata
from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from openhcs.tui.editors.folder_listing import FileLister, why_unreadable
from openhcs.tui.editors.natural_order import fold_all, in_order, natural_keys

__all__ = ["Entry", "FolderTable", "SortOrder", "fold"]


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
    """One entry of a folder. Size and time are None until they are read; `problem` says why they cannot be."""

    name: str
    is_folder: bool
    size: int | None = None
    modified_s: float | None = None
    problem: str | None = None
    is_link: bool = False


def fold(text: str) -> str:
    """`text` as it is compared when filtering: without case, and composed, as macOS stores names decomposed."""
    return (text if text.isascii() else unicodedata.normalize("NFKC", text)).casefold()


_UNKNOWN: Final = -1
_OPPOSITE: Final = bytes([1, 0, *range(2, 256)])

ROWS_AT_ONCE: Final = 16

MOST_URGENT: Final = 2000


class FolderTable:
    """The entries of `folder` as far as they are known.

    `by_name` holds the rows that `arrange` has seen, in the order of names. `links` are rows that lead elsewhere; they
    are files until their details tell otherwise.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.names: list[str] = []
        self.folded: list[str] = []
        self.links: set[int] = set()
        self.problems: dict[int, str] = {}
        self.by_name: list[int] = []
        self.folder_count = 0
        self.has_hidden = False
        self.urgent: deque[int] = deque(maxlen=MOST_URGENT)
        self.detailed = 0
        self.unresolved = 0
        self._folders = bytearray()
        self._asked = bytearray()
        self._sizes = array("q")
        self._times_s = array("d")
        self._sequence: Iterator[int] = iter(())

    def __len__(self) -> int:
        return len(self.names)

    def entry(self, row: int) -> Entry:
        """What is known of `row`."""
        size = self._sizes[row]
        known = size != _UNKNOWN
        is_folder = bool(self._folders[row])
        return Entry(
            self.names[row],
            is_folder,
            size if known and not is_folder else None,
            self._times_s[row] if known else None,
            self.problems.get(row),
            row in self.links,
        )

    def is_folder(self, row: int) -> bool:
        """Whether `row` is a folder, as far as is known."""
        return bool(self._folders[row])

    # In threads

    def take(self, found: Iterator[tuple[str, bool | None]], wanted: Callable[[], bool]) -> None:
        """Take in what `found` yields, until nobody wants it; raises what it raises, keeping what was found before."""
        names, folders, asked = self.names, self._folders, self._asked
        sizes, times_s = self._sizes, self._times_s
        for name, is_folder in found:
            if not wanted():
                return
            folders.append(is_folder is True)
            sizes.append(_UNKNOWN)
            times_s.append(0.0)
            asked.append(False)
            if is_folder is None:
                self.links.add(len(names))
                self.unresolved += 1
            names.append(name)  # last: the length of this column is how many rows there are

    def arrange(self) -> None:
        """Bring all rows there are now into the order of names, folders first."""
        names = self.names[:]
        folded = fold_all(names, fold)
        keys = natural_keys(folded)
        is_folder = bytes(self._folders[: len(names)])
        parts = [
            in_order(list(itertools.compress(range(len(names)), wanted)), keys.__getitem__)
            for wanted in (is_folder, is_folder.translate(_OPPOSITE))
        ]
        self.folded, self.has_hidden = folded, any(_holds_hidden(part, keys) for part in parts)
        self.folder_count, self.by_name = len(parts[0]), parts[0] + parts[1]

    def begin_details(self) -> None:
        """Let `read_details` begin: links first, since they may be folders, then all rows.

        In the order the disk told them: for it they lie near each other, which by name they do not.
        """
        self.urgent = deque(sorted(self.links), maxlen=MOST_URGENT)
        self._sequence = iter(range(len(self.names)))

    def read_details(self, disk: FileLister, wanted: Callable[[], bool]) -> None:
        """Read size and time of every row, those of `urgent` before others. Several threads may do this at once."""
        names, folders, sizes, times_s, asked = self.names, self._folders, self._sizes, self._times_s, self._asked
        links = self.links
        with disk.inside(self.folder) as status_of:
            while wanted() and (rows := self._next_rows()):
                for row in rows:
                    if asked[row]:
                        continue
                    asked[row] = True
                    try:
                        status = status_of(names[row])
                        times_s[row] = status.st_mtime
                        sizes[row] = status.st_size
                        if stat.S_ISDIR(status.st_mode):
                            folders[row] = True
                    except (OSError, ValueError) as error:
                        self.problems[row] = why_unreadable(error)
                    if links and row in links:
                        self.unresolved -= 1
                self.detailed += len(rows)

    def _next_rows(self) -> list[int]:
        """A few rows to read: urgent ones, then all, in the end those that a stuck reader has left."""
        rows: list[int] = []
        with suppress(IndexError):  # another reader has taken the last one
            while self.urgent and len(rows) < ROWS_AT_ONCE:
                rows.append(self.urgent.popleft())
        rows = rows or list(itertools.islice(self._sequence, ROWS_AT_ONCE))
        return rows or [row for row in range(len(self.names)) if not self._asked[row]]

    def arranged(self, order: SortOrder, backwards: bool = False) -> list[int]:
        """The rows of `by_name` in another order, folders first; equal ones by name."""
        cut = self.folder_count
        folders, files = self.by_name[:cut], self.by_name[cut:]
        if order is SortOrder.NAME:
            return [*reversed(folders), *reversed(files)] if backwards else [*folders, *files]
        if order is SortOrder.SIZE:  # what a folder weighs is not known without a walk through it
            return [*folders, *in_order(files, self._sizes.__getitem__, backwards=not backwards)]
        parts = (in_order(part, self._times_s.__getitem__, backwards=not backwards) for part in (folders, files))
        return [row for part in parts for row in part]

    # Quick enough for a key

    def matching(
        self,
        rows: Sequence[int],
        *,
        text: str = "",
        hidden: bool = True,
        files: bool = True,
        suffixes: Collection[str] = (),
    ) -> Sequence[int]:
        """Those of `rows` to show: names that hold `text`, files only of `suffixes` (".yaml") if any are given."""
        names, folded, folders = self.names, self.folded, self._folders
        wanted, endings = fold(text), tuple(suffix.casefold() for suffix in suffixes)
        if wanted:
            rows = [row for row in rows if wanted in folded[row]]
        if not hidden and self.has_hidden:
            rows = [row for row in rows if names[row][0] != "."]
        if not files:
            rows = [row for row in rows if folders[row]]
        elif endings:
            rows = [row for row in rows if folders[row] or folded[row].endswith(endings)]
        return rows


def _holds_hidden(ordered: Sequence[int], keys: Sequence[str]) -> bool:
    """Whether one of the rows, ordered by `keys`, is a dot name; they stand together."""
    at = bisect_left(ordered, ".", key=keys.__getitem__)
    return at < len(ordered) and keys[ordered[at]].startswith(".")
