"""Marking several rows of a file browser: one by one, all, the others, a range; by keys and by mouse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from prompt_toolkit.mouse_events import MouseEvent, MouseModifier

from openhcs.tui.editors.file_browser_drawing import BOX, KINDS
from openhcs.tui.editors.folder_view import FolderView
from openhcs.tui.widgets.bindings import Binding

__all__ = ["Marking"]

PAGE: Final = 10
"""Rows that Shift with a page key marks."""


class Marking:
    """Changes the marks of `view`. `changed` runs after each change, `tell` gets a remark."""

    def __init__(self, view: FolderView, *, changed: Callable[[], None], tell: Callable[[str], None]) -> None:
        self._view = view
        self._changed = changed
        self._tell = tell
        self.one = Binding(("space",), self._mark, "Mark", "Mark the highlighted row, to choose several.")
        self.several = (
            Binding(("c-a",), self._mark_all, "Mark all", "Mark all rows shown, or none of them."),
            Binding(("c-x",), self._invert, "Invert", "Mark the rows shown that are not marked, and only those."),
            Binding(("c-v",), self._mark_through, "Range", "Mark all since the last mark; Shift and arrows do too."),
        )
        self.ranges = (
            self._range("s-up", lambda: view.index - 1),
            self._range("s-down", lambda: view.index + 1),
            self._range("s-pageup", lambda: view.index - PAGE),
            self._range("s-pagedown", lambda: view.index + PAGE),
            self._range("s-home", lambda: 0),
            self._range("s-end", lambda: len(view.shown) - 1),
        )

    def click(self, index: int, mouse_event: MouseEvent) -> bool:
        """A click on a row's box marks it, with Ctrl on the row as well; with Shift or Alt all rows up to it."""
        view, held = self._view, mouse_event.modifiers
        if held & {MouseModifier.SHIFT, MouseModifier.ALT}:
            view.mark_range(index)
        elif mouse_event.position.x in BOX or MouseModifier.CONTROL in held:
            view.highlight(index)
            entry = view.highlighted
            if entry is not None and view.can_choose(entry):
                view.toggle_mark(entry)
        else:
            return False
        self._changed()
        return True

    def _range(self, key: str, to: Callable[[], int]) -> Binding:
        def mark() -> None:
            self._view.mark_range(to())
            self._changed()

        return Binding((key,), mark, "Range", "Mark everything on the way.")

    def _mark(self) -> None:
        view = self._view
        entry = view.highlighted
        if entry is None or not view.can_choose(entry):
            self._tell(f"Only {KINDS[view.mode]} can be marked.")
            return
        view.toggle_mark(entry)
        view.highlight(min(view.index + 1, len(view.shown) - 1))
        self._changed()

    def _mark_all(self) -> None:
        self._view.mark_all()
        self._changed()

    def _invert(self) -> None:
        self._view.invert_marks()
        self._changed()

    def _mark_through(self) -> None:
        if self._view.mark_through():
            self._changed()
        else:
            self._tell("Mark the first row with Space, then go to the last.")
