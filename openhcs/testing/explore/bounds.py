"""How far an exploration goes: the budgets that options spend, the order, and the tiers of a project's checks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum
from typing import Final

__all__ = ["UNLIMITED", "Bounds", "Budget", "Order", "Tier"]

UNLIMITED: Final = None
"""A budget without a limit."""

_ENDLESS: Final = 1 << 40


class Order(StrEnum):
    """Which callback runs next."""

    FIFO = "fifo"
    """As in stock asyncio; a counter-example is a run of stock asyncio."""
    ANY = "any"
    """Any ready callback next, outside events between any two: more than stock asyncio can do."""

    @property
    def claim(self) -> str:
        """What a result in this order means."""
        if self is Order.FIFO:
            return "exact: stock asyncio can run this way"
        return "over-approximate: includes runs that stock asyncio never makes"


class Budget(IntEnum):
    """What an option costs; the value is its place among the budgets of a run."""

    FREE = 0
    CANCELS = 1
    FAULTS = 2
    RUSH = 3
    SLOW = 4
    REORDER = 5

    @property
    def word(self) -> str:
        """The name of the budget's field."""
        return self.name.lower()


class Tier(StrEnum):
    """How much a project's check may cost."""

    COMMIT = "commit"
    NIGHTLY = "nightly"
    WEEKLY = "weekly"


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many of each deviation one schedule may contain; `UNLIMITED` for any number.

    Args:
        cancels: cancellations of registered operations.
        faults: faults injected at `world.fault`.
        rush: outside events that happen while the loop is busy; an event that waits for an idle loop is free.
        slow: timers that become due although callbacks are ready, as after a slow step.
        reorder: ready callbacks that overtake another; only with `Order.ANY`.
        order: which callback runs next.
        steps: loop iterations after which a run counts as livelocked.
    """

    cancels: int | None = 0
    faults: int | None = 0
    rush: int | None = 0
    slow: int | None = 0
    reorder: int | None = 0
    order: Order = Order.FIFO
    steps: int = 10_000

    def __post_init__(self) -> None:
        for name in ("cancels", "faults", "rush", "slow", "reorder"):
            limit = getattr(self, name)
            if limit is not None and limit < 0:
                raise ValueError(f"not a budget: {name}={limit}; expected 0 or more, or UNLIMITED")
        if self.reorder != 0 and self.order is Order.FIFO:
            raise ValueError("not a budget in fifo order: reorder; expected 0. Use order=Order.ANY")

    def purse(self) -> list[int]:
        """What a run may spend, indexed by `Budget`."""
        limits = (self.cancels, self.faults, self.rush, self.slow, self.reorder)
        return [_ENDLESS, *(_ENDLESS if limit is None else limit for limit in limits)]

    def spent(self, purse: list[int]) -> dict[str, int]:
        """What a run has spent, by name of the budget, without what it has not touched."""
        used = {budget.word: full - left for budget, full, left in zip(Budget, self.purse(), purse, strict=True)}
        return {word: count for word, count in used.items() if count and word != Budget.FREE.word}

    @property
    def tag(self) -> str:
        """The budgets as a token writes them: `c1f1r1s2`, `*` for unlimited, `o` for reorder."""
        letters = {"c": self.cancels, "f": self.faults, "r": self.rush, "s": self.slow}
        if self.reorder != 0:
            letters["o"] = self.reorder
        return "".join(f"{letter}{'*' if limit is None else limit}" for letter, limit in letters.items())

    def at_tier(self, tier: Tier) -> Bounds:
        """These bounds as a tier widens them.

        Nightly: outside events may come at any time. Weekly: any order, with one callback that overtakes another.
        """
        if tier is Tier.NIGHTLY:
            return replace(self, rush=UNLIMITED, slow=0)
        if tier is Tier.WEEKLY:
            return replace(self, order=Order.ANY, reorder=self.reorder or 1)
        return self

    def __str__(self) -> str:
        limits = {
            "cancels": self.cancels, "faults": self.faults, "rush": self.rush, "slow": self.slow,
            "reorder": self.reorder,
        }  # fmt: skip
        said = [f"{name} {'any' if limit is None else f'<= {limit}'}" for name, limit in limits.items() if limit != 0]
        return f"{self.order} order, {', '.join(said) or 'no deviation'}"
