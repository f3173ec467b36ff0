"""What stands beside a well's pictures: its measurements, what made them, what happened to it. Read in threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from prompt_toolkit.application import get_app
from prompt_toolkit.formatted_text import StyleAndTextTuples

from openhcs.core.progress import WellProgress
from openhcs.errors import OpenHCSError
from openhcs.tui.effects.wells import WellReader, WellRecord
from openhcs.tui.panes.plate_text import well_detail_text
from openhcs.tui.panes.well_pages import TablePage, TextPage
from openhcs.tui.panes.well_pictures import Subject
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.utils.unified_task_manager import UnifiedTaskManager

__all__ = ["WellTexts"]

_PAUSE_S: Final = 0.06
"""How long a well is selected before it is read, so that a held key reads nothing on its way."""

_NOTHING: Final = WellRecord((), (), None, ())


class WellTexts:
    """The three pages, of one well at a time.

    Args:
        table: the name of the table that is shown where a well has it.
        start: starts reading what it names, in the place of what is being read of that.
    """

    def __init__(
        self,
        reader: WellReader,
        table: str,
        start: Callable[[str, Coroutine[Any, Any, None]], None],
        tasks: UnifiedTaskManager,
    ) -> None:
        self._reader = reader
        self._start = start
        self._subject: Subject | None = None
        self._well: WellProgress | None = None
        self.table = table
        self.record = _NOTHING
        self.measurements = TablePage(self._sort, tasks)
        self.provenance = TextPage(_draw_line)
        self.log = TextPage(_draw_line)

    def show(self, subject: Subject, well: WellProgress) -> None:
        """Show `well` from now on: what a run tells of it at once, what lies in its results when it is read."""
        if subject != self._subject:
            self.record = _NOTHING
            self.measurements.show(None, "reading")
        self._subject, self._well = subject, well
        self._show_lines()
        self._start("record", self._load(subject))

    @property
    def failure(self) -> tuple[str, str] | None:
        """What is told of why the well failed, and the traceback."""
        failure = (self._well.failure if self._well is not None else None) or self.record.failure
        return (failure.message, failure.traceback) if failure is not None else None

    def next_table(self) -> None:
        """Show the next of its tables."""
        tables = self.record.tables
        if tables and self._subject is not None:
            at = tables.index(self.table) if self.table in tables else -1
            self.table = tables[(at + 1) % len(tables)]
            self._start("record", self._read_table(self._subject))

    async def _load(self, subject: Subject) -> None:
        await asyncio.sleep(_PAUSE_S)
        try:
            self.record = await self._reader.read_record(subject.out, subject.well)
        except OpenHCSError as error:
            self.record = WellRecord((), (str(error),), None, ())
        self._show_lines()
        get_app().invalidate()
        tables = self.record.tables
        if self.table not in tables:
            self.table = next((name for name in ("measurements", *tables) if name in tables), "")
        await self._read_table(subject)

    async def _read_table(self, subject: Subject) -> None:
        if not self.table or subject.out is None:
            self.measurements.show(None, "No measurements of this well yet.")
        else:
            try:
                self.measurements.show(await self._reader.read_table(subject.out, self.table, subject.well))
            except OpenHCSError as error:
                self.measurements.show(None, visible(str(error)))
        get_app().invalidate()

    def _sort(self, column: str, descending: bool) -> None:
        async def sort() -> None:
            table = self.measurements.table
            if table is not None:
                in_order = await self._reader.sort_table(table, column, descending=descending)
                # Another table, or another well's, may have come meanwhile.
                if self.measurements.table is table:
                    self.measurements.show(in_order, keep_order=True)
                    get_app().invalidate()

        self._start("order", sort())

    def _show_lines(self) -> None:
        record = self.record
        self.provenance.show(record.provenance or (" No results of this well yet: nothing made them.",))
        detail: Sequence[str] = list(well_detail_text(self._well)) if self._well is not None else []
        if record.history:
            detail = [*detail, "", "What happened", *record.history]
        self.log.show(detail)


def _draw_line(number: int, line: str) -> StyleAndTextTuples:
    is_title = bool(line) and not line.startswith(" ") and len(line.split()) <= 4 and not line[-1].isdigit()
    return [("class:title" if is_title else "", line)]
