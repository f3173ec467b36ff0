"""The book in which every error is entered before anybody tries to show it.

- G2 (its part). One entry for each error, and a ledger that balances at any moment:
  `received = shown + coalesced + logged only + dropped`. The same exception object arriving twice is one error.
- G7 (its part). A storm of any length uses bounded memory: repeats of one error are counted on its entry as long as
  somebody is still to be told of it; errors that come in great number from one place count as repeats whatever they
  say; of many different errors within a second one in ten is entered, then none, all counted; each change of mode is
  itself a line of the journal. What was only counted is told to `on_note` once for each run of it.

With a path the journal is also a file (`journal_file`): what was entered is in it when the call returns, so it survives
the death of the process; counts are in it within a second. Without one, and where the file cannot be written, the
journal lives in memory only.

Standard library only; safe from any thread. Checked by tests/tui/utils/test_error_journal.py, proved in
tests/proofs/test_g2_no_error_lost.py and tests/proofs/test_g7_storms.py.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from types import CodeType
from typing import TYPE_CHECKING, Any

from openhcs.tui.utils.error_entry import Arrival, ErrorEntry, Ledger, Reception, read_unseen
from openhcs.tui.utils.error_runs import (
    SEEN_MARK,
    Admission,
    ErrorRun,
    ErrorRuns,
    Fingerprint,
    Mode,
    SeenMark,
    Storm,
    Tally,
    attributes_of,
    fingerprint,
    traceback_of,
)
from openhcs.tui.utils.forking import lock_free_in_child
from openhcs.tui.utils.safe_text import describe, format_exception
from openhcs.tui.utils.stack_room import require_room

if TYPE_CHECKING:
    from pathlib import Path

    from openhcs.tui.utils.journal_file import JournalFile

__all__ = ["Arrival", "ErrorEntry", "ErrorJournal", "Ledger", "Mode", "Reception", "read_unseen"]

_MESSAGE_LIMIT = 20_000
_TRACEBACK_LIMIT = 200_000
_KEPT_ENTRIES = 200
_KEPT_EXCEPTIONS = 50
"""Entries that keep their exception, and by that all that its frames hold; tallies that do, likewise."""

_KEPT_STORMS = 500
_FORGOTTEN_S = 20.0

_COMPARED = 200
"""Characters of a message that tell it from another."""


class ErrorJournal:
    """Takes errors, entry by entry. `path` is the file, created with its folder when the first line is written.

    `on_note(text, exception)` hears of what was only counted, with the last such exception; `on_write_error` once that
    the file cannot be written.
    """

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
        self.on_note: Callable[[str, BaseException | None], None] | None = None
        self._file: JournalFile | None = None
        if path is not None:
            # JSON takes a hundredth of the smallest application's start, which keeps its errors in memory.
            from openhcs.tui.utils.journal_file import JournalFile

            self._file = JournalFile(path, max_bytes, keep)
        self._clock = clock
        self._wall_clock = wall_clock
        # Re-entrant: a finaliser or a signal handler may report while this thread is in here. So under the lock too a
        # table may change between two steps, and is only ever walked through a copy.
        self._lock = lock_free_in_child()
        self._untold: deque[Callable[[], None]] = deque()
        self._next_id = 1
        self._received = self._shown = self._coalesced = self._logged_only = self._dropped = 0
        self._recent: deque[ErrorEntry] = deque()
        self._with_exception: deque[ErrorEntry] = deque()
        self._runs = ErrorRuns()
        self._counting: dict[Tally, None] = {}
        self._storms: dict[int, Storm] = {}
        self._missed = Tally(_entry_of_the_missed(), SeenMark(self), 0.0, told=0)
        self._admission = Admission()

    @property
    def path(self) -> Path | None:
        """The file, or None for a journal in memory, such as one whose file could not be written."""
        return self._file.path if self._file is not None else None

    @property
    def ledger(self) -> Ledger:
        """The counts, taken at one moment."""
        with self._lock:
            self._collect()
            return Ledger(self._received, self._shown, self._coalesced, self._logged_only, self._dropped)

    @property
    def mode(self) -> Mode:
        """How new kinds of error are treated now."""
        return self._admission.mode

    def entries(self) -> tuple[ErrorEntry, ...]:
        """The recent entries of this process, oldest first."""
        with self._lock:
            self._collect()
            return tuple(self._recent)

    def count_of(self, entry: ErrorEntry) -> int:
        """How often the error of `entry` has come by now."""
        with self._lock:
            self._collect()
            return entry.count

    # -- receiving -----------------------------------------------------------------------------------------------

    def count_in_storm(self, exception: BaseException) -> bool:
        """Count `exception` if it is one of many that are only counted now; False, and nothing done, if it is not.

        What `receive` would do with it, on the shortest way: ten thousand in a second must not be felt. Raises
        TypeError for what is not an exception, RecursionError where the stack has no room.
        """
        traceback = traceback_of(exception)
        if traceback is None:
            return False
        while (inner := traceback.tb_next) is not None:
            traceback = inner
        storm = self._storms.get(id(traceback.tb_frame.f_code) + traceback.tb_lasti)
        if storm is None or storm.kind is not type(exception):
            return False
        now = self._clock()
        marks = attributes_of(exception)
        if now >= storm.until_s or SEEN_MARK in marks:
            return False
        marks[SEEN_MARK] = storm.tally.mark
        storm.arrivals.append(0)
        storm.last_s = now
        storm.exception = exception
        return True

    def receive(self, exception: BaseException, context: str) -> Reception:
        """Enter `exception`; the entry is in the file when this returns.

        Raises RecursionError, and has received nothing, where the stack has no room for the work.
        """
        marks = attributes_of(exception)
        with self._lock:
            known = _marked(marks)
            if known is not None and known.journal is self:
                return Reception(Arrival.KNOWN, known.entry)
            # Marked at once: making its text may run code that reports the very same exception.
            mark = marks[SEEN_MARK] = SeenMark(self)
        try:
            key, code = fingerprint(exception, context)
            now = self._clock()
            with self._lock:
                self._collect()
                asks = self._run_of(key, code, now).asks(now)
            # Not under the lock: the exception's class may take its time, and wait for another thread that reports.
            text = describe(exception) if asks else ""
            reception = self._receive(exception, context, key, code, now, text, mark)
        except BaseException:
            if known is not None:
                marks[SEEN_MARK] = known
            else:
                marks.pop(SEEN_MARK, None)
            raise
        if self._untold:
            self._tell()
        return reception

    def _receive(
        self,
        exception: BaseException,
        context: str,
        key: Fingerprint,
        code: CodeType | None,
        now: float,
        text: str,
        mark: SeenMark,
    ) -> Reception:
        message = text[:_COMPARED]
        with self._lock:
            run = self._run_of(key, code, now)
            blindly = not text or run.is_full
            same = run.last if blindly else run.by_message.get(message)
            if same is not None and (blindly or not same.entry.told):
                run.last = same
                mark.entry = same.entry
                self._count(same, exception, now)
                if blindly and code is not None:
                    self._let_storm(key, code, same)
                self._received += 1
                self._coalesced += 1
                return Reception(Arrival.COALESCED, same.entry)
            # Without a text the run was forgotten in the meantime, for newer ones.
            text = text or describe(exception)
            require_room()
            if not self._admits(now):
                self._count(self._missed, exception, now)
                self._received += 1
                self._dropped += 1
                return Reception(Arrival.DROPPED, None)
            entry = mark.entry = self._new_entry(exception, context, text)
            self._received += 1
            self._logged_only += 1
            run.enter(message, Tally(entry, mark, now))
            self._runs.remember(key, run)
        entry.traceback = _shorten(format_exception(exception), _TRACEBACK_LIMIT)
        with self._lock:
            self._write_entry(entry)
        return Reception(Arrival.NEW, entry)

    def _run_of(self, key: Fingerprint, code: CodeType | None, now: float) -> ErrorRun:
        run = self._runs.get(key)
        if run is not None and not run.is_over(now):
            return run
        for tally in tuple(run.by_message.values()) if run is not None else ():
            if tally in self._counting:
                self._note_count(tally, now)
        return ErrorRun(code)

    def _admits(self, now: float) -> bool:
        mode = self._admission.mode
        admitted = self._admission.admits(now)
        if self._admission.mode is not mode:
            self._write({"event": "mode", "mode": self._admission.mode.value, "dropped": self._dropped})
        return admitted

    def _count(self, tally: Tally, exception: BaseException, now: float) -> None:
        is_first = tally not in self._counting
        if is_first or now >= tally.write_at_s:
            require_room(15)
        if is_first:
            self._counting[tally] = None
            tally.begin(now)
        tally.entry.count += 1
        tally.last_s = now
        # Its last one is let go with the news of it, or here.
        tally.exception = exception
        if now >= tally.write_at_s:
            self._write_count(tally, now)
        if tally.is_overdue(now):
            self._note_count(tally, now)
        counting = tuple(self._counting)
        if len(counting) > _KEPT_EXCEPTIONS:
            self._note_count(counting[0], now)

    def _let_storm(self, key: Fingerprint, code: CodeType, tally: Tally) -> None:
        """Count on `tally` what the same instruction raises from now on, until its count is to be written again."""
        kind, address = key
        assert isinstance(address, int), "what has code has an address"
        new = Storm(kind, code, tally, tally.write_at_s, tally.last_s)
        # One that is there is used again, also for another kind: who is about to count in it must not do so in vain.
        storm = self._storms.setdefault(address, new)
        storm.kind, storm.code, storm.tally, storm.until_s = kind, code, tally, tally.write_at_s
        if len(self._storms) > _KEPT_STORMS:
            oldest, last = min(tuple(self._storms.items()), key=lambda item: item[1].last_s)
            if tally.last_s - last.last_s > _FORGOTTEN_S:
                self._storms.pop(oldest, None)

    def _collect(self) -> None:
        """Bring what arrived in storms to the tallies and the ledger."""
        # A copy: letting go of exceptions may run finalisers, and they may report errors.
        for storm in tuple(self._storms.values()):
            if arrived := len(storm.arrivals):
                del storm.arrivals[:arrived]
                tally = storm.tally
                if tally not in self._counting:
                    self._counting[tally] = None
                    tally.begin(storm.last_s)
                tally.last_s = storm.last_s
                tally.entry.count += arrived
                self._received += arrived
                self._coalesced += arrived
                tally.exception, storm.exception = storm.exception, None

    # -- what becomes of entries ---------------------------------------------------------------------------------

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

    # -- what was only counted -----------------------------------------------------------------------------------

    def note_ended(self, within_s: float) -> float | None:
        """Bring the counts of runs that have ended to the file and to `on_note`, for about `within_s`.

        Returns the seconds until it is to be called again, None if nothing is left to be told.
        """
        began = self._clock()
        with self._lock:
            self._collect()
        for tally in list(self._counting):
            with self._lock:
                if tally in self._counting and tally.due_in_s(began) <= 0:
                    self._note_count(tally, began)
            self._tell()
            if self._clock() - began > within_s:
                return 0.0
        with self._lock:
            left = tuple(self._counting)
        return max(0.0, min(tally.due_in_s(began) for tally in left)) if left else None

    def note_repeats(self) -> None:
        """Bring all that has only been counted so far to the file and to `on_note`."""
        now = self._clock()
        with self._lock:
            self._collect()
            for tally in list(self._counting):
                self._note_count(tally, now)
        self._tell()

    def _note_count(self, tally: Tally, now: float) -> None:
        self._counting.pop(tally, None)
        self._write_count(tally, now)
        times, exception = tally.take_unlogged()
        for storm in tuple(self._storms.values()):
            if storm.tally is tally:
                # The next one is to say that there is something to be told again.
                storm.until_s = float("-inf")
        entry = tally.entry
        if tally is self._missed:
            text = f"{times:,} errors of many kinds came too fast to be entered"
        else:
            text = (
                f"{entry.context} failed {times:,} more {'time' if times == 1 else 'times'}, {entry.count:,} in all: "
                f"{entry.type_name}: {entry.message}"
            )
        if self.on_note is not None and times:
            self._untold.append(partial(self.on_note, text, exception))

    def _write_count(self, tally: Tally, now: float) -> None:
        if times := tally.take_unwritten(now):
            what = {"event": "missed"} if tally is self._missed else {"event": "repeated", "id": tally.entry.id}
            self._write({**what, "times": times})

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

    # -- the file ------------------------------------------------------------------------------------------------

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
        self._write(entry.line)

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


def _entry_of_the_missed() -> ErrorEntry:
    """Stands for all that came too fast to be entered, to count it."""
    return ErrorEntry(0, 0.0, "", "", "", "", "", None, count=0)


def _marked(marks: Mapping[str, Any]) -> SeenMark | None:
    mark = marks.get(SEEN_MARK)
    return mark if isinstance(mark, SeenMark) else None


def _shorten(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    return f"{text[: limit // 2]}\n… {len(text) - limit:,} characters left out …\n{text[-limit // 2 :]}"
