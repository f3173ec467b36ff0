"""What a file browser shows of one folder: its entries in order, filtered, one of them highlighted, some marked.

A plain state without threads or widgets: the browser fills it and draws from it. The highlight follows its entry by
name, so that a filter, another order or late details do not move it to something else.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import Enum, auto
from pathlib import Path
from typing import Final

from openhcs.tui.editors.folder_listing import Entry, SortOrder, matching

__all__ = ["HERE", "PARENT", "FolderView", "SelectionMode"]


class SelectionMode(Enum):
    """What a file browser lets its user choose."""

    FILES_ONLY = auto()
    DIRECTORIES_ONLY = auto()
    BOTH = auto()


PARENT: Final = Entry("..", True, "..", "")
"""The row that leads to the folder above."""
HERE: Final = Entry(".", True, ".", "")
"""The row that stands for the folder shown."""


class FolderView:
    """The rows of one folder at a time; `open` goes to another."""

    def __init__(self, mode: SelectionMode, *, suffixes: Collection[str] = (), hidden: bool = False) -> None:
        self.mode = mode
        self.offers_here = mode is not SelectionMode.FILES_ONLY
        self.suffixes = tuple(suffixes)
        self.hidden = hidden
        self.order = SortOrder.NAME
        self.folder = Path("/")
        self.text = ""
        self.reading = False
        self.problem: str | None = None
        self.shown: list[Entry] = []
        self.index = 0
        self.folder_count = 0
        self.file_count = 0
        self.marks: dict[Path, Entry] = {}
        self._entries: Sequence[Entry] = ()
        self._wanted: str | None = None
        self._left_at: dict[Path, str] = {}

    def open(self, folder: Path, highlight: str | None = None) -> None:
        """Go to `folder`, empty until `fill`; highlight the entry named so, or the one that was when it was left."""
        if self.highlighted is not None:
            self._left_at[self.folder] = self.highlighted.name
        self.folder = folder
        self.text = ""
        self.problem = None
        self.reading = True
        self._entries = ()
        self._wanted = highlight or self._left_at.get(folder)
        self.refresh()

    def fill(self, entries: Sequence[Entry]) -> None:
        """Show these entries, given in the order wanted."""
        self._entries = entries
        self.folder_count = sum(entry.is_folder for entry in entries)
        self.file_count = len(entries) - self.folder_count
        self.reading = False
        self.refresh()

    def fail(self, problem: str) -> None:
        """Show `problem` where the entries would be."""
        self.problem = problem
        self.fill(())

    def refresh(self) -> None:
        """Make `shown` anew after a change of entries, filter or options; the highlight keeps its entry."""
        if self._wanted is None and self.highlighted is not None:
            self._wanted = self.highlighted.name
        found = matching(
            self._entries,
            text=self.text,
            hidden=self.hidden,
            files=self.mode is not SelectionMode.DIRECTORIES_ONLY,
            suffixes=self.suffixes,
        )
        special: list[Entry] = []
        if not self.text and not self.reading:
            special = [PARENT] if self.folder.parent != self.folder else []
            special += [HERE] if self.offers_here and self.problem is None else []
        self.shown = special + found
        wanted = next((i for i, entry in enumerate(self.shown) if entry.name == self._wanted), None)
        self.index = self._first_choice() if wanted is None else wanted
        if not self.reading:
            self._wanted = None

    def _first_choice(self) -> int:
        """The row to start on: this folder where it can be chosen, else the first entry."""
        return next((i for i, entry in enumerate(self.shown) if entry is not PARENT), 0)

    def filter(self, text: str) -> None:
        """Show only names that hold `text`; the best match is highlighted."""
        self.text = text
        self._wanted = None
        keep = self.highlighted
        self.refresh()
        if text and keep in (PARENT, HERE):
            self.index = 0

    @property
    def highlighted(self) -> Entry | None:
        """The highlighted entry, `PARENT` and `HERE` among them; None in an empty list."""
        return self.shown[min(self.index, len(self.shown) - 1)] if self.shown else None

    def path(self, entry: Entry) -> Path:
        """Where `entry` is."""
        if entry is PARENT:
            return self.folder.parent
        return self.folder if entry is HERE else self.folder / entry.name

    def can_choose(self, entry: Entry) -> bool:
        """Whether the mode allows to choose `entry`."""
        if entry is PARENT:
            return False
        return self.mode is SelectionMode.BOTH or entry.is_folder is (self.mode is SelectionMode.DIRECTORIES_ONLY)

    def toggle_mark(self, entry: Entry) -> None:
        """Mark `entry`, or take its mark away. Marks stay when another folder is opened."""
        path = self.path(entry)
        if self.marks.pop(path, None) is None:
            self.marks[path] = entry

    def toggle_all_marks(self) -> None:
        """Mark all rows shown that can be chosen; where all of them are marked, take their marks away."""
        rows = {self.path(entry): entry for entry in self.shown if entry is not HERE and self.can_choose(entry)}
        if rows.keys() <= self.marks.keys():
            self.marks = {path: entry for path, entry in self.marks.items() if path not in rows}
        else:
            self.marks.update(rows)

    def chosen(self) -> list[Path]:
        """What "select" would take now: the marked paths, else the highlighted one, else nothing."""
        if self.marks:
            return list(self.marks)
        entry = self.highlighted
        return [self.path(entry)] if entry is not None and self.can_choose(entry) else []

    def entry(self, name: str) -> Entry | None:
        """The entry of this folder called `name`, shown or not."""
        return next((entry for entry in self._entries if entry.name == name), None)
