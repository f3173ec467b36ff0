"""Fills a `FolderView` from a disk, in daemon threads, without ever making a key wait.

Opening another folder makes every answer for an earlier one worthless; such an answer is dropped, and its thread
stops at the next entry. What a slow disk has told so far is shown, sizes and times follow, those on the screen first.
An entry that does not answer holds up nothing but itself.
Checked by tests/tui/editors/test_folder_reader.py.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from openhcs.tui.editors.folder_listing import FileLister
from openhcs.tui.editors.folder_table import FolderTable, SortOrder
from openhcs.tui.editors.folder_view import FolderView
from openhcs.tui.ports import TaskSpawner
from openhcs.tui.utils.daemon_thread import begin_in_daemon_thread, in_daemon_thread
from openhcs.tui.utils.safe_text import visible

__all__ = ["FolderReader", "absolute"]

FIRST_LOOK_S: Final = 0.25
LATER_LOOK_S: Final = 2.0
LOOK_ROWS_A_SECOND: Final = 50_000
"""After the first pause what has been found so far is put in order and shown; then after each of the later ones. Not
where there is so much of it that this would take a tenth of the time: such a disk is quick, and all but done."""

DETAILS_LOOK_S: Final = 0.25
STALLED_S: Final = 1.0
DETAIL_READERS: Final = 4
"""Where the reader of sizes is stuck at an entry for so long, another goes on behind it, up to so many in all."""

ON_SCREEN: Final = 120
"""Rows around the highlight whose sizes are read first."""


def absolute(path: Path) -> Path:
    """`path` made absolute, with `~` and `..` worked out on the text alone: links are kept, the disk is not asked."""
    return Path(os.path.abspath(os.path.expanduser(path)))  # noqa: PTH100, PTH111  their Path twins raise or follow


class FolderReader:
    """Reads folders into `view`. `on_change` runs when there is something new to draw, `tell` gets a remark."""

    def __init__(
        self,
        view: FolderView,
        disk: FileLister,
        *,
        tasks: TaskSpawner,
        on_change: Callable[[], None],
        tell: Callable[[str], None],
    ) -> None:
        self._view = view
        self._disk = disk
        self._tasks = tasks
        self._on_change = on_change
        self._tell = tell
        self._generation = 0
        self._behind: list[Path] = []
        self._ahead: list[Path] = []

    def open(self, folder: Path, highlight: str | None = None, *, climb: bool = False) -> None:
        """Go to `folder` and highlight an entry; `climb` takes the nearest folder above where it is not one."""
        if self._generation and absolute(folder) != self._view.folder:
            self._behind.append(self._view.folder)
            self._ahead.clear()
        self._open(folder, highlight, climb)

    @property
    def can_go_back(self) -> bool:
        """Whether there is a folder that was shown before this one."""
        return bool(self._behind)

    @property
    def can_go_forward(self) -> bool:
        """Whether `back` has left a folder."""
        return bool(self._ahead)

    def back(self) -> None:
        """Open the folder that was shown before this one."""
        if self._behind:
            self._ahead.append(self._view.folder)
            self._open(self._behind.pop())

    def forward(self) -> None:
        """Open the folder that `back` has left."""
        if self._ahead:
            self._behind.append(self._view.folder)
            self._open(self._ahead.pop())

    def _open(self, folder: Path, highlight: str | None = None, climb: bool = False) -> None:
        self._generation += 1
        table = FolderTable(absolute(folder))
        self._view.open(table, highlight)
        reading = self._read(table, self._generation, climb)
        self._tasks.fire_and_forget(reading, f"list {visible(str(table.folder), 80)}")

    def up(self) -> None:
        """Open the folder above, with the one left highlighted in it."""
        folder = self._view.folder
        if folder.parent != folder:
            self.open(folder.parent, folder.name)

    def reread(self) -> None:
        """Read the folder again; highlight, filter and marks stay."""
        view = self._view
        entry, text = view.highlighted, view.text
        self._open(view.folder, entry.name if entry is not None else None)
        if text:
            view.filter(text, entry.name if entry is not None else None)

    def stop(self) -> None:
        """Drop every answer that is still to come; what has been shown stays."""
        self._generation += 1
        view = self._view
        if view.reading:
            view.remark = f"Reading stopped at {len(view.table.by_name):,} entries. F5 begins anew."
            view.finish()

    def set_order(self, order: SortOrder, backwards: bool = False) -> None:
        """Show the entries in `order`, and again as soon as all details are known."""
        view = self._view
        view.order, view.backwards = order, backwards
        self._tasks.fire_and_forget(self._show(view.table), f"sort by {order.value}")

    def look_around(self) -> None:
        """The highlight has moved: read the sizes around it first."""
        table = self._view.table
        if table.detailed < len(table):
            table.urgent.extendleft(reversed(self._view.around(ON_SCREEN)))

    async def _read(self, table: FolderTable, generation: int, climb: bool) -> None:
        def wanted() -> bool:
            return generation == self._generation

        disk, view = self._disk, self._view
        started_s = time.monotonic()
        scan = lambda: table.take(disk.scan(table.folder), wanted)  # noqa: E731  a def would say no more
        pause_s, seen = FIRST_LOOK_S, 0
        with _begun(scan, "list folder") as scanning:
            while not await _is_done(scanning, pause_s):
                if not wanted():
                    return
                view.waited_s = time.monotonic() - started_s
                if seen < len(table) <= LOOK_ROWS_A_SECOND * view.waited_s:
                    seen, pause_s = len(table), LATER_LOOK_S
                    await self._arrange(table, wanted)
                self._on_change()
            if not wanted():
                return
            error = scanning.exception()
        if isinstance(error, OSError | ValueError):
            if not len(table):
                self._not_readable(error, climb)
                return
            view.remark = f"Not all of it could be read: {visible(_reason(error))}. F5 tries again."
        elif error is not None:
            raise error
        await self._arrange(table, wanted)
        if wanted():
            view.finish()
            self._on_change()
            await self._read_details(table, wanted)

    async def _arrange(self, table: FolderTable, wanted: Callable[[], bool]) -> None:
        await in_daemon_thread(table.arrange, "arrange folder")
        if wanted():
            await self._show(table)

    async def _read_details(self, table: FolderTable, wanted: Callable[[], bool]) -> None:
        table.begin_details()
        self.look_around()
        readers = [self._details_reader(table, wanted)]
        links, moved, moved_s = table.unresolved, 0, time.monotonic()
        try:
            while not all(reader.done() for reader in readers):
                await asyncio.wait(readers, timeout=DETAILS_LOOK_S, return_when=asyncio.FIRST_COMPLETED)
                if not wanted():
                    return
                if links and not table.unresolved:  # those that are folders belong among the folders
                    links = 0
                    await self._arrange(table, wanted)
                if table.detailed != moved:
                    moved, moved_s = table.detailed, time.monotonic()
                    self._on_change()
                elif time.monotonic() - moved_s > STALLED_S and len(readers) < DETAIL_READERS:
                    readers.append(self._details_reader(table, wanted))
                    moved_s = time.monotonic()
        finally:
            for reader in readers:
                reader.cancel()
        if links or self._view.order is not SortOrder.NAME:
            await self._arrange(table, wanted)
        self._on_change()

    def _details_reader(self, table: FolderTable, wanted: Callable[[], bool]) -> asyncio.Future[None]:
        def read() -> None:
            with suppress(OSError):  # the folder has gone since it was listed, which reading it again will tell
                table.read_details(self._disk, wanted)

        return begin_in_daemon_thread(read, "read details")

    async def _show(self, table: FolderTable) -> None:
        view = self._view
        order, backwards = view.order, view.backwards
        if order is SortOrder.NAME and not backwards:
            rows = table.by_name
        else:
            rows = await in_daemon_thread(lambda: table.arranged(order, backwards), "sort")
        if table is view.table and (order, backwards) == (view.order, view.backwards):
            view.fill(rows)
            self._on_change()

    def _not_readable(self, error: OSError | ValueError, climb: bool) -> None:
        folder = self._view.folder
        if climb and isinstance(error, FileNotFoundError | NotADirectoryError) and folder.parent != folder:
            if isinstance(error, FileNotFoundError):
                self._tell(f"{visible(folder.name)} does not exist; this is the nearest folder above it")
            self._open(folder.parent, folder.name, climb=True)
            return
        self._view.fail(f"Cannot read this folder: {visible(_reason(error))}. Left goes to the folder above.")
        self._on_change()


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


@contextmanager
def _begun(work: Callable[[], None], name: str) -> Iterator[asyncio.Future[None]]:
    """`work` in a thread; leaving before its end leaves the thread alone, and what it raises to nobody."""
    future = begin_in_daemon_thread(work, name)
    try:
        yield future
    finally:
        if not future.cancel():
            future.exception()


async def _is_done(future: asyncio.Future[Any], patience_s: float) -> bool:
    await asyncio.wait([future], timeout=patience_s)
    return future.done()
