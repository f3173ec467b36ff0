"""The list of the theorems: what `docs/proofs.md` and the mutants go through."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from openhcs.testing.explore import Bounds, World
from openhcs.testing.explore.api import Exploration

__all__ = ["Theorem", "all_theorems"]


@dataclass(frozen=True)
class Theorem:
    """A scenario that claims something, within bounds."""

    guarantee: str
    name: str
    module: str
    claim: str
    bounds: Bounds
    scenario: Callable[[World], Coroutine[Any, Any, object]]

    @property
    def words(self) -> str:
        """Its name as a sentence's end: "a cancelled probe lets the next one try"."""
        return self.name.removeprefix("test_").replace("_", " ")


def all_theorems(first: str = "") -> list[Theorem]:
    """Every theorem, in the order of the guarantees; those of the guarantees named in `first` ("g4 g1") before."""
    found = []
    for path in sorted(Path(__file__).parent.glob("test_g[0-9]_*.py")):
        module = importlib.import_module(f"tests.proofs.{path.stem}")
        guarantee = path.stem.split("_")[1]
        for name, value in vars(module).items():
            plan = getattr(value, "exploration", None)
            if isinstance(plan, Exploration) and plan.scenario is not None:
                claim = " ".join((plan.scenario.__doc__ or "").split())
                scenario = partial(_in_world, plan.scenario)
                found.append(Theorem(guarantee.upper(), name, path.stem, claim, plan.bounds, scenario))
    before = first.upper().split()
    return sorted(found, key=lambda theorem: theorem.guarantee not in before)


def _in_world(scenario: Callable[..., Any], world: World) -> Any:
    return scenario(world=world)
