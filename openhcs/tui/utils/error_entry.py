"""One error as the journal keeps it, in memory and as lines of its file; and the ledger.

Standard library only; anybody may import this. Checked by tests/tui/utils/test_error_journal.py.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Arrival", "ErrorEntry", "Ledger", "Reception", "read_unseen"]


class Arrival(Enum):
    """What became of an error that was handed to the journal."""

    NEW = "new"
    COALESCED = "coalesced"
    DROPPED = "dropped"
    KNOWN = "known"
    """The very same exception object has been received before; it is not counted again."""


class ErrorEntry:
    """One error in the journal; `count` grows when it comes again, `exception` is kept while it is recent.

    `told` is set once nobody is going to be shown it any more: the next one like it is a new error. `is_refusal` says
    that its message is meant for the user, and its context what they wanted to do.
    """

    def __init__(
        self,
        id: int,
        time_s: float,
        context: str,
        type_name: str,
        message: str,
        traceback: str,
        thread: str,
        exception: BaseException | None = None,
        count: int = 1,
    ) -> None:
        self.id = id
        self.time_s = time_s
        self.context = context
        self.type_name = type_name
        self.message = message
        self.traceback = traceback
        self.thread = thread
        self.exception = exception
        self.count = count
        self.shown = False
        self.told = False
        self.is_refusal = False

    @property
    def line(self) -> dict[str, Any]:
        """The line of the journal's file that enters it."""
        return {
            "event": "error",
            "id": self.id,
            "time_s": self.time_s,
            "context": self.context,
            "type": self.type_name,
            "message": self.message,
            "traceback": self.traceback,
            "thread": self.thread,
        }


class Reception(NamedTuple):
    """The answer to `ErrorJournal.receive`: what became of the error, and its entry if it has one."""

    arrival: Arrival
    entry: ErrorEntry | None


class Ledger(NamedTuple):
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


def read_unseen(path: Path) -> tuple[ErrorEntry, ...]:
    """The errors entered since the last process began to write `path`, and never shown, oldest first.

    Lines that cannot be read, such as one torn by a crash, are passed over.
    """
    # JSON takes a hundredth of the smallest application's start, which keeps its errors in memory.
    from openhcs.tui.utils.journal_file import START, read_lines

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
