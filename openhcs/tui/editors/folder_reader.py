"""Fills a `FolderView` from a disk, in daemon threads, without ever making a key wait.

Opening another folder makes every answer for an earlier one worthless; such an answer is dropped, and its thread
stops at the next entry. Names are shown as soon as they are known, sizes and times follow in parts.
Checked by tests/tui/editors/test_folder_reader.py.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from openhcs.tui.editors.folder_listing import Entry, FileLister, SortOrder, arranged, read_folder, with_details
from openhcs.tui.editors.folder_view import PARENT, FolderView
from openhcs.tui.ports import TaskSpawner
from openhcs.tui.utils.daemon_thread import in_daemon_thread
from openhcs.tui.utils.safe_text import visible

__all__ = ["FolderReader", "absolute"]

DETAILS_AT_ONCE: Final = 4000


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
        describe: Callable[[Path], str | None] | None = None,
    ) -> None:
        self._view = view
        self._disk = disk
        self._tasks = tasks
        self._on_change = on_change
        self._tell = tell
        self._describe = describe
        self._descriptions: dict[Path, str | None] = {}
        self._describing = False
        self._generation = 0
        self._by_name: list[Entry] | None = None

    def open(self, folder: Path, highlight: str | None = None, *, climb: bool = False) -> None:
        """Go to `folder` and highlight an entry; `climb` takes the nearest folder above where it is not one."""
        self._generation += 1
        self._by_name = None
        folder = absolute(folder)
        self._view.open(folder, highlight)
        self._tasks.fire_and_forget(self._read(folder, self._generation, climb), f"list {visible(str(folder), 80)}")

    def up(self) -> None:
        """Open the folder above, with the one left highlighted in it."""
        folder = self._view.folder
        if folder.parent != folder:
            self.open(folder.parent, folder.name)

    def reread(self) -> None:
        """Read the folder again; highlight and marks stay."""
        entry = self._view.highlighted
        self._descriptions.clear()
        self.open(self._view.folder, entry.name if entry is not None else None)

    def stop(self) -> None:
        """Drop every answer that is still to come."""
        self._generation += 1

    def set_order(self, order: SortOrder) -> None:
        """Show the entries in `order`; where details are still being read, as soon as they are known."""
        self._view.order = order
        self._tasks.fire_and_forget(self._arrange(self._generation), f"sort by {order.value}")

    async def _read(self, folder: Path, generation: int, climb: bool) -> None:
        def wanted() -> bool:
            return generation == self._generation

        view, disk = self._view, self._disk
        try:
            entries = await in_daemon_thread(lambda: read_folder(disk, folder, wanted), "list folder")
        except (OSError, ValueError) as error:
            if wanted():
                self._not_readable(error, climb)
            return
        if not wanted():
            return
        self._show(entries)

        def details(part: list[Entry]) -> list[Entry]:
            return [with_details(disk, folder, entry) for entry in part if wanted()]

        for start in range(0, len(entries), DETAILS_AT_ONCE):
            part = entries[start : start + DETAILS_AT_ONCE]
            detailed = await in_daemon_thread(lambda part=part: details(part), "read details")  # type: ignore[misc]
            if not wanted():
                return
            entries = [*entries[:start], *detailed, *entries[start + len(part) :]]
            if view.order is SortOrder.NAME:
                self._show(entries)
        self._by_name = entries
        if view.order is not SortOrder.NAME:
            await self._arrange(generation)

    def _show(self, entries: list[Entry]) -> None:
        self._view.fill(entries)
        self.describe_highlighted()
        self._on_change()

    def _not_readable(self, error: OSError | ValueError, climb: bool) -> None:
        folder = self._view.folder
        if climb and isinstance(error, FileNotFoundError | NotADirectoryError) and folder.parent != folder:
            if isinstance(error, FileNotFoundError):
                self._tell(f"{visible(folder.name)} does not exist; this is the nearest folder above it")
            self.open(folder.parent, folder.name, climb=True)
            return
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        self._view.fail(f"Cannot read this folder: {visible(reason)}. Left goes to the folder above.")
        self._on_change()

    async def _arrange(self, generation: int) -> None:
        order, entries = self._view.order, self._by_name
        if entries is None:
            return  # `_read` arranges once it has all details
        rows = entries
        if order is not SortOrder.NAME:
            rows = await in_daemon_thread(lambda: arranged(entries, order), "sort")
        if generation == self._generation and order is self._view.order:
            self._show(rows)

    def description(self, path: Path) -> str | None:
        """What `describe` said of `path`, if it has been asked."""
        return self._descriptions.get(path)

    def describe_highlighted(self) -> None:
        """Ask `describe` about the highlighted folder; one question at a time, the newest highlight next."""
        if self._describe is not None and not self._describing and self._undescribed() is not None:
            self._describing = True
            self._tasks.fire_and_forget(self._describe_all(), "describe folder")

    def _undescribed(self) -> Path | None:
        entry = self._view.highlighted
        if entry is None or entry is PARENT or not entry.is_folder:
            return None
        path = self._view.path(entry)
        return None if path in self._descriptions else path

    async def _describe_all(self) -> None:
        describe = self._describe
        try:
            while describe is not None and (path := self._undescribed()) is not None:
                try:
                    answer = await in_daemon_thread(lambda path=path: describe(path), "describe folder")  # type: ignore[misc]
                except OSError:
                    answer = None
                self._descriptions[path] = answer
                self._on_change()
        finally:
            self._describing = False
