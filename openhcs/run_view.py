"""How a run that goes on looks on standard error: a line that moves in a terminal, a line now and then elsewhere.

In a terminal the line has what fits: wells done, failed, time left, pace, wells under way. Elsewhere, in a batch
system's log say, there is one every half minute. Wells that fail are told as they do, the first of them; the
table at the end has all.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.live import Live
from rich.text import Text

from openhcs.core.progress import Failure, RunProgress, RunState, WellProgress, WellState
from openhcs.tui.run_text import count_of, ordinal
from openhcs.tui.utils.safe_text import visible, visible_lines
from openhcs.tui.widgets.progress import bar, duration_text

__all__ = ["View", "pace_text", "progress_line", "run_view", "tell", "why_text"]

LINE_EVERY_S: Final = 30.0
FAILURES_TOLD: Final = 20
LINE_CELLS: Final = 100
_BAR_CELLS: Final = 20


class View(Protocol):
    """Shows how a run stands."""

    def show(self, progress: RunProgress) -> None:
        """Show `progress`, which replaces what was shown before."""

    def say(self, text: str) -> None:
        """Show a line that stays."""


@contextmanager
def run_view(*, quiet: bool = False) -> Iterator[View]:
    """The view that fits where standard error goes; a quiet one tells of failed wells only."""
    console = Console(stderr=True, highlight=False)
    if quiet or not console.is_terminal or console.is_dumb_terminal:
        yield _Lines(every_s=None if quiet else LINE_EVERY_S)
        return
    # What others print is left alone, and nothing is drawn behind our back: a terminal that is gone is noticed here.
    with Live(
        console=console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
    ) as live:
        yield _MovingLine(live)


def progress_line(
    progress: RunProgress, now_s: float, width: int, *, ascii: bool = False, with_bar: bool = True
) -> str:
    """How a run stands in at most `width` cells, what matters most first."""
    if not progress.total:
        return set_cell_size(progress.state.value, width).rstrip()
    if progress.state is RunState.WAITING:
        place = f" ({ordinal(progress.place)})" if progress.place else ""
        return set_cell_size(f"waiting for its turn{place}: {count_of(progress.total, 'well')}", width).rstrip()
    ended = sum(well.state.has_ended for well in progress.wells.values())
    left_s = progress.eta_s(now_s)
    parts = [
        f"{bar(progress.fraction, _BAR_CELLS, ascii)} " if with_bar and width >= 2 * _BAR_CELLS else "",
        f"{ended}/{progress.total} wells",
        f", {progress.failed} failed" if progress.failed else "",
        ", starting workers" if progress.is_starting else "",
        f", {visible(progress.waiting)}" if progress.waiting else "",
        f", {duration_text(left_s)} left" if left_s is not None else "",
        f", {pace}" if (pace := pace_text(progress, now_s)) else "",
    ]
    under_way = [_place(well) for well in progress.wells.values() if well.state is WellState.RUNNING]
    parts += [f"{', ' if number else '  '}{place}" for number, place in enumerate(under_way)]
    line = ""
    for part in parts:
        if line and cell_len(line) + cell_len(part) > width:
            break
        line += part
    return set_cell_size(line, width).rstrip()


def pace_text(progress: RunProgress, now_s: float) -> str:
    """Wells done in a minute or an hour since the run began; empty until there is one. Reused wells do not count."""
    done = progress.counts[WellState.FINISHED] + progress.failed
    if not done or progress.started_s is None or now_s <= progress.started_s:
        return ""
    in_a_minute = 60 * done / (now_s - progress.started_s)
    number, unit = (in_a_minute, "min") if in_a_minute >= 1 else (60 * in_a_minute, "h")
    return f"{number:.0f} wells/{unit}" if number >= 10 else f"{number:.1f} wells/{unit}"


def why_text(failure: Failure | None) -> str:
    """Where and why a well failed, in a line; empty where it did not."""
    if failure is None:
        return ""
    place = ", ".join(part for part in (failure.step, failure.plane) if part)
    return visible(f"{place}: {failure.message}" if place else failure.message)


def tell(message: str) -> None:
    """Say something on standard error, whatever it contains."""
    print(visible_lines(message), file=sys.stderr, flush=True)  # noqa: T201


class _News:
    """The sentences about what came since the last look: wells that failed, up to a number, wells that are tried again,
    and what is the matter with workers."""

    def __init__(self) -> None:
        self._failed: set[str] = set()
        self._retried: dict[str, int] = {}
        self._warnings = 0

    def since_last_look(self, progress: RunProgress) -> Iterator[str]:
        for warning in progress.warnings[self._warnings :]:
            yield f"note: {visible(warning)}"
        self._warnings = len(progress.warnings)
        yield from self._new_retries(progress)
        yield from self._new_failures(progress)

    def _new_retries(self, progress: RunProgress) -> Iterator[str]:
        for name, well in progress.wells.items():
            if well.retries > self._retried.get(name, 0):
                self._retried[name] = well.retries
                if len(self._retried) <= FAILURES_TOLD:
                    yield f"{visible(name)} is tried again: {visible(well.retried)}"

    def _new_failures(self, progress: RunProgress) -> Iterator[str]:
        if progress.failed <= len(self._failed):
            return
        for name, well in progress.wells.items():
            if well.state is WellState.FAILED and name not in self._failed:
                self._failed.add(name)
                if len(self._failed) <= FAILURES_TOLD:
                    yield f"{visible(name)} failed: {why_text(well.failure)}"
                if len(self._failed) == FAILURES_TOLD:
                    yield "More wells that fail are counted here, and named when the run has ended."


class _Lines:
    """A line now and then, or none."""

    def __init__(self, every_s: float | None) -> None:
        self._every_s = every_s
        self._news = _News()
        self._next_s = 0.0
        self._last = ""

    def show(self, progress: RunProgress) -> None:
        for sentence in self._news.since_last_look(progress):
            self.say(sentence)
        if self._every_s is None or not progress.total or progress.state.has_ended:
            return
        now_s = time.monotonic()
        if now_s < self._next_s:
            return
        self._next_s = now_s + self._every_s
        line = progress_line(progress, time.time(), LINE_CELLS, with_bar=False)
        if progress.state is RunState.WAITING and line == self._last:  # for hours, perhaps
            return
        self._last = line
        self.say(line)

    def say(self, text: str) -> None:
        tell(text)


class _MovingLine:
    """One line at the bottom of the terminal, and above it what is to stay."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._news = _News()
        self._ascii = not live.console.encoding.lower().startswith("utf")

    def show(self, progress: RunProgress) -> None:
        for sentence in self._news.since_last_look(progress):
            self.say(sentence)
        width = max(1, self._live.console.width - 1)
        line = progress_line(progress, time.time(), width, ascii=self._ascii)
        self._live.update(Text(line, no_wrap=True, overflow="crop"), refresh=True)

    def say(self, text: str) -> None:
        self._live.console.print(visible_lines(text), markup=False, soft_wrap=True)


def _place(well: WellProgress) -> str:
    share = f" {well.fraction:.0%}" if well.steps else ""
    return f"{visible(well.well)}{share} {visible(well.step_name)}".rstrip()
