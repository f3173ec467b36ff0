"""The plots of the results view: one at a time, of objects counted or a column measured, read when it is asked for."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Final

from prompt_toolkit.application import get_app
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.layout.containers import Container

from openhcs.core.result_query import Grouping
from openhcs.errors import OpenHCSError
from openhcs.tui.effects.results import ResultReader
from openhcs.tui.panes.drawn_page import DrawnPage
from openhcs.tui.panes.result_plots import Plot, Plotted, drawn_plot, read_plot
from openhcs.tui.panes.whole_screen import LatestTasks
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.widgets.bindings import Binding

__all__ = ["ResultPlotPage"]

_RESTS: Final = 10
"""A plot that follows a run is read again after so many times as long as it took: of a large table, less often."""


class ResultPlotPage:
    """Plots what `offer` says can be plotted.

    `counts(name)` are the objects of a label image by well, as of now. `reading(what)` is a block in which something is
    being read.
    """

    def __init__(
        self,
        reader: ResultReader,
        loading: LatestTasks,
        counts: Callable[[str], Mapping[str, int]],
        reading: Callable[[str], AbstractContextManager[None]],
    ) -> None:
        self._reader = reader
        self._loading = loading
        self._counts = counts
        self._reading = reading
        self._subjects: Sequence[Plotted] = ()
        self._at = 0
        self._by = Grouping.ALL
        self._plot: Plot | None = None
        self._trouble = ""
        self._is_outdated = False
        self._again_s = 0.0
        self._page = DrawnPage(self._lines)
        self.window = self._page.window
        self.rows = (
            Binding(("right", "c", "l"), lambda: self._step(1), "Next", "Plot the next column.", self._why_none),
            Binding(
                ("left", "C", "h"),
                lambda: self._step(-1),
                "Previous",
                "Plot the column before.",
                self._why_none,
                on_footer=False,
            ),
            Binding(("b",), self._next_grouping, "By", "Group by row, by column, by well, or not.", self._why_none),
        )

    def __pt_container__(self) -> Container:
        return self.window

    def offer(self, subjects: Sequence[Plotted]) -> None:
        """Let the user choose among these."""
        self._subjects = subjects
        self._at = min(self._at, max(0, len(subjects) - 1))
        self._load()

    def note_change(self) -> None:
        """The results have changed."""
        self._is_outdated = True

    def keep_up(self) -> None:
        """Read the plot again if it is outdated, but no more often than is cheap; what is seen of it stays in place."""
        if self._is_outdated and time.monotonic() >= self._again_s:
            self._load(again=True)

    def _load(self, *, again: bool = False) -> None:
        if not self._subjects:
            return
        subject, by = self._subjects[self._at], self._by
        counts = self._counts(subject.name) if subject.table is None else {}
        self._is_outdated, self._again_s = False, math.inf

        async def load() -> None:
            begun_s = time.monotonic()
            with nullcontext() if again else self._reading(subject.title):
                try:
                    self._plot, self._trouble = await read_plot(self._reader, subject, by, counts), ""
                except OpenHCSError as error:
                    self._trouble = str(error)
            now_s = time.monotonic()
            self._again_s = now_s + _RESTS * (now_s - begun_s)
            self._page.change()
            if not again:
                self._page.view.scroll_home()
            get_app().invalidate()

        self._loading.start("plot", load(), "read the plot of the results")

    def _step(self, by: int) -> None:
        self._at = (self._at + by) % len(self._subjects)
        self._load()

    def _next_grouping(self) -> None:
        ways = list(Grouping)
        self._by = ways[(ways.index(self._by) + 1) % len(ways)]
        self._load()

    def _why_none(self) -> str | None:
        return None if self._subjects else "There is nothing to plot yet"

    def _lines(self, width: int) -> Sequence[StyleAndTextTuples]:
        if self._trouble:
            return [[("class:error", f" X {visible(self._trouble)}")]]
        if self._plot is None:
            return [[("class:muted", " There is nothing to plot yet.")]]
        title, *rest = drawn_plot(self._plot, width)
        return [[*title, ("class:muted", f"  ({self._at + 1} of {len(self._subjects)})")], *rest]
