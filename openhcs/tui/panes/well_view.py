"""One well, over the whole screen: its pictures, measurements, provenance and log; n and p go on to the next.

It follows the well that is selected in the workbench. What is read belongs to two exclusive groups of tasks, one for
the pictures and one for the rest: going on to another well, or looking at something else, cancels what was being read
for the last. A key never waits for any of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any, Final

from prompt_toolkit.application import get_app
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.layout.containers import (
    AnyContainer,
    ConditionalContainer,
    HSplit,
    VSplit,
    Window,
)
from prompt_toolkit.layout.dimension import Dimension

from openhcs.core.progress import WellProgress, WellState
from openhcs.tui import actions
from openhcs.tui.effects.text_dialog import show_text
from openhcs.tui.effects.wells import WellReader
from openhcs.tui.panes.help import key_lines
from openhcs.tui.panes.well_picture_keys import picture_rows
from openhcs.tui.panes.well_pictures import Subject, WellPictures
from openhcs.tui.panes.well_texts import WellTexts
from openhcs.tui.panes.whole_screen import LatestTasks, Opening, following, whole_screen
from openhcs.tui.state import AppState
from openhcs.tui.utils.dialog_helpers import show_scrollable_error_dialog
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.utils.screen_output import is_plain
from openhcs.tui.utils.unified_task_manager import UnifiedTaskManager
from openhcs.tui.well_scene import Scene
from openhcs.tui.widgets.bindings import Binding, key_bindings
from openhcs.tui.widgets.drawn_text import drawn_window, tab_fragments
from openhcs.tui.workbench import PlateRow

__all__ = ["WellView"]

_PAUSE_S: Final = 0.06
"""How long a well is selected before it is read, so that a held key reads nothing on its way."""

WIDE: Final = 110
"""Cells from which pictures and a page have room beside each other."""


class Page(Enum):
    """What is shown; the value is its title."""

    PICTURES = "Pictures"
    MEASUREMENTS = "Measurements"
    PROVENANCE = "Provenance"
    LOG = "Log"


class WellView:
    """Shows the selected well of `state` in a dialog; what is chosen in it is kept for the next time it is opened."""

    def __init__(self, state: AppState, reader: WellReader, tasks: UnifiedTaskManager) -> None:
        self._state = state
        self._reader = reader
        self._tasks = tasks
        self._opening = Opening()
        self._chosen = _Chosen(Page.PICTURES, Scene(), "")

    async def show(self) -> None:
        """Show the selected well until the user closes it."""
        row = self._state.workbench.selected
        if self._opening or row is None or not row.wells:
            return
        with self._opening.begin() as closed:
            well = _OpenWell(self._chosen, self._opening.end, self._state, self._reader, self._tasks)
            try:
                await well.show(closed)
            finally:
                self._chosen = well.chosen


@dataclass(frozen=True, slots=True)
class _Chosen:
    """What was chosen in the view: a page, how the pictures are looked at, a table by its name."""

    page: Page
    scene: Scene
    table: str


class _OpenWell:
    """The view while it is open."""

    def __init__(
        self,
        chosen: _Chosen,
        close: Callable[[], None],
        state: AppState,
        reader: WellReader,
        tasks: UnifiedTaskManager,
    ) -> None:
        self._close = close
        self._state = state
        self._tasks = tasks
        self._chosen_page = chosen.page
        # Who opens a well that failed wants to know why.
        failed = self._well is not None and self._well.state is WellState.FAILED
        self._page = Page.LOG if failed else chosen.page
        self._shown: tuple[object, ...] = ()
        self._note = ""
        self._loading = LatestTasks("well view", tasks)
        self._pictures = WellPictures(reader, chosen.scene, self._load_pictures, tasks)
        self._texts = WellTexts(reader, chosen.table, self._start, tasks)
        self._windows = {
            Page.PICTURES: self._pictures.window,
            Page.MEASUREMENTS: self._texts.measurements.window,
            Page.PROVENANCE: self._texts.provenance.window,
            Page.LOG: self._texts.log.window,
        }
        self._picture_rows = picture_rows(self._pictures, self._clear_note)
        self._page_rows, self._common_rows = self._rows()

    @property
    def chosen(self) -> _Chosen:
        """What is chosen now, to begin with the next time."""
        return _Chosen(self._chosen_page, self._pictures.scene.to_overview(), self._texts.table)

    async def show(self, closed: asyncio.Future[None]) -> None:
        """Show the selected well until `closed` is done, whichever it is."""
        with following(self._state, self._look, self._loading):
            await self._state.show_dialog(self._dialog(), closed)

    # -- which well ----------------------------------------------------------------------------------------------

    @property
    def _row(self) -> PlateRow | None:
        return self._state.workbench.selected

    @property
    def _well(self) -> WellProgress | None:
        return self._state.workbench.selected_well

    @property
    def _subject(self) -> Subject | None:
        row, well = self._row, self._well
        return Subject(row.folder, well.well, row.out) if row is not None and well is not None else None

    def _go(self, by: int) -> None:
        self._state.dispatch(actions.WellSelected(self._state.workbench.well + by))

    def _look(self) -> None:
        """Read what another well, or another state of the same one, asks for; a comparison at every change of state."""
        subject, well = self._subject, self._well
        if subject is None or well is None:
            return
        shown = (subject, well.state)
        if shown == self._shown:
            return
        is_other = not self._shown or self._shown[0] != subject
        self._shown = shown
        self._pictures.forget(results_only=not is_other)
        self._load_pictures()
        self._texts.show(subject, well)

    # -- reading -------------------------------------------------------------------------------------------------

    def _start(self, what: str, work: Coroutine[Any, Any, None]) -> None:
        self._loading.start(what, work, f"read the {what} of a well")

    def _load_pictures(self) -> None:
        subject = self._subject
        if subject is not None:
            self._start("pictures", self._read_pictures(subject))

    async def _read_pictures(self, subject: Subject) -> None:
        if self._pictures.is_new:
            await asyncio.sleep(_PAUSE_S)
        await self._pictures.load(subject)

    # -- how it stands on the screen -----------------------------------------------------------------------------

    def _dialog(self) -> AnyContainer:
        pages: Sequence[tuple[Page, AnyContainer]] = (
            (Page.MEASUREMENTS, self._texts.measurements),
            (Page.PROVENANCE, self._texts.provenance),
            (Page.LOG, self._texts.log),
        )
        beside = HSplit(
            [ConditionalContainer(page, Condition(partial(self._is_page, which))) for which, page in pages],
            width=Dimension(weight=1),
        )
        text_shown = Condition(lambda: self._page is not Page.PICTURES)
        pictures_shown = Condition(lambda: self._page is Page.PICTURES or self._is_wide)
        between = Condition(lambda: self._page is not Page.PICTURES and self._is_wide)
        body = HSplit(
            [
                drawn_window(self._tabs),
                VSplit(
                    [
                        ConditionalContainer(HSplit([self._pictures], width=Dimension(weight=1)), pictures_shown),
                        ConditionalContainer(Window(width=1, char="│", style="class:pane.border"), between),
                        ConditionalContainer(beside, text_shown),
                    ]
                ),
            ],
            key_bindings=key_bindings(
                (*self._common_rows, *self._picture_rows, *self._page_rows), tasks=self._tasks, refuse=self._refuse
            ),
        )
        self._focus_page()
        return whole_screen(
            body,
            self._title,
            self._rows_here,
            "Well",
            app_state=self._state,
            tasks=self._tasks,
            refuse=self._refuse,
        )

    @property
    def _is_wide(self) -> bool:
        return get_app().output.get_size().columns >= WIDE and not is_plain()

    def _is_page(self, page: Page) -> bool:
        return self._page is page

    def _title(self) -> str:
        row, well = self._row, self._well
        if row is None or well is None:
            return "Well"
        return f"Well {visible(well.well)} of {visible(row.name)}: {well.state.value}"

    def _tabs(self, width: int) -> StyleAndTextTuples:
        tabs = tab_fragments(Page, self._page, lambda page: page.value, self._turn_to)
        if self._note:
            tabs.append(("class:warning", f"  {self._note}"))
        return tabs

    def _turn_to(self, page: Page) -> None:
        self._chosen_page = self._page = page
        self._clear_note()
        self._focus_page()

    def _turn(self, by: int) -> None:
        pages = list(Page)
        self._turn_to(pages[(pages.index(self._page) + by) % len(pages)])

    def _focus_page(self) -> None:
        layout, window = get_app().layout, self._windows[self._page]
        if any(other is window for other in layout.find_all_windows()):
            layout.focus(window)

    # -- keys ----------------------------------------------------------------------------------------------------

    def _refuse(self, reason: str) -> None:
        self._note = reason

    def _clear_note(self) -> None:
        self._note = ""

    def _rows_here(self) -> Sequence[Binding]:
        own = self._page_rows if self._page is not Page.PICTURES else ()
        table = self._texts.measurements.rows[-1:] if self._page is Page.MEASUREMENTS else ()
        pictures = self._picture_rows if self._page is Page.PICTURES or self._is_wide else ()
        close, *rest = self._common_rows
        return (close, *table, *own, *rest[:3], *pictures, *rest[3:])

    def _rows(self) -> tuple[tuple[Binding, ...], tuple[Binding, ...]]:
        page = (
            Binding(
                ("m",),
                self._texts.next_table,
                "Table",
                "Show the next table of measurements.",
                lambda: None if self._texts.record.tables else "There is no table of this well",
            ),
            Binding(
                ("e",),
                self._show_failure,
                "Error",
                "Show why the well failed, with its traceback.",
                lambda: None if self._texts.failure else "This well has not failed",
            ),
        )
        common = (
            Binding(("escape", "q", "c-c"), self._back, "Close", "Go back to all sites, then close the well."),
            Binding(("n",), lambda: self._go(1), "Next", "Go to the next well.", lambda: self._why_no_well(1)),
            Binding(("p",), lambda: self._go(-1), "Previous", "Go to the well before.", lambda: self._why_no_well(-1)),
            Binding(("tab",), lambda: self._turn(1), "Page", "Go to the next page."),
            Binding(("s-tab",), lambda: self._turn(-1), "Page back", "Go to the page before.", on_footer=False),
            Binding(("?", "f1"), self._show_help, "Help", "Show what every key does here."),
        )
        return page, common

    def _why_no_well(self, by: int) -> str | None:
        count = len(self._row.wells) if self._row is not None else 0
        if 0 <= self._state.workbench.well + by < count:
            return None
        return "This is the last well" if by > 0 else "This is the first well"

    def _back(self) -> None:
        pictures = self._pictures
        if self._page is Page.PICTURES and not pictures.scene.is_overview:
            pictures.change(pictures.scene.to_overview())
        else:
            self._close()

    async def _show_failure(self) -> None:
        failure, well = self._texts.failure, self._well
        if failure is not None and well is not None:
            text = "\n\n".join(part for part in failure if part)
            await show_scrollable_error_dialog(f"Well {well.well} failed", text, app_state=self._state)

    async def _show_help(self) -> None:
        moves = [row for row in self._pictures.rows if row.label != "Near"] if not is_plain() else []
        groups = [
            ("Everywhere", self._common_rows),
            ("Pictures", (*self._picture_rows, *moves)),
            ("Measurements and log", (*self._texts.measurements.rows, *self._page_rows)),
        ]
        await show_text("The well view", key_lines(groups), app_state=self._state, tasks=self._tasks)
