"""What an exploration came to: proved, violated, cut short, or merely sampled."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from openhcs.testing.explore.bounds import Bounds
from openhcs.testing.explore.token import Token
from openhcs.testing.explore.trace import Choice, Step
from openhcs.testing.explore.violation import Violation

__all__ = ["CounterExample", "Outcome", "ScheduleViolated", "Verdict"]


class Outcome(StrEnum):
    """The word of a verdict. Only PROVED says that nothing was left out."""

    PROVED = "PROVED"
    """Every schedule within the bounds was run, and none is violated."""
    VIOLATED = "VIOLATED"
    """A schedule breaks a rule; here it is."""
    CUT = "CUT"
    """A limit was reached; the schedules that were run are not violated, the others are unknown."""
    SAMPLED = "SAMPLED"
    """Schedules were drawn by chance; none of these is violated."""
    REPLAYED = "REPLAYED"
    """One schedule was replayed, and is not violated; the others are unknown."""


@dataclass(frozen=True, slots=True)
class CounterExample:
    """The smallest schedule found that breaks a rule.

    Args:
        violation: what was broken.
        token: replays it.
        spent: by budget, what the schedule spends.
        found: the number of the run that met it first, from 1.
        seen: how many runs met a violation of the same class.
        trace: what happened.
        others: further violations of the same run.
    """

    violation: Violation
    token: Token
    spent: dict[str, int]
    found: int
    seen: int
    trace: tuple[Step | Choice, ...] = field(repr=False)
    others: tuple[Violation, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of an exploration.

    Args:
        scenario: its name.
        schedules: how many runs.
        depth: the most choices that one run made.
        counterexamples: one for each class of violation, the smallest first.
        reason: what cut it short, or how it was sampled.
        complete: whether every schedule within the bounds was run.
    """

    scenario: str
    outcome: Outcome
    bounds: Bounds
    schedules: int
    depth: int
    seconds: float
    counterexamples: tuple[CounterExample, ...] = ()
    reason: str = ""
    complete: bool = False

    @property
    def proved(self) -> bool:
        """Whether every schedule within the bounds keeps every rule."""
        return self.outcome is Outcome.PROVED

    @property
    def classes(self) -> dict[str, int]:
        """The classes of violation that were found, with how many runs met each."""
        return {example.violation.label: example.seen for example in self.counterexamples}

    def after(self, earlier: Verdict) -> Verdict:
        """This sampling and an earlier one of the same scenario as one verdict."""
        return replace(
            self,
            schedules=self.schedules + earlier.schedules,
            depth=max(self.depth, earlier.depth),
            seconds=self.seconds + earlier.seconds,
            reason="; ".join(filter(None, (earlier.reason, self.reason))),
        )

    def require_proved(self) -> Verdict:
        """This verdict, if it is PROVED; else raises `ScheduleViolated` with the report."""
        if not self.proved:
            raise ScheduleViolated(self)
        return self

    def as_json(self) -> dict[str, Any]:
        """What a table of proofs cites: plain values only."""
        return {
            "scenario": self.scenario,
            "verdict": self.outcome.value,
            "order": self.bounds.order.value,
            "exact": self.bounds.order.value == "fifo",
            "bounds": {
                "cancels": self.bounds.cancels, "faults": self.bounds.faults, "rush": self.bounds.rush,
                "slow": self.bounds.slow, "reorder": self.bounds.reorder,
            },
            "runs": self.schedules,
            "complete": self.complete,
            "depth": self.depth,
            "seconds": round(self.seconds, 3),
            "violations": self.classes,
            "tokens": {example.violation.label: str(example.token) for example in self.counterexamples},
            "reason": self.reason,
        }  # fmt: skip

    def __str__(self) -> str:
        runs = f"{self.schedules:,} schedule{'s' if self.schedules != 1 else ''}"
        if self.outcome is Outcome.VIOLATED:
            return f"VIOLATED({'; '.join(self.classes)}; {runs})"
        why = f"; {self.reason}" if self.reason else ""
        return f"{self.outcome}({self.bounds}; {runs}{why})"


class ScheduleViolated(AssertionError):
    """An exploration was not PROVED; its text is the report."""

    def __init__(self, verdict: Verdict, command: str = "") -> None:
        from openhcs.testing.explore.report import report_of  # the report shows verdicts; a cycle at import otherwise

        super().__init__(report_of(verdict, command))
        self.verdict = verdict
