"""The book in which every error is entered before anybody tries to show it.

- G2 (its part). One entry for each error, and a ledger that balances at any moment:
  `received = shown + coalesced + logged only + dropped`. The same exception object arriving twice is one error.
- G7 (its part). A storm of any length uses bounded memory: repeats of one error are counted on its entry as long as
  somebody is still to be told of it; errors that come in great number from one line count as repeats whatever they
  say; of many different errors within a second one in ten is entered, then none, all counted; each change of mode is
  itself a line of the journal. What was only counted is told to `on_note`, at most once a second for each.

With a path the journal is also a file (`journal_file`): what was entered is in it when the call returns, so it survives
the death of the process. Without one, and where the file cannot be written, it lives in memory only.

Standard library only; safe from any thread. Checked by tests/tui/utils/test_error_journal.py.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from pathlib import Path
from types import CodeType, TracebackType
from typing import Any, NamedTuple

from openhcs.tui.utils.journal_file import START, JournalFile, read_lines
from openhcs.tui.utils.safe_text import describe, format_exception
from openhcs.tui.utils.stack_room import require_room

__all__ = ["Arrival", "ErrorEntry", "ErrorJournal", "Ledger", "Mode", "Reception", "read_unseen"]

_MESSAGE_LIMIT = 20_000
_TRACEBACK_LIMIT = 200_000
_KEPT_ENTRIES = 200
_KEPT_EXCEPTIONS = 50
"""Entries that keep their exception, and by that all that its frames hold."""

_KEPT_FINGERPRINTS = 500
_QUIET_S = 10.0
"""An error that has not come for so long is a new one when it comes again."""

_RUN_LIMIT = 20
"""Entries that one raising line may have until it has been quiet; what it raises beyond is counted on the last."""

_SHOW_LIMIT = 50
_SAMPLE_LIMIT = 500
"""New kinds of error in one second up to which all, or one in ten, are entered."""

_NOTE_REPEATS_S = 1.0
"""How often the count of an error that keeps coming is brought to the file and to `on_note`."""

_COMPARED = 200
"""Characters of a message that tell it from another."""

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
    counting_since_s: float = 0.0


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
        self.on_write_error: Callable[[OSError], None] | None = None
        self.on_note: Callable[[str], None] | None = None
        self._file = JournalFile(path, max_bytes, keep) if path is not None else None
        self._clock = clock
        self._wall_clock = wall_clock
        # Re-entrant: a finaliser or a signal handler may report while this thread is in here.
        self._lock = threading.RLock()
        self._untold: deque[Callable[[], None]] = deque()
        self._next_id = 1
        self._received = self._shown = self._coalesced = self._logged_only = self._dropped = 0
        self._noted_dropped = 0
        self._recent: deque[ErrorEntry] = deque()
        self._with_exception: deque[ErrorEntry] = deque()
        self._runs: OrderedDict[Fingerprint, _Run] = OrderedDict()
        self._mode = Mode.SHOW
        self._second_began = float("-inf")
        self._new_this_second = 0

    @property
    def path(self) -> Path | None:
        """The file, or None for a journal in memory, such as one whose file could not be written."""
        return self._file.path if self._file is not None else None

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
        marks = _attributes_of(exception)
        with self._lock:
            known = _marked(marks)
            if known is not None and known.journal is self:
                return Reception(Arrival.KNOWN, known.entry)
            # Marked at once: making its text may run code that reports the very same exception.
            mark = marks[_SEEN_MARK] = _SeenMark(self)
            fingerprint = _fingerprint(exception, context)
            now = self._clock()
            run = self._runs.get(fingerprint)
            counts = run is not None and run.entered >= _RUN_LIMIT and now - run.last_s <= _QUIET_S
        try:
            # Not under the lock: the exception's class may take its time, and wait for another thread that reports.
            text = describe(exception) if not counts else ""
            reception = self._receive(exception, context, fingerprint, now, text, mark)
        except BaseException:
            if known is not None:
                marks[_SEEN_MARK] = known
            else:
                marks.pop(_SEEN_MARK, None)
            raise
        if self._untold:
            self._tell()
        return reception

    def _receive(
        self, exception: BaseException, context: str, fingerprint: Fingerprint, now: float, text: str, mark: _SeenMark
    ) -> Reception:
        message = text[:_COMPARED]
        with self._lock:
            run = self._run_of(fingerprint, now)
            same = run.last if run.entered >= _RUN_LIMIT else run.by_message.get(message)
            if same is not None and (run.entered >= _RUN_LIMIT or not same.told):
                return self._coalesce(run, same, now, mark)
            # Without a text the run was forgotten in the meantime, for newer ones.
            text = text or describe(exception)
            require_room()
            if not self._admits(now):
                self._received += 1
                self._dropped += 1
                return Reception(Arrival.DROPPED, None)
            entry = mark.entry = self._new_entry(exception, context, text)
            self._received += 1
            self._logged_only += 1
            self._note_repeats(run)
            run.by_message[message] = run.last = entry
            run.entered += 1
            self._remember(fingerprint, run)
        entry.traceback = _shorten(format_exception(exception), _TRACEBACK_LIMIT)
        with self._lock:
            self._write_entry(entry)
        return Reception(Arrival.NEW, entry)

    def _run_of(self, fingerprint: Fingerprint, now: float) -> _Run:
        run = self._runs.get(fingerprint)
        if run is None or now - run.last_s > _QUIET_S:
            if run is not None:
                self._note_repeats(run)
            run = _Run(now)
        run.last_s = now
        return run

    def _coalesce(self, run: _Run, entry: ErrorEntry, now: float, mark: _SeenMark) -> Reception:
        if entry is not run.last or now - run.counting_since_s >= _NOTE_REPEATS_S:
            require_room(15)
        mark.entry = entry
        self._received += 1
        self._coalesced += 1
        self._repeat(run, entry, now)
        return Reception(Arrival.COALESCED, entry)

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
        self._tell()

    def note_repeats(self) -> None:
        """Bring all that has only been counted so far to the file and to `on_note`."""
        with self._lock:
            for run in list(self._runs.values()):
                self._note_repeats(run)
            if missed := self._dropped - self._noted_dropped:
                self._noted_dropped = self._dropped
                self._note(f"{missed:,} errors of many kinds came too fast to be entered")
        self._tell()

    def flush(self) -> None:
        """Bring the counts of all repeats to the file, and the file to the disk."""
        self.note_repeats()
        with self._lock:
            if self._file is not None:
                try:
                    self._file.sync()
                except (OSError, ValueError) as error:
                    self._file_failed(error)
        self._tell()

    def close(self) -> None:
        """Flush and close the file; a later entry opens it again."""
        self.flush()
        with self._lock:
            if self._file is not None and self._file.is_open:
                self._write({"event": "end"})
            if self._file is not None:
                self._file.close()
        self._tell()

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
            self._note_repeats(run)
            run.last = entry
        if run.unwritten == 0:
            run.counting_since_s = now
        run.unwritten += 1
        if now - run.counting_since_s >= _NOTE_REPEATS_S:
            self._note_repeats(run)

    def _remember(self, fingerprint: Fingerprint, run: _Run) -> None:
        self._runs[fingerprint] = run
        self._runs.move_to_end(fingerprint)
        if len(self._runs) > _KEPT_FINGERPRINTS:
            _, oldest = self._runs.popitem(last=False)
            self._note_repeats(oldest)

    # -- entries and lines ---------------------------------------------------------------------------------------

    def _new_entry(self, exception: BaseException, context: str, text: str) -> ErrorEntry:
        number, self._next_id = self._next_id, self._next_id + 1
        return ErrorEntry(
            id=number,
            time_s=self._wall_clock(),
            context=_shorten(context, _MESSAGE_LIMIT),
            type_name=type(exception).__qualname__,
            message=_shorten(text, _MESSAGE_LIMIT),
            traceback="",
            thread=threading.current_thread().name,
            exception=exception,
        )

    def _write_entry(self, entry: ErrorEntry) -> None:
        self._recent.append(entry)
        if len(self._recent) > _KEPT_ENTRIES:
            self._recent.popleft()
        self._with_exception.append(entry)
        if len(self._with_exception) > _KEPT_EXCEPTIONS:
            self._with_exception.popleft().exception = None
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

    def _note_repeats(self, run: _Run) -> None:
        entry = run.last
        if run.unwritten == 0 or entry is None:
            return
        self._write({"event": "repeated", "id": entry.id, "times": run.unwritten})
        self._note(
            f"{entry.context} failed {run.unwritten:,} more times, {entry.count:,} in all: "
            f"{entry.type_name}: {entry.message}"
        )
        run.unwritten = 0

    def _write(self, line: Mapping[str, Any]) -> None:
        if self._file is not None:
            try:
                self._file.append(line, self._wall_clock())
            except (OSError, ValueError) as error:
                self._file_failed(error)

    def _file_failed(self, error: OSError | ValueError) -> None:
        # A journal that cannot be written goes on in memory; who asked to know is told once.
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):
                file.close()
        tell, self.on_write_error = self.on_write_error, None
        if tell is not None and file is not None:
            number, reason = (error.errno, error.strerror) if isinstance(error, OSError) else (None, str(error))
            self._untold.append(partial(tell, OSError(number, f"error journal: {reason}", str(file.path))))

    def _note(self, text: str) -> None:
        if self.on_note is not None:
            self._untold.append(partial(self.on_note, text))

    def _tell(self) -> None:
        """Call those who wait for news; not under the lock, for they may do anything."""
        while self._untold:
            try:
                tell = self._untold.popleft()
            except IndexError:
                # Another thread was faster.
                return
            # News that cannot be told is in the file all the same; whoever hands over an error is not to blame.
            with contextlib.suppress(Exception):
                tell()


def read_unseen(path: Path) -> tuple[ErrorEntry, ...]:
    """The errors entered since the last process began to write `path`, and never shown, oldest first.

    Lines that cannot be read, such as one torn by a crash, are passed over.
    """
    unseen: dict[tuple[object, int], ErrorEntry] = {}
    for line in read_lines(path):
        session = str(line.get("session"))
        match line:
            case {"event": str(event)} if event == START:
                unseen = {}
            case {"event": "error", "id": int(number)}:
                unseen[session, number] = ErrorEntry(
                    id=number,
                    time_s=_number(line.get("time_s")),
                    context=str(line.get("context", "")),
                    type_name=str(line.get("type", "")),
                    message=str(line.get("message", "")),
                    traceback=str(line.get("traceback", "")),
                    thread=str(line.get("thread", "")),
                    exception=None,
                )
            case {"event": "repeated", "id": int(number), "times": int(times)} if (session, number) in unseen:
                unseen[session, number].count += times
            case {"event": "shown", "id": int(number)}:
                unseen.pop((session, number), None)
    return tuple(unseen.values())


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _fingerprint(exception: BaseException, context: str) -> Fingerprint:
    # Past whatever the exception's class says of its attributes.
    traceback: TracebackType | None = BaseException.__getattribute__(exception, "__traceback__")
    if traceback is None:
        return type(exception), context, 0
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    return type(exception), traceback.tb_frame.f_code, traceback.tb_lineno


def _marked(marks: Mapping[str, Any]) -> _SeenMark | None:
    mark = marks.get(_SEEN_MARK)
    return mark if isinstance(mark, _SeenMark) else None


# Every exception has attributes of its own, whatever its class says of them or does when they are asked for.
_attributes_of: Callable[[BaseException], dict[str, Any]] = vars(BaseException)["__dict__"].__get__


def _shorten(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    return f"{text[: limit // 2]}\n… {len(text) - limit:,} characters left out …\n{text[-limit // 2 :]}"
