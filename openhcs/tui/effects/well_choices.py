"""Which wells a run from the workbench takes, where it does not take all: a few to try, the undone ones, the chosen.

A choice is made off the event loop, when the plate has plans. Wells that are done under the same plans come along: the
run takes them as they are, so that the plate stays whole in view.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from openhcs.core.selection import spread_wells

if TYPE_CHECKING:
    from openhcs.core.orchestrator import Orchestrator

__all__ = ["ALL_WELLS", "TRIED", "WellChoice", "WellKind", "with_done"]

TRIED: Final = 2
"""How many wells are tried."""


class WellKind(Enum):
    """What makes wells the chosen ones; the value is the word for them."""

    ALL = "all wells"
    FEW = "a few wells"
    UNDONE = "the wells that failed or were cancelled"
    NAMED = "the chosen wells"


@dataclass(frozen=True, slots=True)
class WellChoice:
    """A choice of wells; `wells` are those of `WellKind.NAMED`."""

    kind: WellKind = WellKind.ALL
    wells: frozenset[str] = frozenset()

    def chosen(self, orchestrator: Orchestrator, out: Path) -> tuple[str, ...]:
        """The chosen wells of a compiled plate, with results in `out`; none where there is nothing to do.

        Raises:
            RunError: whether wells are undone cannot be said: there was no run, or one of another pipeline.
            StoreError: what an earlier run left cannot be read.
        """
        planned = tuple(plan.well for plan in orchestrator.plans)
        match self.kind:
            case WellKind.ALL:
                return planned
            case WellKind.FEW:
                return spread_wells(planned, TRIED)
            case WellKind.UNDONE:
                return orchestrator.unfinished(out)
            case WellKind.NAMED:
                return tuple(well for well in planned if well in self.wells)


ALL_WELLS: Final = WellChoice()


def with_done(chosen: Collection[str], orchestrator: Orchestrator, out: Path) -> Collection[str]:
    """The chosen wells and those that have results of their plan."""
    return {*chosen, *orchestrator.done(out)}
