"""What an oracle reports: the kind of fault, whose it is, and the sentence that says it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

__all__ = ["Kind", "Violation"]


class Kind(StrEnum):
    """What no schedule may do."""

    NEVER_AWAITED = "never awaited"
    """A coroutine was made and dropped."""
    RUNTIME_WARNING = "runtime warning"
    """Any other RuntimeWarning."""
    LOOP_HANDLER = "loop handler called"
    """The loop's exception handler was called, and the program has not set one of its own."""
    NEVER_RETRIEVED = "exception never retrieved"
    """A task or a future failed, and nobody looked."""
    DESTROYED_PENDING = "task destroyed while pending"
    """A task was collected as garbage before it had ended."""
    LEAKED_TASK = "leaked task"
    """A task is alive after the scenario has ended and all that was ready has run."""
    SWALLOWED_CANCEL = "swallowed cancel"
    """A task accepted a cancellation and returned normally."""
    DEADLOCK = "deadlock"
    """Nothing can happen any more, and the scenario has not ended."""
    LIVELOCK = "livelock"
    """The bound of loop iterations was reached."""
    MAIN_RAISED = "scenario raised"
    """The scenario ended with an exception: a failed assertion, for one."""
    INVARIANT = "invariant broken"
    """A `world.invariant` did not hold."""
    FINAL = "final condition broken"
    """A `world.final` did not hold."""
    UNRAISABLE = "unraisable exception"
    """An exception in a destructor or a generator's end, where nothing could receive it."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One fault in one run.

    Args:
        kind: which oracle found it.
        subject: whose fault it is; with the kind it makes the class of the violation.
        sentence: what happened, as a person would say it.
        details: lines that help, such as a traceback.
    """

    kind: Kind
    subject: str
    sentence: str
    details: tuple[str, ...] = field(default=(), compare=False)

    @property
    def label(self) -> str:
        """The class of the violation: faults with the same label are the same fault found twice."""
        return f"{self.kind}: {self.subject}"
