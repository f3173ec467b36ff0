"""What a file browser shows of one folder: its entries in order, filtered, one of them highlighted, some marked.

A plain state without threads or widgets: the browser fills it and draws from it. The highlight follows its entry by
name, so that a filter, another order or names found late do not move it to something else.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from enum import Enum, auto
from pathlib import Path
from typing import Final, overload

from openhcs.tui.editors.folder_marks import Marks
from openhcs.tui.editors.folder_table import Entry, FolderTable, SortOrder, fold

__all__ = ["HERE", "PARENT", "FolderView", "Rows", "SelectionMode"]


class SelectionMode(Enum):
    """What a file browser lets its user choose."""

    FILES_ONLY = auto()
    DIRECTORIES_ONLY = auto()
    BOTH = auto()


PARENT: Final = Entry("..", True)
"""The row that leads to the folder above."""
HERE: Final = Entry(".", True)
"""The row that stands for the folder shown."""


class Rows(Sequence[Entry]):
    """The rows of a list: the special ones, then rows of a table, each made an `Entry` when it is asked for."""

    def __init__(self, special: Sequence[Entry], table: FolderTable, rows: Sequence[int]) -> None:
        self.special = special
        self.rows = rows
        self._table = table

    def __len__(self) -> int:
        return len(self.special) + len(self.rows)

    @overload
    def __getitem__(self, index: int) -> Entry: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Entry]: ...
    def __getitem__(self, index: int | slice) -> Entry | Sequence[Entry]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if index < 0:
            index += len(self)
        if index < len(self.special):
            return self.special[index]
        return self._table.entry(self.rows[index - len(self.special)])

    def index_of(self, name: str) -> int | None:
        """Where the entry called `name` is."""
        for i, entry in enumerate(self.special):
            if entry.name == name:
                return i
        try:
            # Both are searched in C; that is why names are not looked up row by row.
            return len(self.special) + self.rows.index(self._table.names.index(name))
        except ValueError:
            return None


class FolderView:
    """The rows of one folder at a time; `open` goes to another."""

    def __init__(self, mode: SelectionMode, *, suffixes: Collection[str] = (), hidden: bool = False) -> None:
        self.mode = mode
        self.offers_here = mode is not SelectionMode.FILES_ONLY
        self.suffixes = tuple(suffixes)
        self.hidden = hidden
        self.order = SortOrder.NAME
        self.backwards = False
        self.text = ""
        self.reading = False
        self.waited_s = 0.0
        self.problem: str | None = None
        self.remark: str | None = None
        self.marks = Marks()
        self.table = FolderTable(Path("/"))
        self.shown = Rows((), self.table, ())
        self.index = 0
        self._ordered: Sequence[int] = ()
        self._found: tuple[str, Sequence[int]] | None = None
        self._wanted: str | None = None
        self._moved = False
        self._left_at: dict[Path, str] = {}
        self._anchor: int | None = None
        self._last_marked: str | None = None
        self._before_range: frozenset[str] = frozenset()

    @property
    def folder(self) -> Path:
        """The folder shown."""
        return self.table.folder

    def open(self, table: FolderTable, highlight: str | None = None) -> None:
        """Go to the folder of `table`; highlight the entry named so, or the one that was when it was left."""
        if self.highlighted is not None:
            self._left_at[self.folder] = self.highlighted.name
        self.table = table
        self.text = ""
        self.problem = self.remark = None
        self.reading, self.waited_s = True, 0.0
        self._ordered = ()
        self._wanted = highlight or self._left_at.get(table.folder)
        self._moved = False
        self._last_marked = None
        self._refresh_all()

    def fill(self, rows: Sequence[int]) -> None:
        """Show these rows of the table, given in the order wanted."""
        self._ordered = rows
        self._refresh_all()

    def finish(self) -> None:
        """No more rows will come."""
        self.reading = False
        self._refresh_all()
        self._moved = True

    def fail(self, problem: str) -> None:
        """Show `problem` where the entries would be."""
        self.problem = problem
        self.finish()

    @property
    def counts(self) -> tuple[int, int]:
        """Folders and files in the folder, as far as they are known, whether shown or not."""
        folders = self.table.folder_count
        return folders, len(self.table.by_name) - folders

    def set_hidden(self, hidden: bool) -> None:
        """Show names that begin with a dot, or not."""
        self.hidden = hidden
        self._refresh_all()

    def filter(self, text: str, highlight: str | None = None) -> None:
        """Show only names that hold `text`; the entry called `highlight`, or else the one that was, is highlighted."""
        special = highlight is None and self.highlighted in (PARENT, HERE)
        self.text = text
        self._wanted, self._moved = highlight, True
        self._refresh()
        if text and special:
            self.index = 0

    def _refresh_all(self) -> None:
        self._found = None
        self._refresh()

    def _refresh(self) -> None:
        """Make `shown` anew; the highlight keeps its entry."""
        if self._wanted is None and self._moved and self.highlighted is not None:
            self._wanted = self.highlighted.name
        special: list[Entry] = []
        if not self.text and (self._ordered or not self.reading):
            special = [PARENT] if self.folder.parent != self.folder else []
            special += [HERE] if self.offers_here and self.problem is None else []
        self.shown = Rows(special, self.table, self._matching())
        self._anchor = None
        wanted = None if self._wanted is None else self.shown.index_of(self._wanted)
        self.index = self._first_choice() if wanted is None else wanted
        if not self.reading or wanted is not None:
            self._moved = self._moved or wanted is not None
            self._wanted = None

    def _matching(self) -> Sequence[int]:
        """The rows to show. A longer filter is looked for in what the shorter one has found."""
        text = fold(self.text)
        if self._found is not None and text.startswith(self._found[0]):
            rows = self.table.matching(self._found[1], text=self.text)
        else:
            rows = self.table.matching(
                self._ordered,
                text=self.text,
                hidden=self.hidden,
                files=self.mode is not SelectionMode.DIRECTORIES_ONLY,
                suffixes=self.suffixes,
            )
        self._found = text, rows
        return rows

    def _first_choice(self) -> int:
        """The row to start on: this folder where it can be chosen, else the first entry."""
        return next((i for i, entry in enumerate(self.shown[:3]) if entry is not PARENT), 0)

    @property
    def highlighted(self) -> Entry | None:
        """The highlighted entry, `PARENT` and `HERE` among them; None in an empty list."""
        return self.shown[min(self.index, len(self.shown) - 1)] if self.shown else None

    def highlight(self, index: int) -> None:
        """Highlight the row at `index`; a range that was being marked ends."""
        self.index = index
        self._anchor = None
        self._wanted, self._moved = None, True

    def around(self, count: int) -> list[int]:
        """The rows of the table near the highlight, nearest first, at most `count`: about what is on the screen."""
        rows, at = self.shown.rows, self.index - len(self.shown.special)
        below = range(max(0, at), min(len(rows), at + count))
        above = range(min(len(rows), at) - 1, max(-1, at - count), -1)
        pairs = itertools.zip_longest(below, above)
        return [rows[i] for pair in pairs for i in pair if i is not None][:count]

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

    # Marks

    def is_marked(self, entry: Entry) -> bool:
        """Whether `entry` has a mark. The folder shown has the same as where it is a row of the folder above."""
        if entry is HERE:
            return self.marks.has(self.folder.parent, self.folder.name)
        return entry is not PARENT and self.marks.has(self.folder, entry.name)

    def toggle_mark(self, entry: Entry) -> None:
        """Mark `entry`, or take its mark away. Marks stay when another folder is opened."""
        self._last_marked = entry.name
        if entry is HERE:
            self.marks.toggle(self.folder.parent, self.folder.name)
        else:
            self.marks.toggle(self.folder, entry.name)

    def mark_all(self) -> None:
        """Mark all rows shown that can be chosen; where all of them are marked, take their marks away."""
        names = self._choosable(self.shown.rows)
        if self.marks.all_of(self.folder, names):
            self.marks.remove(self.folder, names)
        else:
            self.marks.add(self.folder, names)

    def invert_marks(self) -> None:
        """Mark the rows shown that are not marked, and only those."""
        self.marks.invert(self.folder, self._choosable(self.shown.rows))

    def mark_range(self, index: int) -> None:
        """Go to the row at `index`, and mark all rows from where such a range began."""
        index = max(0, min(index, len(self.shown) - 1))
        if self._anchor is None:
            self._anchor, self._before_range = self.index, self.marks.of(self.folder)
        first, last = sorted((self._anchor, index))
        special = len(self.shown.special)
        names = self._choosable(self.shown.rows[max(0, first - special) : max(0, last + 1 - special)])
        self.marks.keep(self.folder, self._before_range)
        self.marks.add(self.folder, names)
        self.index = index
        self._wanted, self._moved = None, True

    def mark_through(self) -> bool:
        """Mark all rows from the one marked last to the highlight; False where none has been, or it is not shown."""
        first = None if self._last_marked is None else self.shown.index_of(self._last_marked)
        if first is None:
            return False
        self._anchor, self._before_range = first, self.marks.of(self.folder)
        self.mark_range(self.index)
        self._anchor = None
        return True

    def _choosable(self, rows: Sequence[int]) -> list[str]:
        names, is_folder = self.table.names, self.table.is_folder
        if self.mode is SelectionMode.BOTH:
            return [names[row] for row in rows]
        folders = self.mode is SelectionMode.DIRECTORIES_ONLY
        return [names[row] for row in rows if is_folder(row) is folders]

    def chosen(self, at_most: int | None = None) -> list[Path]:
        """What "select" would take now: the marked paths, else the highlighted one, else nothing."""
        if self.marks:
            return list(self.marks) if at_most is None else self.marks.some(at_most)
        entry = self.highlighted
        return [self.path(entry)] if entry is not None and self.can_choose(entry) else []
