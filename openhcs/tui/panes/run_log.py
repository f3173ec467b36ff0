"""The log of a plate's last run, over the whole screen, followed while it grows.

The lines on the screen are read in blocks, in a thread; one that is not there yet is drawn empty and filled in. What a
filter lets through and a search finds is looked for there too, so a log of a million lines opens at once.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from prompt_toolkit.application import get_app
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.layout.containers import AnyContainer, HSplit, Window

from openhcs.core.run_log_query import LogKind, LogLevel, LogPage, LogQuery
from openhcs.errors import StoreError
from openhcs.tui.effects.clipboard import copy_path
from openhcs.tui.effects.plates import PlateEffects
from openhcs.tui.effects.run_log import LogFollower
from openhcs.tui.effects.text_dialog import show_text
from openhcs.tui.panes.help import key_lines
from openhcs.tui.panes.log_lines import LogLines
from openhcs.tui.panes.whole_screen import Opening, whole_screen
from openhcs.tui.state import AppState
from openhcs.tui.utils.dialog_helpers import prompt_for_text_input
from openhcs.tui.utils.line_view import LineView
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.utils.unified_task_manager import UnifiedTaskManager
from openhcs.tui.widgets.bindings import Binding, key_bindings
from openhcs.tui.widgets.drawn_text import cut, drawn_window, tab_fragments
from openhcs.tui.workbench import PlateRow

__all__ = ["RunLogView", "wait_set"]

POLL_S: Final = 0.25
_SIDEWAYS: Final = 8


class RunLogView:
    """Shows the log of the last run of a plate in a dialog, of one well or of all."""

    def __init__(self, state: AppState, effects: PlateEffects, tasks: UnifiedTaskManager) -> None:
        self._state = state
        self._effects = effects
        self._tasks = tasks
        self._opening = Opening()
        self._wraps = True

    async def show(self, row: PlateRow, well: str = "") -> None:
        """Show the log of the last run of `row`, from its end, until the user closes it."""
        if self._opening:
            return
        with self._opening.begin() as closed:
            follower = LogFollower(await self._effects.results_folder(row))
            log = _OpenLog(row, well, follower, self._wraps, self._opening.end, self._state, self._tasks)
            try:
                await log.show(closed)
            finally:
                self._wraps = log.wraps


class _OpenLog:
    """A log while it is open. `wraps` is whether long lines are wrapped rather than cut."""

    def __init__(
        self,
        row: PlateRow,
        well: str,
        follower: LogFollower,
        wraps: bool,
        close: Callable[[], None],
        state: AppState,
        tasks: UnifiedTaskManager,
    ) -> None:
        self._name = row.name
        self._wells = frozenset(item.well for item in row.wells)
        self._follower = follower
        self.wraps = wraps
        self._close = close
        self._state = state
        self._tasks = tasks
        self._query = LogQuery(well=well)
        self._note, self._trouble = "", ""
        self._at: int | None = None
        self._wanted: set[int] = set()
        self._wake = asyncio.Event()
        self._lines = LogLines(self._ask)
        self._view = LineView(self._shown_lines, self._draw)
        self._keys = self._rows()

    async def show(self, closed: asyncio.Future[None]) -> None:
        """Show it until `closed` is done, and follow its file meanwhile."""
        async with self._tasks.scope("log") as scope:
            scope.create_task(self._follow(), f"follow the log of {self._name}")
            await self._state.show_dialog(self._dialog(), closed)

    # -- reading -------------------------------------------------------------------------------------------------

    def _ask(self, block: int) -> None:
        if block not in self._wanted:
            self._wanted.add(block)
            self._wake.set()

    async def _follow(self) -> None:
        asked: LogQuery | None = None
        while True:
            self._wake.clear()
            wanted, self._wanted = frozenset(self._wanted), set()
            query = replace(self._query, blocks=wanted)
            try:
                page = await self._follower.read(query)
                self._trouble = ""
            except StoreError as error:
                self._trouble, page = str(error), None
            if page is not None and replace(query, blocks=frozenset()) == self._query:
                self._take(page, asked)
                asked = self._query
            get_app().invalidate()
            if page is None or not page.is_behind:
                await wait_set(self._wake, POLL_S)

    def _take(self, page: LogPage, asked: LogQuery | None) -> None:
        before = self._lines.page
        is_other = before is None or asked is None or asked.kind is not self._query.kind or before.path != page.path
        is_anew = is_other or asked is None or (asked.well, asked.level) != (self._query.well, self._query.level)
        stays_at_end = is_anew or self._view.is_at_end
        self._lines.take(page, is_other=is_other)
        if stays_at_end:
            self._view.scroll_end()
        if self._query.search and self._at is None and not page.is_behind:
            self._next_found(-1)

    # -- going about ---------------------------------------------------------------------------------------------

    def _change(self, query: LogQuery) -> None:
        self._query, self._at, self._note = query, None, ""
        self._wake.set()

    def _turn(self) -> None:
        kinds = list(LogKind)
        self._turn_to(kinds[(kinds.index(self._query.kind) + 1) % len(kinds)])

    def _next_level(self) -> None:
        levels = list(LogLevel)
        level = levels[(levels.index(self._query.level) + 1) % len(levels)]
        self._change(replace(self._query, level=level))

    async def _choose_well(self) -> None:
        words = "Lines that name this well; nothing for all wells"
        asked = await prompt_for_text_input("Choose a well", words, self._state, default=self._query.well)
        if asked is None:
            return
        well = asked.strip().upper()
        if well and self._wells and well not in self._wells:
            self._tell(f"{well} is no well of this plate")
            return
        self._change(replace(self._query, well=well))

    async def _search(self) -> None:
        words = "Text to look for; capitals count where you type any"
        asked = await prompt_for_text_input("Search the log", words, self._state, default=self._query.search)
        if asked is not None:
            self._change(replace(self._query, search=asked))

    def _next_found(self, by: int) -> None:
        """Go to the next line that the search finds, upwards where `by` is negative, and round at the ends."""
        page = self._lines.page
        found = page.found if page is not None else ()
        if page is None or not found:
            self._note = f"{visible(self._query.search)!r} is not in this log"
            return
        if self._at is not None:
            here = self._at
        elif by < 0 or not len(self._lines):
            here = page.total
        else:
            here = self._lines.number_of(self._view.first_line) - 1
        place = bisect_right(found, here) if by > 0 else bisect_left(found, here) - 1
        self._at = found[place % len(found)]
        self._note = f"{place % len(found) + 1:,} of {len(found):,}"
        shown = self._at if page.passing is None else bisect_left(page.passing, self._at)
        self._view.show_line(shown)

    def _turn_wrapping(self) -> None:
        self.wraps = not self.wraps
        self._lines.skipped = 0

    def _sideways(self, by: int) -> None:
        self._lines.skipped = max(0, self._lines.skipped + by * _SIDEWAYS)

    # -- how it stands on the screen -----------------------------------------------------------------------------

    def _shown_lines(self) -> LogLines:
        # Borders and the scroll bar take three cells.
        self._lines.width = None if self.wraps else max(20, get_app().output.get_size().columns - 3)
        return self._lines

    def _draw(self, number: int, line: str) -> StyleAndTextTuples:
        if self._at is not None and self._lines.number_of(number) == self._at:
            return [("class:selected", line)]
        return [(_style_of(line), line)]

    def _dialog(self) -> AnyContainer:
        body = HSplit(
            [drawn_window(self._head), Window(height=1, char="─", style="class:pane.border"), self._view],
            key_bindings=key_bindings(self._keys, tasks=self._tasks, refuse=self._tell),
        )
        return whole_screen(
            body,
            self._title,
            lambda: self._keys,
            "Log",
            app_state=self._state,
            tasks=self._tasks,
            refuse=self._tell,
        )

    def _title(self) -> str:
        count = len(self._lines)
        words = [f"{count:,} {'line' if count == 1 else 'lines'}"]
        if self._query.well:
            words.append(f"of {visible(self._query.well)}")
        if self._query.level is not LogLevel.ALL:
            words.append(self._query.level.value)
        page = self._lines.page
        if page is not None and page.is_behind:
            words.append("reading on")
        return f"Log of {visible(self._name)}: {', '.join(words)}"

    def _head(self, width: int) -> StyleAndTextTuples:
        kinds = tab_fragments(LogKind, self._query.kind, lambda kind: kind.value, self._turn_to)
        told = self._trouble or self._note
        if not told and self._lines.page is not None and not len(self._lines):
            told = "there is no such line" if self._query.is_filtered else "nothing yet"
        style = "class:error" if self._trouble else "class:warning"
        return [*kinds, (style, cut(f" {visible(told)}", max(0, width - 40)))]

    def _turn_to(self, kind: LogKind) -> None:
        self._change(replace(self._query, kind=kind))

    # -- keys ----------------------------------------------------------------------------------------------------

    def _tell(self, text: str) -> None:
        self._note = visible(text)
        get_app().invalidate()

    def _rows(self) -> tuple[Binding, ...]:
        def why_no_search() -> str | None:
            return None if self._query.search else "Nothing has been searched for"

        def why_wrapped() -> str | None:
            return "Lines are wrapped" if self.wraps else None

        return (
            Binding(("escape", "q", "c-c"), self._close, "Close", "Close the log."),
            Binding(("tab", "s-tab"), self._turn, "Other log", "Turn between what happened and what was printed."),
            Binding(("/",), self._search, "Search", "Look for a text."),
            Binding(("n",), lambda: self._next_found(1), "Next", "Go to the next line found.", why_no_search),
            Binding(
                ("N", "p"),
                lambda: self._next_found(-1),
                "Previous",
                "Go to the line found before.",
                why_no_search,
                on_footer=False,
            ),
            Binding(("w",), self._choose_well, "Well", "Show lines of one well only."),
            Binding(("v",), self._next_level, "Level", "Show all lines, warnings and errors, or errors only."),
            Binding(("W",), self._turn_wrapping, "Wrap", "Wrap long lines, or cut them."),
            Binding(("end", "G"), self._view.scroll_end, "End", "Go to the end, and follow what comes."),
            Binding(("left", "h"), lambda: self._sideways(-1), "Left", "Go left.", why_wrapped, on_footer=False),
            Binding(("right", "l"), lambda: self._sideways(1), "Right", "Go right.", why_wrapped, on_footer=False),
            Binding(("y",), self._copy_path, "Copy path", "Copy the path of the log's file.", on_footer=False),
            Binding(("?", "f1"), self._show_help, "Help", "Show what every key does here."),
        )

    def _copy_path(self) -> None:
        path: Path | None = self._lines.page.path if self._lines.page is not None else None
        if path is not None:
            self._note = copy_path(str(path))

    async def _show_help(self) -> None:
        await show_text("The log", key_lines([("Keys", self._keys)]), app_state=self._state, tasks=self._tasks)


async def wait_set(event: asyncio.Event, at_most_s: float) -> None:
    """Return when `event` is set, or after `at_most_s` seconds; a cancellation that comes just then goes on."""
    with suppress(TimeoutError):
        async with asyncio.timeout(at_most_s):
            await event.wait()


def _style_of(line: str) -> str:
    """How bad a line looks; its words say it as well."""
    if "  failed: " in line or "ERROR" in line or "Error" in line or "CRITICAL" in line:
        return "class:error"
    return "class:warning" if "  warning: " in line or "WARNING" in line or "  tried again: " in line else ""
