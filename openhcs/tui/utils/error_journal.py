"""The book in which every error is entered before anybody tries to show it.

- G2 (its part). One entry for each error, and a ledger that balances at any moment:
  `received = shown + coalesced + logged only + dropped`. The same exception object arriving twice is one error.
- G7 (its part). A storm of any length uses bounded memory: repeats of one error are counted on its entry as long as
  somebody is still to be told of it; errors that come in great number from one line count as repeats whatever they
  say; of many different errors within a second one in ten is entered, then none, all counted; each change of mode is
  itself a line of the journal.

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
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from types import CodeType, TracebackType
from typing import Any, BinaryIO, NamedTuple

from openhcs.tui.utils.safe_text import describe, format_exception
from openhcs.tui.utils.stack_room import require_room

__all__ = ["Arrival", "ErrorEntry", "ErrorJournal", "Ledger", "Mode", "Reception", "read_unseen"]

_MESSAGE_LIMIT = 20_000
_TRACEBACK_LIMIT = 200_000
_KEPT_ENTRIES = 200
_KEPT_FINGERPRINTS = 500
_QUIET_S = 10.0
"""An error that has not come for so long is a new one when it comes again."""

_RUN_LIMIT = 20
"""Entries that one raising line may have until it has been quiet; what it raises beyond is counted on the last."""

_SHOW_LIMIT = 50
_SAMPLE_LIMIT = 500
"""New kinds of error in one second up to which all, or one in ten, are entered."""

_WRITE_REPEATS_S = 1.0
"""How often the count of an error that keeps coming is brought to the file."""

_COMPARED = 200
"""Characters of a message that tell it from another."""

_CONTINUED = "continued"
_SEEN_MARK = "__openhcs_journal_entry__"

Fingerprint = tuple[type[BaseException], CodeType | str, int]
"""The type, and the code and line that raised it; the context where nothing raised it."""


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
    """One error in the journal; `count` grows when it comes again, `exception` is kept while it is recent.

    `told` is set once nobody is going to be shown it any more: the next one like it is a new error.
    """

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
    told: bool = False


class Reception(NamedTuple):
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
    """What one line has raised until it is quiet: its entries by message, how many there were, and when it last came.

    `unwritten` are the repeats of `last` that the file does not know yet.
    """

    last_s: float
    by_message: dict[str, ErrorEntry] = field(default_factory=dict)
    entered: int = 0
    last: ErrorEntry | None = None
    unwritten: int = 0
    written_s: float = float("-inf")


class _SeenMark:
    """Rides on an exception that has been received; it does not travel with copies or pickles of it."""

    def __init__(self, journal: ErrorJournal | None = None) -> None:
        self.journal = journal
        self.entry: ErrorEntry | None = None

    def __reduce__(self) -> tuple[type[_SeenMark], tuple[()]]:
        return _SeenMark, ()


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
        self._close_file: weakref.finalize[[], ErrorJournal] | None = None
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
        """Enter `exception`; the entry is in the file when this returns.

        Raises RecursionError, and has received nothing, where the stack has no room for the work.
        """
        with self._lock:
            known = _marked(exception)
            if known is not None and known.journal is self:
                return Reception(Arrival.KNOWN, known.entry)
            # Marked at once: making its text may run code that reports the very same exception.
            mark = _SeenMark(self)
            marks = _attributes_of(exception)
            marks[_SEEN_MARK] = mark
            try:
                reception = self._receive(exception, context)
            except BaseException:
                if known is not None:
                    marks[_SEEN_MARK] = known
                else:
                    marks.pop(_SEEN_MARK, None)
                raise
            mark.entry = reception.entry
            return reception

    def _receive(self, exception: BaseException, context: str) -> Reception:
        now = self._clock()
        fingerprint = _fingerprint(exception, context)
        run = self._runs.get(fingerprint)
        if run is None or now - run.last_s > _QUIET_S:
            run = _Run(now)
        message = describe(exception)[:_COMPARED] if run.entered < _RUN_LIMIT else ""
        entry = run.by_message.get(message) if run.entered < _RUN_LIMIT else run.last
        run.last_s = now
        if entry is not None and (run.entered >= _RUN_LIMIT or not entry.told):
            if entry is not run.last or now - run.written_s >= _WRITE_REPEATS_S:
                require_room(15)
            self._received += 1
            self._coalesced += 1
            self._repeat(run, entry, now)
            return Reception(Arrival.COALESCED, entry)
        if not self._admits(now):
            self._received += 1
            self._dropped += 1
            return Reception(Arrival.DROPPED, None)
        require_room()
        entry = self._make_entry(exception, context)
        self._received += 1
        self._logged_only += 1
        self._write_repeats(run, now)
        run.by_message[message] = run.last = entry
        run.entered += 1
        self._remember(fingerprint, run)
        self._write_entry(entry)
        return Reception(Arrival.NEW, entry)

    def mark_told(self, entry: ErrorEntry) -> None:
        """Note that nobody will be shown `entry` any more; the next error like it gets an entry of its own."""
        entry.told = True

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
            for run in list(self._runs.values()):
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
            self._let_file_go()

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

    def _repeat(self, run: _Run, entry: ErrorEntry, now: float) -> None:
        entry.count += 1
        if entry is not run.last:
            self._write_repeats(run, now)
            run.last = entry
        run.unwritten += 1
        if now - run.written_s >= _WRITE_REPEATS_S:
            self._write_repeats(run, now)

    def _remember(self, fingerprint: Fingerprint, run: _Run) -> None:
        self._runs[fingerprint] = run
        self._runs.move_to_end(fingerprint)
        if len(self._runs) > _KEPT_FINGERPRINTS:
            _, oldest = self._runs.popitem(last=False)
            self._write_repeats(oldest, self._clock())

    # -- entries and lines ---------------------------------------------------------------------------------------

    def _make_entry(self, exception: BaseException, context: str) -> ErrorEntry:
        entry = ErrorEntry(
            id=0,
            time_s=self._wall_clock(),
            context=_shorten(context, _MESSAGE_LIMIT),
            type_name=type(exception).__qualname__,
            message=_shorten(describe(exception), _MESSAGE_LIMIT),
            traceback=_shorten(format_exception(exception), _TRACEBACK_LIMIT),
            thread=threading.current_thread().name,
            exception=exception,
        )
        # Making the texts may have run code that entered other errors.
        entry.id, self._next_id = self._next_id, self._next_id + 1
        return entry

    def _write_entry(self, entry: ErrorEntry) -> None:
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

    def _write_repeats(self, run: _Run, now: float) -> None:
        if run.unwritten and run.last is not None:
            self._write({"event": "repeated", "id": run.last.id, "times": run.unwritten})
            run.unwritten = 0
            run.written_s = now

    def _write(self, line: Mapping[str, Any]) -> None:
        if self.path is None:
            return
        try:
            if self._file is None:
                self._open(self.path, "start")
            if self._size > self._max_bytes:
                self._rotate(self.path)
            assert self._file is not None
            data = json.dumps(line, ensure_ascii=True).encode() + b"\n"
            self._file.write(data)
            self._size += len(data)
        except OSError as error:
            self._file_failed(error)
        except ValueError as error:
            # A path that no file can have, such as one with a null character.
            self._file_failed(OSError(None, str(error)))

    def _open(self, path: Path, event: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Unbuffered: a line is with the kernel when write returns, so it outlives this process.
        self._file = path.open("ab", buffering=0)
        self._close_file = weakref.finalize(self, self._file.close)
        self._size = path.stat().st_size
        start = {"event": event, "pid": os.getpid(), "time_s": self._wall_clock()}
        self._file.write(json.dumps(start).encode() + b"\n")

    def _rotate(self, path: Path) -> None:
        self._let_file_go()
        for number in range(self._keep - 1, 0, -1):
            older = path.with_name(f"{path.name}.{number}")
            if older.exists():
                older.replace(path.with_name(f"{path.name}.{number + 1}"))
        path.replace(path.with_name(f"{path.name}.1"))
        self._open(path, _CONTINUED)

    def _let_file_go(self) -> None:
        close, self._close_file, self._file = self._close_file, None, None
        if close is not None:
            close()

    def _file_failed(self, error: OSError) -> None:
        # A journal that cannot be written goes on in memory; who asked to know is told once.
        self.path, failed = None, self.path
        with contextlib.suppress(OSError):
            self._let_file_go()
        told, self.on_write_error = self.on_write_error, None
        if told is not None:
            told(OSError(error.errno, f"error journal: {error.strerror}", str(failed)))


def read_unseen(path: Path) -> tuple[ErrorEntry, ...]:
    """The errors that the last process to write `path` entered and never showed, oldest first.

    Lines that cannot be read, such as one torn by a crash, are passed over.
    """
    unseen: dict[int, ErrorEntry] = {}
    for line in _lines_of_session(path):
        match line:
            case {"event": "start"}:
                unseen = {}
            case {"event": "error", "id": int(number)}:
                unseen[number] = ErrorEntry(
                    id=number,
                    time_s=_number(line.get("time_s")),
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


def _lines_of_session(path: Path) -> list[Mapping[str, Any]]:
    """The lines of `path`, after those of the older files from which its session goes on."""
    lines: list[Mapping[str, Any]] = list(_lines(path))
    number = 1
    while lines and lines[0].get("event") == _CONTINUED:
        older = list(_lines(path.with_name(f"{path.name}.{number}")))
        if not older:
            break
        lines = older + lines
        number += 1
    return lines


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


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
    # Past whatever the exception's class says of its attributes.
    traceback: TracebackType | None = BaseException.__getattribute__(exception, "__traceback__")
    if traceback is None:
        return type(exception), context, 0
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    return type(exception), traceback.tb_frame.f_code, traceback.tb_lineno


def _marked(exception: BaseException) -> _SeenMark | None:
    mark = _attributes_of(exception).get(_SEEN_MARK)
    return mark if isinstance(mark, _SeenMark) else None


# Every exception has attributes of its own, whatever its class says of them or does when they are asked for.
_attributes_of: Callable[[BaseException], dict[str, Any]] = vars(BaseException)["__dict__"].__get__


def _shorten(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    return f"{text[: limit // 2]}\n… {len(text) - limit:,} characters left out …\n{text[-limit // 2 :]}"
