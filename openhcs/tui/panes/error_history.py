"""The error history, over the whole screen: every error of this session and those the last one left, newest first.

An error can be opened in the error dialog, with its causes and variables, and leads to the plate and well it is of.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Final

from prompt_toolkit.application import get_app
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.layout.containers import AnyContainer, HSplit
from prompt_toolkit.layout.dimension import Dimension

from openhcs.tui import actions
from openhcs.tui.effects.clipboard import copy_text
from openhcs.tui.effects.errors import ErrorHistory
from openhcs.tui.panes.whole_screen import Opening, whole_screen
from openhcs.tui.run_text import count_of
from openhcs.tui.state import AppState
from openhcs.tui.utils.dialog_helpers import prompt_for_text_input
from openhcs.tui.utils.error_journal import ErrorEntry
from openhcs.tui.utils.error_pages import ErrorPage, ErrorPages
from openhcs.tui.utils.line_view import LineView
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.utils.unified_task_manager import UnifiedTaskManager
from openhcs.tui.widgets.bindings import Binding, key_bindings
from openhcs.tui.widgets.drawn_text import cut, drawn_window
from openhcs.tui.widgets.selectable_list import SelectableList

__all__ = ["ErrorHistoryView"]

REFRESH_S: Final = 1.0


class ErrorHistoryView:
    """Shows `history` in a dialog; `open_well(folder, well)` shows a well above the workbench."""

    def __init__(
        self,
        history: ErrorHistory,
        state: AppState,
        tasks: UnifiedTaskManager,
        open_well: Callable[[Path, str], Coroutine[Any, Any, None]],
    ) -> None:
        self._history = history
        self._state = state
        self._tasks = tasks
        self._open_well = open_well
        self._opening = Opening()
        self._entries: Sequence[ErrorEntry] = ()
        self._new: frozenset[int] = frozenset()
        self._index = 0
        self._search = ""
        self._note = ""

    def why_empty(self) -> str | None:
        """Why there is nothing to show, or None."""
        return self._history.why_empty()

    async def show(self) -> None:
        """Show it until the user closes it; from then on all errors in it count as seen."""
        if self._opening:
            return
        with self._opening.begin() as closed:
            self._index, self._search, self._note, self._new = 0, "", "", frozenset()
            self._look()
            async with self._tasks.scope("error history") as scope:
                scope.create_task(self._keep_looking(), "look for new errors")
                await self._state.show_dialog(self._dialog(), closed)

    # -- what is shown -------------------------------------------------------------------------------------------

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(REFRESH_S)
            self._look()

    def _look(self) -> None:
        """Take over what is new; the cursor stays on its error."""
        words = self._search.casefold()
        before, entries = self._entries, [entry for entry in self._history.entries if words in _searched(entry)]
        if [id(entry) for entry in entries] == [id(entry) for entry in before]:
            return
        selected = self._selected
        self._entries = entries
        self._index = next((at for at, entry in enumerate(entries) if entry is selected and before), 0)
        self._new |= frozenset(id(entry) for entry in entries if not entry.shown)
        self._history.mark_seen()
        get_app().invalidate()

    @property
    def _selected(self) -> ErrorEntry | None:
        return self._entries[min(self._index, len(self._entries) - 1)] if self._entries else None

    def _draw_row(self, entry: ErrorEntry, width: int) -> StyleAndTextTuples:
        when = time.strftime("%H:%M:%S", time.localtime(entry.time_s))
        last = "last session, " if self._history.is_of_last_session(entry) else ""
        times = f" ({entry.count:,} times)" if entry.count > 1 else ""
        new = "new " if id(entry) in self._new else ""
        head = f"{when} {new}{last}"
        message = next(iter(entry.message.splitlines()), "")
        kind = "" if entry.is_refusal else f"{entry.type_name}: "
        text = f"{'cannot ' if entry.is_refusal else ''}{entry.context}{times}: {kind}{message}"
        return [("class:muted", head), ("", cut(visible(text), max(0, width - len(head))))]

    def _detail_lines(self) -> Sequence[str]:
        entry = self._selected
        if entry is None:
            return ("",)
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(entry.time_s))
        if entry.is_refusal:  # how the program came there is told by its page, to whoever asks
            lines = [f"{when}, cannot {entry.context}", *entry.message.splitlines()]
        else:
            lines = [f"{when}, in {entry.context}", *entry.message.splitlines(), "", *entry.traceback.splitlines()]
        return [visible(line) for line in lines]

    def _dialog(self) -> AnyContainer:
        rows = self._rows()

        def select(index: int) -> None:
            self._index, self._note = index, ""
            details.scroll_home()

        listed: SelectableList[ErrorEntry] = SelectableList(
            lambda: self._entries,
            self._draw_row,
            index=lambda: self._index,
            on_select=select,
            on_activate=lambda entry: self._open(),
            empty=lambda: [("class:muted", " No error has this text." if self._search else " No errors.")],
            bindings=rows,
            tasks=self._tasks,
            refuse=self._refuse,
            name="errors",
        )
        listed.window.height = Dimension(min=3, weight=3)
        details = LineView(self._detail_lines, _draw_detail)
        details.window.height = Dimension(min=3, weight=2)
        return whole_screen(
            HSplit(
                [listed, drawn_window(self._divider), details],
                key_bindings=key_bindings(rows, tasks=self._tasks, refuse=self._refuse),
            ),
            self._title,
            lambda: rows,
            "Errors",
            app_state=self._state,
            tasks=self._tasks,
            refuse=self._refuse,
        )

    def _title(self) -> str:
        count = count_of(len(self._entries), "error")
        if self._search:
            return f"Errors: {count} with “{visible(self._search)}”"
        return f"Errors: {count}" if self._entries else "Errors"

    def _divider(self, width: int) -> StyleAndTextTuples:
        note = cut(f" {self._note} ", max(0, width - 4)) if self._note else ""
        rest = "─" * max(0, width - 2 - len(note))
        return [("class:pane.border", "──"), ("class:warning", note), ("class:pane.border", rest)]

    # -- keys ----------------------------------------------------------------------------------------------------

    def _rows(self) -> tuple[Binding, ...]:
        def why_none() -> str | None:
            return None if self._entries else "There are no errors"

        return (
            Binding(("escape", "q", "c-c"), self._close, "Close", "Close the error history."),
            Binding(("enter",), self._open, "Open", "Show the error, its causes and the variables.", why_none),
            Binding(("g",), self._go, "Go to", "Go to the plate or well that the error is of.", self._why_no_place),
            Binding(("/",), self._ask_search, "Search", "Show errors that have a text in them."),
            Binding(("y",), self._copy, "Copy", "Copy the error with its traceback.", why_none),
            Binding(("d",), self._clear, "Clear", "Take all errors out of sight; u brings them back.", why_none),
            Binding(
                ("u",),
                self._put_back,
                "Put back",
                "Bring back what was cleared last.",
                lambda: None if self._history.can_put_back else "Nothing was cleared",
            ),
            Binding(("tab", "s-tab"), lambda: get_app().layout.focus_next(), "Other half", "Go to the error and back."),
        )

    def _refuse(self, reason: str) -> None:
        self._note = visible(reason)

    def _close(self) -> None:
        self._opening.end()

    async def _open(self) -> None:
        """Show the errors from the selected one on, one page each."""
        from openhcs.tui.utils.error_dialog import show_error_pages  # 5 ms, which the first frame need not wait for

        pages = ErrorPages([_page(entry) for entry in self._entries])
        pages.position = self._index
        await show_error_pages(pages, self._state)

    async def _ask_search(self) -> None:
        words = "Show errors with this text in them; nothing shows all"
        asked = await prompt_for_text_input("Search the errors", words, self._state, default=self._search)
        if asked is not None:
            self._search, self._note = asked.strip(), ""
            self._look()

    def _why_no_place(self) -> str | None:
        entry = self._selected
        if entry is None:
            return "There are no errors"
        return None if self._history.place_of(entry) is not None else "This error is of no plate"

    async def _go(self) -> None:
        entry = self._selected
        place = self._history.place_of(entry) if entry is not None else None
        if place is None:
            return
        self._close()
        self._state.dispatch(actions.PlatesAdded((place.folder,)))
        if place.well is not None:
            await self._open_well(place.folder, place.well)

    def _copy(self) -> None:
        entry = self._selected
        if entry is not None:
            self._note = copy_text(_page(entry).text)

    def _clear(self) -> None:
        count = len(self._entries)
        self._history.clear()
        self._look()
        self._note = f"{count_of(count, 'error')} cleared: u brings them back"

    def _put_back(self) -> None:
        self._history.put_back()
        self._look()
        self._note = ""


def _searched(entry: ErrorEntry) -> str:
    """What of an error is searched."""
    return "\n".join((entry.context, entry.type_name, entry.message, entry.traceback)).casefold()


def _page(entry: ErrorEntry) -> ErrorPage:
    return ErrorPage(
        title=f"{'Cannot' if entry.is_refusal else 'Error in'} {entry.context}",
        message=entry.message if entry.is_refusal else f"{entry.type_name}: {entry.message}",
        details=entry.traceback,
        exception=lambda: entry.exception,
        count=lambda: entry.count,
        is_refusal=entry.is_refusal,
    )


def _draw_detail(number: int, line: str) -> StyleAndTextTuples:
    return [("class:title" if number == 0 else "", line)]
