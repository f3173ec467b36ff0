"""A run's journal: what happened, one JSON object a line, only ever appended.

One process writes it (`JournalWriter`, in the runner); any number follow it while it grows (`JournalFollower`) or read
it afterwards (`replay`). What the events add up to is `progress`.

A line counts once its newline is there: a crash can tear the last line only, and a torn line is left out. A damaged
line before that is an error, because leaving it out would tell a different story of the run. An event of a kind that
is not known here is left out: later versions may have more to tell.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias

from openhcs.core.whole_file import deny_others
from openhcs.errors import StoreError

__all__ = ["Event", "EventKind", "JournalFollower", "JournalWriter", "Json", "read_event", "replay"]

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


class EventKind(StrEnum):
    """What can happen to a run and its wells; `Event.data` holds what the comment names."""

    RUN_QUEUED = "run_queued"  # plate, pipeline, out, wells, pid; it waits for its turn
    RUN_STARTED = "run_started"  # plate, pipeline, out, wells, workers, pid
    WELL_STARTED = "well_started"
    STEP_STARTED = "step_started"  # step (from 1), steps, name
    WELL_FINISHED = "well_finished"  # objects
    WELL_RETRIED = "well_retried"  # message (why), tries (so far); it is pending again
    WELL_REUSED = "well_reused"  # objects
    WELL_FAILED = "well_failed"  # message, kind, step, plane, file, traceback
    WELL_CANCELLED = "well_cancelled"
    RUN_WAITING = "run_waiting"  # message (for what; empty when that is over), place (if it is for its turn)
    RUN_WARNED = "run_warned"  # message
    RUN_FINISHED = "run_finished"  # message
    RUN_CANCELLED = "run_cancelled"  # message
    RUN_FAILED = "run_failed"  # message, kind, traceback

    @property
    def is_milestone(self) -> bool:
        """Whether it tells of work that is over, or of the run: such an event is worth waiting for the disk.

        Wells are reused and cancelled by the thousand at once, and quickly: the next milestone takes them along.
        """
        return self not in _QUICK


_KINDS = frozenset(EventKind)
_QUICK = (EventKind.WELL_STARTED, EventKind.STEP_STARTED, EventKind.WELL_REUSED, EventKind.WELL_CANCELLED)


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened; `time_s` is the system clock, seconds since 1970."""

    time_s: float
    kind: EventKind
    well: str | None = None
    data: Mapping[str, Json] = field(default_factory=dict)


class JournalWriter:
    """Appends events to a journal of its own; each is with the system at once, in the order of the calls.

    Milestones of the run are on the disk when `append` returns. Those of wells soon are: a thread waits for the disk,
    since a worker would have to wait for its next well meanwhile. What an unwilling disk loses are only words: whether
    a well is done is told by its results.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = path.open("xb", buffering=0)
            deny_others(path)
        except OSError as error:
            raise _cannot_write(path, error) from error
        self._wanted = threading.Event()
        self._closing = False
        self._trouble: OSError | None = None
        self._syncing = threading.Thread(target=self._sync_as_wanted, name="journal to disk", daemon=True)
        self._syncing.start()

    def append(self, event: Event) -> None:
        """Write `event`; raises `StoreError`, also where the disk did not take an earlier one."""
        try:
            if self._trouble is not None:
                raise self._trouble
            self._write(_encode(event))
            if event.kind.is_milestone:
                if event.well is None:
                    os.fsync(self._file.fileno())
                else:
                    self._wanted.set()
        except OSError as error:
            raise _cannot_write(self._path, error) from error

    def _sync_as_wanted(self) -> None:
        while self._wanted.wait() and not self._closing:
            self._wanted.clear()
            try:
                os.fsync(self._file.fileno())
            except OSError as error:
                self._trouble = error
                return

    def _write(self, line: bytes) -> None:
        """Write `line` as a whole or not at all: a disk that fills up takes a part of it first."""
        end = self._file.seek(0, os.SEEK_END)
        try:
            while line:
                line = line[self._file.write(line) :]
        except OSError:
            self._file.truncate(end)
            raise

    def close(self) -> None:
        """Write no more."""
        self._closing = True
        self._wanted.set()
        self._syncing.join()
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class JournalFollower:
    """Hands out what is new in a journal, in order, each event once. The journal need not exist yet."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._lines = 0

    def poll(self) -> tuple[Event, ...]:
        """The events appended since the last call; costs one `stat` when there are none.

        Raises:
            StoreError: the journal cannot be read, or holds a damaged line.
        """
        try:
            if self._path.stat().st_size <= self._offset:
                return ()
            with self._path.open("rb") as file:
                file.seek(self._offset)
                new = file.read()
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise StoreError(
                f"run journal: {self._path} ({error.strerror}); expected a readable file. Check its permissions."
            ) from error
        events = []
        for line in new[: new.rfind(b"\n") + 1].splitlines(keepends=True):
            event = _decode(line, self._path, self._lines + 1)
            if event is not None:
                events.append(event)
            self._offset += len(line)
            self._lines += 1
        return tuple(events)


def replay(path: Path) -> tuple[Event, ...]:
    """All events of the journal at `path`, none if there is no such file; raises `StoreError` as `poll` does."""
    return JournalFollower(path).poll()


def read_event(line: bytes) -> Event | None:
    """The event of one line of a journal; None where it is of a kind not known here, or damaged."""
    try:
        return _decode(line, Path(), 0)
    except StoreError:
        return None


def _encode(event: Event) -> bytes:
    line = {"time_s": round(event.time_s, 3), "kind": event.kind.value, "well": event.well, "data": dict(event.data)}
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _decode(line: bytes, path: Path, number: int) -> Event | None:
    """The event of a line; None for one of a kind that only a later version of the program knows."""
    try:
        match json.loads(line):
            case {
                "time_s": int() | float() as time_s,
                "kind": str() as kind,
                "well": str() | None as well,
                "data": dict() as data,
            }:
                return Event(float(time_s), EventKind(kind), well, data) if kind in _KINDS else None
    except ValueError:  # no JSON, or no UTF-8
        pass
    raise StoreError(f"run journal: {path}, line {number} is damaged; expected an event. Run the plate again.")


def _cannot_write(path: Path, error: OSError) -> StoreError:
    return StoreError(f"run journal: {path} ({error.strerror}); expected to write there. Check space and permissions.")
