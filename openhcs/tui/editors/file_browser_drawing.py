"""How the lines of the file browser look, from its view and a width; nothing here has a state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.mouse_events import MouseEvent, MouseEventType

from openhcs.tui.editors.folder_listing import Entry, SortOrder, size_text, time_text
from openhcs.tui.editors.folder_view import HERE, PARENT, FolderView, SelectionMode
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.widgets.drawn_text import cut, cut_middle, fit

__all__ = ["KINDS", "count_text", "empty", "header", "row", "status_line"]

KINDS: Final = {
    SelectionMode.FILES_ONLY: "files",
    SelectionMode.DIRECTORIES_ONLY: "folders",
    SelectionMode.BOTH: "files and folders",
}
SIZE_CELLS: Final = 9
TIME_CELLS: Final = 18


def _columns(width: int) -> tuple[int, bool, bool]:
    """Cells for the name, and whether size and time have room beside it."""
    with_size = width >= 34
    with_time = width >= 56
    return width - SIZE_CELLS * with_size - TIME_CELLS * with_time, with_size, with_time


def row(view: FolderView, entry: Entry, width: int, marks: bool) -> StyleAndTextTuples:
    """One entry: a mark where several can be chosen, its name, and what fits of size and time."""
    fragments: StyleAndTextTuples = []
    if marks:
        marked = view.path(entry) in view.marks and entry is not PARENT
        box = "    " if not view.can_choose(entry) else "[x] " if marked else "[ ] "
        fragments.append(("class:ok" if marked else "class:muted", box))
        width -= len(box)
    if entry is PARENT:
        return [*fragments, ("class:folder", "../"), ("class:muted", cut("  the folder above", max(0, width - 3)))]
    if entry is HERE:
        return [*fragments, ("class:folder", "./"), ("class:muted", cut("   this folder itself", max(0, width - 2)))]
    name_cells, with_size, with_time = _columns(width)
    name = visible(entry.name) + ("/" if entry.is_folder else "")
    fragments.append(("class:folder" if entry.is_folder else "", fit(cut_middle(name, name_cells - 1), name_cells)))
    if with_size:
        fragments.append(("class:muted", fit(size_text(entry.size), SIZE_CELLS, right=True)))
    if with_time:
        fragments.append(("class:muted", fit(time_text(entry.modified_s), TIME_CELLS, right=True)))
    return fragments


def header(view: FolderView, width: int, marks: bool, set_order: Callable[[SortOrder], None]) -> StyleAndTextTuples:
    """The heads of the columns; the one sorted by has an arrow, a click sorts by another."""
    left = "      " if marks else "  "
    name_cells, with_size, with_time = _columns(width - 1 - len(left))

    def head(text: str, cells: int, order: SortOrder, right: bool) -> StyleAndTextTuples:
        def click(mouse_event: MouseEvent) -> None:
            if mouse_event.event_type is MouseEventType.MOUSE_UP:
                set_order(order)

        sorted_by = view.order is order
        arrow = ("" if not sorted_by else " ▴" if order is SortOrder.NAME else " ▾") if cells > 6 else ""
        return [("class:title" if sorted_by else "class:muted", fit(text + arrow, cells, right=right), click)]

    fragments: StyleAndTextTuples = [("", left), *head("Name", max(0, name_cells), SortOrder.NAME, False)]
    if with_size:
        fragments += head("Size", SIZE_CELLS, SortOrder.SIZE, True)
    if with_time:
        fragments += head("Modified", TIME_CELLS, SortOrder.MODIFIED, True)
    return fragments


def empty(view: FolderView) -> StyleAndTextTuples:
    """What stands in place of rows where there are none."""
    if view.reading:
        return [("class:busy", f"  reading {visible(view.folder.name or str(view.folder))} ...")]
    if view.text:
        return [("class:muted", f"  nothing here is named like {visible(view.text)}; Esc clears the filter")]
    return [("class:muted", "  this folder is empty")]


def count_text(count: int, word: str) -> str:
    """`1 folder`, `17,280 files`."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def status_line(view: FolderView, width: int) -> StyleAndTextTuples:
    """The filter while there is one, else what is in the folder and how to filter it."""
    if view.problem is not None:
        return [("class:error", cut(f"  {view.problem}", width))]
    if view.text:
        line: StyleAndTextTuples = [("class:label", "  Filter: "), ("class:field", visible(view.text) + "_")]
        return [*line, ("class:muted", f"  {len(view.shown):,} of {view.folder_count + view.file_count:,}")]
    if view.reading:
        return [("class:busy", "  reading ...")]
    text = f"  {count_text(view.folder_count, 'folder')}, {count_text(view.file_count, 'file')}"
    rows = sum(entry is not PARENT and entry is not HERE for entry in view.shown[:2]) + max(0, len(view.shown) - 2)
    unseen = view.folder_count + view.file_count - rows
    if unseen > 0:
        text += f", {unseen:,} not shown"
    return [("class:muted", cut(f"{text}   (type to filter)", width))]
