"""Which errors are the same, and how many of those that are not are entered: the modes of a storm (G7).

The very same object is known by a mark that it carries; errors alike, by a fingerprint: type and raising instruction.
What one instruction raises until it is quiet is a run. Its errors are told apart by what they say, as long as there are
few: past twenty entries, or a thousand errors in one second, all it raises is only counted.

Standard library only; the journal's own parts, used under its lock. Checked by tests/tui/utils/test_error_journal.py.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from enum import Enum
from types import CodeType, TracebackType
from typing import Any

from openhcs.tui.utils.error_entry import ErrorEntry

__all__ = [
    "SEEN_MARK",
    "Admission",
    "ErrorRun",
    "ErrorRuns",
    "Fingerprint",
    "Mode",
    "SeenMark",
    "Storm",
    "Tally",
    "attributes_of",
    "fingerprint",
    "traceback_of",
]

_QUIET_S = 10.0
"""An error that has not come for so long is a new one when it comes again."""

_ENTRIES = 20
_ASKED_IN_A_SECOND = 1_000
_KEPT_RUNS = 500
_SHOW_LIMIT = 50
_SAMPLE_LIMIT = 500
"""New kinds of error in one second up to which all, or one in ten, are entered."""

_WRITTEN_EVERY_S = 1.0
"""How often the count of an error that keeps coming is brought to the file."""

_PATIENCE_S = 0.2
_LONGEST_PATIENCE_S = 60.0

SEEN_MARK = "__openhcs_journal_entry__"

Fingerprint = tuple[type[BaseException], int | str]
"""The type, and the address of the instruction that raised it; the context where nothing raised it."""

# Every exception has attributes of its own and a traceback, whatever its class says of them or does when asked.
attributes_of: Callable[[BaseException], dict[str, Any]] = vars(BaseException)["__dict__"].__get__
traceback_of: Callable[[BaseException], TracebackType | None] = vars(BaseException)["__traceback__"].__get__


def fingerprint(exception: BaseException, context: str) -> tuple[Fingerprint, CodeType | None]:
    """What `exception` has in common with those like it, and the code it names, to be kept as long as the fingerprint.

    Code goes by its place in memory because hashing it would read all of it, and line numbers have to be looked up.
    """
    traceback = traceback_of(exception)
    if traceback is None:
        return (type(exception), context), None
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    code = traceback.tb_frame.f_code
    return (type(exception), id(code) + traceback.tb_lasti), code


class SeenMark:
    """Rides on an exception that `journal` has received; it does not travel with copies or pickles of it."""

    def __init__(self, journal: object = None, entry: ErrorEntry | None = None) -> None:
        self.journal = journal
        self.entry = entry

    def __reduce__(self) -> tuple[type[SeenMark], tuple[()]]:
        return SeenMark, ()


class Tally:
    """The repeats of one entry: what of its count the file and the log know, and the last of them.

    They are told in one once it has been quiet for a moment, a longer one each time that it goes on after all.
    """

    def __init__(self, entry: ErrorEntry, mark: SeenMark, last_s: float, told: int = 1) -> None:
        self.entry = entry
        self.mark = mark
        self.last_s = last_s
        self.since_s = 0.0
        self.write_at_s = 0.0
        self.written = told
        self.logged = told
        self.exception: BaseException | None = None
        self.patience_s = _PATIENCE_S

    def begin(self, now: float) -> None:
        """Be about to count what nobody has been told of."""
        self.since_s = now
        self.write_at_s = now + _WRITTEN_EVERY_S

    def due_in_s(self, now: float) -> float:
        """Seconds until its repeats are to be told, if no more come; 0 or less when they are."""
        return min(self.last_s + self.patience_s, self.since_s + _LONGEST_PATIENCE_S) - now

    def is_overdue(self, now: float) -> bool:
        """Whether its repeats are to be told although more of them come."""
        return now - self.since_s >= _LONGEST_PATIENCE_S

    def take_unwritten(self, now: float) -> int:
        """How many repeats the file does not know, which it is about to."""
        times, self.written = self.entry.count - self.written, self.entry.count
        self.write_at_s = now + _WRITTEN_EVERY_S
        return times

    def take_unlogged(self) -> tuple[int, BaseException | None]:
        """How many repeats the log does not know, which it is about to, and the last of them, which is let go."""
        times, self.logged = self.entry.count - self.logged, self.entry.count
        exception, self.exception = self.exception, None
        self.patience_s = min(2 * self.patience_s, _LONGEST_PATIENCE_S)
        return times, exception


class Storm:
    """One instruction raises without end: until `until_s` what it raises is an arrival for `tally`, never asked more.

    `arrivals` has a byte for each. Appending one is atomic, so those who do need no lock, which would cost more than
    all else they do.
    """

    def __init__(self, kind: type[BaseException], code: CodeType, tally: Tally, until_s: float, last_s: float) -> None:
        self.kind = kind
        self.code = code
        self.tally = tally
        self.until_s = until_s
        self.last_s = last_s
        self.arrivals = bytearray()
        self.exception: BaseException | None = None


class ErrorRun:
    """What one instruction has raised until it is quiet, by what it says; `last` is what it raised last."""

    def __init__(self, code: CodeType | None) -> None:
        self.code = code
        self.by_message: dict[str, Tally] = {}
        self.last: Tally | None = None
        self.entered = 0
        self._second_began = float("-inf")
        self._this_second = 0

    @property
    def is_full(self) -> bool:
        """Whether it has all the entries it may have."""
        return self.entered >= _ENTRIES

    def is_over(self, now: float) -> bool:
        """Whether it has been quiet for so long that what comes now is new."""
        return self.last is not None and now - self.last.last_s > _QUIET_S

    def asks(self, now: float) -> bool:
        """Whether the error that comes now is to be asked what it says."""
        if now - self._second_began >= 1.0:
            self._second_began, self._this_second = now, 0
        self._this_second += 1
        return self.last is None or (not self.is_full and self._this_second <= _ASKED_IN_A_SECOND)

    def enter(self, message: str, tally: Tally) -> None:
        """Take in a new entry, whose repeats `tally` is to count."""
        self.by_message[message] = self.last = tally
        self.entered += 1


class ErrorRuns(OrderedDict[Fingerprint, ErrorRun]):
    """The runs of late, the one that got an entry last at the end."""

    def remember(self, key: Fingerprint, run: ErrorRun) -> None:
        """Keep `run`, in place of the one that has been without a new entry for the longest where there are many."""
        self[key] = run
        self.move_to_end(key)
        if len(self) > _KEPT_RUNS:
            self.popitem(last=False)


class Mode(Enum):
    """How new kinds of error are treated now."""

    SHOW = "show"
    SAMPLE = "sample"
    DROP = "drop"


class Admission:
    """Decides which of many different errors are entered: all, one in ten, none, by how many come in a second."""

    def __init__(self) -> None:
        self.mode = Mode.SHOW
        self._second_began = float("-inf")
        self._this_second = 0

    def admits(self, now: float) -> bool:
        """Whether one more is entered; sets the mode."""
        if now - self._second_began >= 1.0:
            self._second_began = now
            self._this_second = 0
        self._this_second += 1
        if self._this_second <= _SHOW_LIMIT:
            self.mode = Mode.SHOW
            return True
        if self._this_second <= _SAMPLE_LIMIT:
            self.mode = Mode.SAMPLE
            return self._this_second % 10 == 0
        self.mode = Mode.DROP
        return False
