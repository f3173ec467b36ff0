"""The log of a run for looking at: what happened, from its journal, and what its processes printed.

`LogReader.read` follows the file, keeps which of its lines a filter lets through and which of these a search finds, and
brings the blocks of lines that are wanted. It blocks: call it in a thread, one call at a time. Import it there too, for
with the journal's events comes pydantic. What is asked and answered is in `run_log_query`.

Checked by tests/core/test_run_log.py.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeAlias

from openhcs.core.followed_lines import FollowedLines
from openhcs.core.journal import read_event
from openhcs.core.results import ResultsFolder
from openhcs.core.run_folder import RunFolder
from openhcs.core.run_log_query import LogKind, LogLevel, LogPage, LogQuery
from openhcs.core.well_records import event_line
from openhcs.errors import StoreError

__all__ = ["LogReader"]

_EVENTS: Final = {
    LogLevel.ERRORS: re.compile(rb'"kind":"(well|run)_failed"'),
    LogLevel.WARNINGS: re.compile(rb'"kind":"((well|run)_(failed|cancelled)|well_retried|run_warned|run_waiting)"'),
}
_PRINTED: Final = {
    LogLevel.ERRORS: re.compile(rb"(?i)\b(error|critical|fatal|traceback)\b|\w(Error|Exception)\b"),
    LogLevel.WARNINGS: re.compile(
        rb"(?i)\b(warn|warning|error|critical|fatal|traceback)\b|\w(Error|Exception|Warning)\b"
    ),
}
_SCANNED_BLOCKS: Final = 200
"""Blocks that are looked through in one call, so that its answer comes soon."""


_Show: TypeAlias = Callable[[bytes], str]
"""The text of a line as it is shown."""

_Passes: TypeAlias = Callable[[bytes, _Show], bool]


class LogReader:
    """Reads the log of the run that was started last in the results folder `out`."""

    def __init__(self, out: Path) -> None:
        self._results = ResultsFolder(out)
        self._files: dict[LogKind, FollowedLines] = {}
        self._run: Path | None = None
        self._passing, self._found = _Selection(*_filter_of(LogQuery())), _Selection(*_search_of(LogQuery()))
        self._asked: LogQuery | None = None

    def read(self, query: LogQuery) -> LogPage:
        """How the log is now, as `query` asks for it; `is_behind` says that there is more to be looked through.

        Raises:
            StoreError: there was no run, or its log cannot be read.
        """
        folder = RunFolder.newest(self._results)
        if folder is None:
            raise StoreError(f"log: no run has been in {self._results.path}; expected one. Run the plate.")
        if folder.path != self._run:
            self._run, self._asked = folder.path, None
            self._files = {
                LogKind.EVENTS: FollowedLines(folder.journal),
                LogKind.PRINTED: FollowedLines(folder.log),
            }
        lines = self._files[query.kind]
        try:
            return self._read(lines, query)
        except OSError as error:
            raise StoreError(
                f"log: {lines.path} ({error.strerror}); expected a readable file. Check its permissions."
            ) from error

    def _read(self, lines: FollowedLines, query: LogQuery) -> LogPage:
        before = len(lines)
        is_behind = lines.poll()
        asked = replace(query, blocks=frozenset())
        if asked != self._asked or len(lines) < before:
            self._asked = asked
            self._passing = _Selection(*_filter_of(query))
            self._found = _Selection(*_search_of(query))
        show = _event_text if query.kind is LogKind.EVENTS else _printed_text
        if query.is_filtered:
            is_behind |= self._passing.extend(lines, show)
        if query.search:
            is_behind |= self._found.extend(lines, show)
        last = lines.last_block
        wanted = {block for block in query.blocks if block <= last} | {last, max(0, last - 1)}
        return LogPage(
            path=lines.path,
            total=len(lines),
            passing=self._passing.numbers[:] if query.is_filtered else None,
            found=self._found.numbers[:] if query.search else (),
            blocks={block: [show(raw) for raw in lines.read_block(block)] for block in wanted},
            block_of=lines.block_of,
            is_behind=is_behind,
        )


class _Selection:
    """The numbers of the lines that `passes(raw, text)`, as far as the file has been looked through.

    A block of whose bytes nothing matches `hint` is passed over.
    """

    def __init__(self, passes: _Passes, hint: re.Pattern[bytes]) -> None:
        self._passes = passes
        self._hint = hint
        self.numbers: array[int] = array("Q")
        self._next = 0

    def extend(self, lines: FollowedLines, show: _Show) -> bool:
        """Look through what is new, some blocks of it at most; whether there is more."""
        # The last line may not have been written to its end when it was looked at.
        while self.numbers and self.numbers[-1] >= self._next:
            self.numbers.pop()
        count = len(lines)
        blocks = 0
        while self._next < count and blocks < _SCANNED_BLOCKS:
            block, place = lines.block_of(self._next)
            self.numbers.extend(self._looked_through(lines.read_block(block), place, show))
            blocks += 1
        is_behind = self._next < count
        self._next = min(self._next, lines.complete)
        return is_behind

    def _looked_through(self, block: Sequence[bytes], place: int, show: _Show) -> Iterator[int]:
        start = self._next - place
        self._next = start + max(len(block), place + 1)
        if self._hint.search(b"\n".join(block[place:])) is None:
            return
        for number, raw in enumerate(block[place:], start=start + place):
            if self._passes(raw, show):
                yield number


def _filter_of(query: LogQuery) -> tuple[_Passes, re.Pattern[bytes]]:
    levels = _EVENTS if query.kind is LogKind.EVENTS else _PRINTED
    patterns = [levels[query.level]] if query.level is not LogLevel.ALL else []
    if query.well:
        well = re.escape(query.well).encode()
        patterns.append(re.compile(b'"well":"%s"' % well if query.kind is LogKind.EVENTS else rb"\b%s\b" % well))
    hint = patterns[-1] if patterns else re.compile(b"")
    return lambda raw, show: all(pattern.search(raw) for pattern in patterns), hint


def _search_of(query: LogQuery) -> tuple[_Passes, re.Pattern[bytes]]:
    """Finds what is written with capitals as it is, other words in any case; and what the filter lets through only."""
    flags = re.IGNORECASE if query.search == query.search.lower() else re.RegexFlag(0)
    pattern = re.compile(re.escape(query.search), flags)
    passes, _ = _filter_of(query)
    hint = re.compile(b"")
    if query.kind is LogKind.PRINTED and query.search.isascii():
        hint = re.compile(re.escape(query.search.encode()), flags)
    return lambda raw, show: pattern.search(show(raw)) is not None and passes(raw, show), hint


def _printed_text(line: bytes) -> str:
    return line.decode(errors="replace")


def _event_text(line: bytes) -> str:
    event = read_event(line)
    return event_line(event, with_well=True) if event is not None else _printed_text(line)
