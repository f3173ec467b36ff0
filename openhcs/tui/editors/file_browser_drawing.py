"""How the lines of the file browser look, from its view and a width; nothing here has a state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.mouse_events import MouseEvent, MouseEventType
from prompt_toolkit.utils import get_cwidth

from openhcs.tui.editors.folder_listing import size_text, time_text
from openhcs.tui.editors.folder_table import Entry, SortOrder
from openhcs.tui.editors.folder_view import HERE, PARENT, FolderView, SelectionMode
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.utils.screen_output import is_plain
from openhcs.tui.widgets.drawn_text import cut, cut_middle, fit

__all__ = ["BOX", "KINDS", "SLOW_S", "empty", "header", "row", "status_line"]

KINDS: Final = {
    SelectionMode.FILES_ONLY: "files",
    SelectionMode.DIRECTORIES_ONLY: "folders",
    SelectionMode.BOTH: "files and folders",
}
SIZE_CELLS: Final = 9
TIME_CELLS: Final = 18
BOX: Final = range(2, 6)
"""Cells of the box that shows a mark, behind the mark of the selected row."""

REMARK_LEAST: Final = 12
SLOW_S: Final = 2.0
"""After this a folder that still says nothing is told to be slow, with what can be done about it."""


def _columns(width: int) -> tuple[int, bool, bool]:
    """Cells for the name, and whether size and time have room beside it."""
    with_size = width >= 34
    with_time = width >= 56
    return width - SIZE_CELLS * with_size - TIME_CELLS * with_time, with_size, with_time


def row(view: FolderView, entry: Entry, width: int, marks: bool, remark: str | None) -> StyleAndTextTuples:
    """One entry: a mark where several can be chosen, its name, and what fits of size, time and `remark`."""
    fragments: StyleAndTextTuples = []
    if marks:
        marked = view.is_marked(entry)
        box = "    " if not view.can_choose(entry) else "[x] " if marked else "[ ] "
        if is_plain():
            box = "marked " if marked else ""
        fragments.append(("class:ok" if marked else "class:muted", box))
        width -= len(box)
    if entry is PARENT:
        return [*fragments, ("class:folder", "../"), ("class:muted", cut("  the folder above", max(0, width - 3)))]
    if entry is HERE:
        return [*fragments, ("class:folder", "./"), ("class:muted", cut("   this folder itself", max(0, width - 2)))]
    name_cells, with_size, with_time = _columns(width)
    name = visible(entry.name) + ("/" if entry.is_folder else "@" if entry.is_link else "")
    if remark is not None and name_cells >= 2 * REMARK_LEAST:
        # In the empty size column of a folder, and as much of the name's as the name can spare.
        remark = cut(visible(remark), max(REMARK_LEAST, name_cells - get_cwidth(name) - 3 + SIZE_CELLS * with_size))
        cells = get_cwidth(remark)
        name_cells += SIZE_CELLS * with_size - cells
        fragments.append(("class:folder", fit(cut_middle(name, name_cells - 1), name_cells)))
        fragments.append(("class:ok", remark))
    else:
        style = "class:folder" if entry.is_folder else ""
        fragments.append((style, fit(cut_middle(name, name_cells - 1), name_cells)))
        if with_size and entry.problem is not None:
            fragments.append(("class:warning", fit(entry.problem, SIZE_CELLS, right=True)))
        elif with_size:
            fragments.append(("class:muted", fit(size_text(entry.size), SIZE_CELLS, right=True)))
    if with_time:
        fragments.append(("class:muted", fit(time_text(entry.modified_s), TIME_CELLS, right=True)))
    return fragments


def header(view: FolderView, width: int, marks: bool, set_order: Callable[[SortOrder], None]) -> StyleAndTextTuples:
    """The heads of the columns; the one sorted by has an arrow, a click sorts by another."""
    if is_plain():
        order = f"{view.order.value}{', backwards' if view.backwards else ''}"
        return [("class:muted", cut(f"Name, size, date; order: {order}", width))]
    left = "      " if marks else "  "
    name_cells, with_size, with_time = _columns(width - 1 - len(left))

    def head(text: str, cells: int, order: SortOrder, right: bool) -> StyleAndTextTuples:
        def click(mouse_event: MouseEvent) -> None:
            if mouse_event.event_type is MouseEventType.MOUSE_UP:
                set_order(order)

        sorted_by = view.order is order
        up = (order is SortOrder.NAME) is not view.backwards
        arrow = ("" if not sorted_by else " ▴" if up else " ▾") if cells > 6 else ""
        return [("class:title" if sorted_by else "class:muted", fit(text + arrow, cells, right=right), click)]

    fragments: StyleAndTextTuples = [("", left), *head("Name", max(0, name_cells), SortOrder.NAME, False)]
    if with_size:
        fragments += head("Size", SIZE_CELLS, SortOrder.SIZE, True)
    if with_time:
        fragments += head("Modified", TIME_CELLS, SortOrder.MODIFIED, True)
    return fragments


def empty(view: FolderView) -> StyleAndTextTuples:
    """What stands in place of rows where there are none."""
    if view.text:
        more = "so far " if view.reading else ""
        return [("class:muted", f"  nothing here is {more}named like {visible(view.text)}; Esc clears the filter")]
    if view.reading:
        return [("class:busy", f"  reading {visible(view.folder.name or str(view.folder))} ...")]
    return [("class:muted", "  this folder is empty")]


def _count_text(count: int, word: str) -> str:
    """`1 folder`, `17,280 files`."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def status_line(view: FolderView, width: int) -> StyleAndTextTuples:
    """The filter while there is one, else what is in the folder and how to filter it."""
    if view.problem is not None:
        return [("class:error", cut(f"  {view.problem}", width))]
    folders, files = view.counts
    if view.text:
        line: StyleAndTextTuples = [
            ("class:label", "  Filter: "),
            ("class:field", visible(view.text) + ("" if is_plain() else "_")),
        ]
        more = ", reading on" if view.reading else ""
        return [*line, ("class:muted", f"  {len(view.shown.rows):,} of {folders + files:,}{more}")]
    if view.reading:
        return [("class:busy", cut(f"  {_progress(view)}", width))]
    if view.remark is not None:
        return [("class:warning", cut(f"  {view.remark}", width))]
    text = f"  {_count_text(folders, 'folder')}, {_count_text(files, 'file')}"
    unseen = folders + files - len(view.shown.rows)
    if unseen > 0:
        text += f", {unseen:,} not shown"
    return [("class:muted", cut(f"{text}   (type to filter)", width))]


def _progress(view: FolderView) -> str:
    """How far the reading is; of a disk that has said nothing for long, what can be done."""
    found = len(view.table)
    if is_plain():  # a number that changes would be read out each time
        return "reading" if view.waited_s < SLOW_S else "reading still: a slow or a dead disk. Esc stops."
    if view.waited_s < SLOW_S:
        return f"reading ... {found:,}" if found else "reading ..."
    waited = f"{view.waited_s:.0f} s"
    if found:
        return f"reading, {found:,} entries in {waited} ... Esc stops"
    return f"no answer for {waited}: a slow or a dead disk. Esc stops waiting, Left goes up."
