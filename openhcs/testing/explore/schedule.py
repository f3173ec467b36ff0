"""One schedule: which option was taken at each choice of a run.

A run asks its schedule at every choice. The schedule follows its prefix, then its `Policy`: the first option for a
search and a replay, a draw for sampling. Option 0 is always what stock asyncio does when nothing happens outside.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from openhcs.testing.explore.bounds import Bounds
from openhcs.testing.explore.errors import NonDeterminism

__all__ = ["FirstOption", "Labels", "Policy", "Record", "Schedule"]

Labels = Callable[[], Sequence[str]]


class Policy(Protocol):
    """Decides where a schedule has no prefix: the interface of all schedulers."""

    def pick(self, costs: Sequence[int], labels: Labels) -> int:
        """The option to take; `costs` has the `Budget` of each, `labels()` names whom each lets act."""
        ...


class ChoiceRecorder(Protocol):
    """Is told of every choice, when a run is written down."""

    def choose(self, kind: str, option: int, labels: Sequence[str]) -> None: ...


class FirstOption:
    """Stock asyncio, and nothing happens outside."""

    def pick(self, costs: Sequence[int], labels: Labels) -> int:
        return 0


@dataclass(frozen=True, slots=True)
class Record:
    """What a run chose: for each choice the option taken, the costs of all options, and the kind of the choice."""

    options: tuple[int, ...]
    costs: tuple[Sequence[int], ...]
    kinds: tuple[str, ...]

    @property
    def sizes(self) -> list[int]:
        """How many options each choice had."""
        return [len(costs) for costs in self.costs]

    @property
    def spent(self) -> int:
        """The number of deviations that cost something."""
        return sum(costs[option] != 0 for option, costs in zip(self.options, self.costs, strict=True))


class Schedule:
    """The choices of one run, followed and written down.

    Args:
        bounds: what the run may spend.
        prefix: the options of the first choices.
        sizes: how many options each of these had when they were recorded, if known.
        policy: what decides after the prefix.
    """

    def __init__(
        self,
        bounds: Bounds,
        prefix: Sequence[int] = (),
        sizes: Sequence[int] | None = None,
        policy: Policy | None = None,
    ) -> None:
        self.bounds = bounds
        self.purse = bounds.purse()
        self.broken: NonDeterminism | None = None
        self.muted = False
        self.recorder: ChoiceRecorder | None = None
        self._prefix = prefix
        self._expected = sizes
        self._policy = policy or FirstOption()
        self.options: list[int] = []
        self.costs: list[Sequence[int]] = []
        self.kinds: list[str] = []

    @property
    def is_past_its_prefix(self) -> bool:
        """Whether all that follows is decided by the policy."""
        return len(self.options) >= len(self._prefix)

    def decide(self, kind: str, costs: Sequence[int], labels: Labels) -> int:
        """The option to take of as many as there are `costs`; what it costs is spent."""
        if len(costs) < 2 or self.muted:
            return 0
        at = len(self.options)
        if at < len(self._prefix):
            option = self._prefix[at]
            if self._expected is not None and self._expected[at] != len(costs):
                return self._break(at, f"{len(costs)} options ({kind})", f"{self._expected[at]} options")
            if option >= len(costs):
                return self._break(at, f"{len(costs)} options ({kind})", f"at least {option + 1} options")
        else:
            option = self._policy.pick(costs, labels)
        self.options.append(option)
        self.costs.append(costs)
        self.kinds.append(kind)
        self.purse[costs[option]] -= 1
        if self.recorder is not None:
            self.recorder.choose(kind, option, labels())
        return option

    def _break(self, choice: int, found: str, expected: str) -> int:
        # Raised here it would pass through the program, which may well catch it. The run raises it at its next step.
        self.broken = NonDeterminism(choice, found, expected)
        self.muted = True
        return 0

    def finish(self) -> Record:
        """The record of the whole run; raises `NonDeterminism` if it had other choices than its prefix."""
        if self.broken is None and len(self.options) < len(self._prefix):
            at = len(self.options)
            self._break(at, "the end of the run", f"{len(self._prefix)} choices")
        if self.broken is not None:
            raise self.broken
        return Record(tuple(self.options), tuple(self.costs), tuple(self.kinds))
