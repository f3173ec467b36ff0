"""The book in which every error is entered before anybody tries to show it.

- G2 (its part). One entry for each error, and a ledger that balances at any moment:
  `received = shown + coalesced + logged only + dropped`. The same exception object arriving twice is one error.
- G7 (its part). A storm of any length uses bounded memory: repeats of one error (same type, same raising line) are
  counted on its entry; of many different errors within a second one in ten is entered, then none, all counted; each
  change of mode is itself a line of the journal.

On disk the journal is JSON lines, appended and never changed, rotated by size. A line is written and flushed before the
call returns, so what was entered survives the death of the process. Without a path it lives in memory only.

Standard library only; safe from any thread. Checked by tests/tui/utils/test_error_journal.py.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from types import CodeType
from typing import Any, BinaryIO

from openhcs.tui.utils.safe_text import describe, format_exception

__all__ = ["Arrival", "ErrorEntry", "ErrorJournal", "Ledger", "Mode", "Reception", "read_unseen"]

_MESSAGE_LIMIT = 20_000
_TRACEBACK_LIMIT = 200_000
_KEPT_ENTRIES = 200
_KEPT_FINGERPRINTS = 500
_QUIET_S = 10.0
"""An error that has not come for so long gets a new entry when it comes again."""

_SHOW_LIMIT = 50
_SAMPLE_LIMIT = 500
"""New kinds of error in one second up to which all, or one in ten, are entered."""

_SEEN_MARK = "__openhcs_journal_entry__"

Fingerprint = tuple[type[BaseException], CodeType | str, int]


class Mode(Enum):
    """How new kinds of error are treated now."""

    SHOW = "show"
    SAMPLE = "sample"
    DROP = "drop"


class Arrival(Enum):
    """What became of an error that was handed to the journal."""

    NEW = "new"
    COALESCED = "coalesced"
    DROPPED = "dropped"
    KNOWN = "known"
    """The very same exception object has been received before; it is not counted again."""


@dataclass(slots=True, eq=False)
class ErrorEntry:
    """One error in the journal; `count` grows when it comes again, `exception` is kept while it is recent."""

    id: int
    time_s: float
    context: str
    type_name: str
    message: str
    traceback: str
    thread: str
    exception: BaseException | None
    count: int = 1
    shown: bool = False


@dataclass(frozen=True, slots=True)
class Reception:
    """The answer to `ErrorJournal.receive`: what became of the error, and its entry if it has one."""

    arrival: Arrival
    entry: ErrorEntry | None


@dataclass(frozen=True, slots=True)
class Ledger:
    """How many errors were received and what became of them."""

    received: int = 0
    shown: int = 0
    coalesced: int = 0
    logged_only: int = 0
    dropped: int = 0

    @property
    def balances(self) -> bool:
        """Whether each received error is accounted for exactly once."""
        return self.received == self.shown + self.coalesced + self.logged_only + self.dropped


@dataclass(slots=True)
class _Run:
    """Repeats of one error: its entry, when it last came, and how many repeats the file does not know yet."""

    entry: ErrorEntry
    last_s: float
    unwritten: int = 0
    written_s: float = field(default=0.0)


class ErrorJournal:
    """Takes errors, entry by entry. `path` is the file, created with its folder when the first line is written."""

    def __init__(
        self,
        path: Path | None = None,
        *,
        max_bytes: int = 4_000_000,
        keep: int = 3,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.path = path
        self.on_write_error: Callable[[OSError], None] | None = None
        self._max_bytes = max_bytes
        self._keep = keep
        self._clock = clock
        self._wall_clock = wall_clock
        # Re-entrant: a finaliser or a signal handler may report while this thread is in here.
        self._lock = threading.RLock()
        self._file: BinaryIO | None = None
        self._size = 0
        self._next_id = 1
        self._received = self._shown = self._coalesced = self._logged_only = self._dropped = 0
        self._recent: deque[ErrorEntry] = deque()
        self._runs: OrderedDict[Fingerprint, _Run] = OrderedDict()
        self._mode = Mode.SHOW
        self._second_began = float("-inf")
        self._new_this_second = 0

    @property
    def ledger(self) -> Ledger:
        """The counts, taken at one moment."""
        with self._lock:
            return Ledger(self._received, self._shown, self._coalesced, self._logged_only, self._dropped)

    @property
    def mode(self) -> Mode:
        """How new kinds of error are treated now."""
        return self._mode

    def entries(self) -> tuple[ErrorEntry, ...]:
        """The recent entries of this process, oldest first."""
        with self._lock:
            return tuple(self._recent)

    def receive(self, exception: BaseException, context: str) -> Reception:
        """Enter `exception`; the entry is in the file when this returns."""
        with self._lock:
            known = _marked(exception, self)
            if known is not None:
                return Reception(Arrival.KNOWN, known)
            self._received += 1
            # Counted first as what it is if nothing more can be done for it.
            self._logged_only += 1
            now = self._clock()
            fingerprint = _fingerprint(exception, context)
            run = self._runs.get(fingerprint)
            if run is not None and now - run.last_s <= _QUIET_S:
                self._logged_only -= 1
                self._coalesced += 1
                run.entry.count += 1
                run.last_s = now
                run.unwritten += 1
                self._runs.move_to_end(fingerprint)
                _mark(exception, self, run.entry)
                if now - run.written_s >= 1.0:
                    self._write_repeats(run, now)
                return Reception(Arrival.COALESCED, run.entry)
            if not self._admits(now):
                self._logged_only -= 1
                self._dropped += 1
                return Reception(Arrival.DROPPED, None)
            entry = self._enter(exception, context)
            self._remember(fingerprint, _Run(entry, now, written_s=now))
            _mark(exception, self, entry)
            return Reception(Arrival.NEW, entry)

    def mark_shown(self, entry: ErrorEntry) -> None:
        """Note that a user has had `entry` before their eyes."""
        with self._lock:
            if entry.shown:
                return
            entry.shown = True
            self._logged_only -= 1
            self._shown += 1
            self._write({"event": "shown", "id": entry.id})

    def flush(self) -> None:
        """Bring the counts of all repeats to the file, and the file to the disk."""
        with self._lock:
            now = self._clock()
            for run in self._runs.values():
                self._write_repeats(run, now)
            if self._file is not None:
                try:
                    os.fsync(self._file.fileno())
                except OSError as error:
                    self._file_failed(error)

    def close(self) -> None:
        """Flush and close the file; a later entry opens it again."""
        with self._lock:
            self.flush()
            self._write({"event": "end"})
            if self._file is not None:
                self._file.close()
                self._file = None

    # -- storms --------------------------------------------------------------------------------------------------

    def _admits(self, now: float) -> bool:
        if now - self._second_began >= 1.0:
            self._second_began = now
            self._new_this_second = 0
        self._new_this_second += 1
        if self._new_this_second <= _SHOW_LIMIT:
            mode, admitted = Mode.SHOW, True
        elif self._new_this_second <= _SAMPLE_LIMIT:
            mode, admitted = Mode.SAMPLE, self._new_this_second % 10 == 0
        else:
            mode, admitted = Mode.DROP, False
        if mode is not self._mode:
            self._mode = mode
            self._write({"event": "mode", "mode": mode.value, "dropped": self._dropped})
        return admitted

    def _remember(self, fingerprint: Fingerprint, run: _Run) -> None:
        self._runs[fingerprint] = run
        self._runs.move_to_end(fingerprint)
        if len(self._runs) > _KEPT_FINGERPRINTS:
            _, oldest = self._runs.popitem(last=False)
            self._write_repeats(oldest, self._clock())

    # -- entries and lines ---------------------------------------------------------------------------------------

    def _enter(self, exception: BaseException, context: str) -> ErrorEntry:
        entry = ErrorEntry(
            id=self._next_id,
            time_s=self._wall_clock(),
            context=context,
            type_name=type(exception).__qualname__,
            message=_shorten(describe(exception), _MESSAGE_LIMIT),
            traceback=_shorten(format_exception(exception), _TRACEBACK_LIMIT),
            thread=threading.current_thread().name,
            exception=exception,
        )
        self._next_id += 1
        self._recent.append(entry)
        if len(self._recent) > _KEPT_ENTRIES:
            self._recent.popleft().exception = None
        self._write(
            {
                "event": "error",
                "id": entry.id,
                "time_s": entry.time_s,
                "context": entry.context,
                "type": entry.type_name,
                "message": entry.message,
                "traceback": entry.traceback,
                "thread": entry.thread,
            }
        )
        return entry

    def _write_repeats(self, run: _Run, now: float) -> None:
        if run.unwritten:
            self._write({"event": "repeated", "id": run.entry.id, "times": run.unwritten})
            run.unwritten = 0
            run.written_s = now

    def _write(self, line: Mapping[str, Any]) -> None:
        if self.path is None:
            return
        try:
            if self._file is None:
                self._open(self.path)
            if self._size > self._max_bytes:
                self._rotate(self.path)
            assert self._file is not None
            data = json.dumps(line, ensure_ascii=True).encode() + b"\n"
            self._file.write(data)
            self._size += len(data)
        except OSError as error:
            self._file_failed(error)

    def _open(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Unbuffered: a line is with the kernel when write returns, so it outlives this process.
        self._file = path.open("ab", buffering=0)
        self._size = path.stat().st_size
        start = {"event": "start", "pid": os.getpid(), "time_s": self._wall_clock()}
        self._file.write(json.dumps(start).encode() + b"\n")

    def _rotate(self, path: Path) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        for number in range(self._keep - 1, 0, -1):
            older = path.with_name(f"{path.name}.{number}")
            if older.exists():
                older.replace(path.with_name(f"{path.name}.{number + 1}"))
        path.replace(path.with_name(f"{path.name}.1"))
        self._open(path)

    def _file_failed(self, error: OSError) -> None:
        # A journal that cannot be written goes on in memory; who asked to know is told once.
        self.path, failed = None, self.path
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None
        if self.on_write_error is not None:
            self.on_write_error(OSError(error.errno, f"error journal: {error.strerror}", str(failed)))


def read_unseen(path: Path) -> tuple[ErrorEntry, ...]:
    """The errors that the last process to write `path` entered and never showed, oldest first.

    Lines that cannot be read, such as one torn by a crash, are passed over.
    """
    unseen: dict[int, ErrorEntry] = {}
    for line in _lines(path):
        match line:
            case {"event": "start"}:
                unseen = {}
            case {"event": "error", "id": int(number)}:
                unseen[number] = ErrorEntry(
                    id=number,
                    time_s=float(line.get("time_s", 0.0)),
                    context=str(line.get("context", "")),
                    type_name=str(line.get("type", "")),
                    message=str(line.get("message", "")),
                    traceback=str(line.get("traceback", "")),
                    thread=str(line.get("thread", "")),
                    exception=None,
                )
            case {"event": "repeated", "id": int(number), "times": int(times)} if number in unseen:
                unseen[number].count += times
            case {"event": "shown", "id": int(number)}:
                unseen.pop(number, None)
    return tuple(unseen.values())


def _lines(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        with path.open("rb") as file:
            for raw in file:
                try:
                    line = json.loads(raw)
                except ValueError:
                    continue
                if isinstance(line, dict):
                    yield line
    except OSError:
        return


def _fingerprint(exception: BaseException, context: str) -> Fingerprint:
    traceback = exception.__traceback__
    if traceback is None:
        return type(exception), context, 0
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    return type(exception), traceback.tb_frame.f_code, traceback.tb_lineno


def _mark(exception: BaseException, journal: ErrorJournal, entry: ErrorEntry) -> None:
    try:
        exception.__dict__[_SEEN_MARK] = (journal, entry)
    except AttributeError:
        # An exception class with slots has no room for the mark; it is then told apart by its fingerprint alone.
        return


def _marked(exception: BaseException, journal: ErrorJournal) -> ErrorEntry | None:
    match getattr(exception, "__dict__", {}).get(_SEEN_MARK):
        case (owner, ErrorEntry() as entry) if owner is journal:
            return entry
        case _:
            return None


def _shorten(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    return f"{text[: limit // 2]}\n… {len(text) - limit:,} characters left out …\n{text[-limit // 2 :]}"
