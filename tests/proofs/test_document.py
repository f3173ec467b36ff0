"""docs/proofs.md says what is there: written by a command, and not older than the theorems."""

from __future__ import annotations

import re

import pytest

from openhcs.tui.utils import (
    circuit_breaker,
    error_journal,
    focus_manager,
    safe_error_handler,
    unified_task_manager,
)
from tests.proofs.mutants import MUTANTS
from tests.proofs.report import DOCUMENT, GUARANTEES
from tests.proofs.test_drafts import FAULTS
from tests.proofs.theorems import all_theorems

TEXT = DOCUMENT.read_text(encoding="utf-8")
RENEW = "docs/proofs.md is older than what it tells of; run `make proofs`"


def test_it_lists_exactly_the_theorems_there_are() -> None:
    """Each theorem is in it once, with its claim, and no other."""
    listed = re.findall(r"^\| `(\w+)\.py::(\w+)`<br>(.*?) \| c", TEXT, re.MULTILINE)
    assert listed == [(theorem.module, theorem.name, theorem.claim) for theorem in all_theorems()], RENEW


def test_each_theorem_is_proved_and_each_guarantee_has_some() -> None:
    """Nothing else than PROVED is in it, and each of G1 to G9 has a theorem."""
    verdicts = re.findall(r"^\| `test_g\d.*?\| (PROVED|VIOLATED|CUT) \|", TEXT, re.MULTILINE)
    assert verdicts == ["PROVED"] * len(all_theorems()), RENEW
    assert {theorem.guarantee for theorem in all_theorems()} == set(GUARANTEES)


def test_each_theorem_says_in_a_sentence_what_it_claims() -> None:
    """Its docstring is one sentence or two, and it ends."""
    for theorem in all_theorems():
        assert 60 < len(theorem.claim) < 400, theorem.name
        assert theorem.claim.endswith("."), theorem.name


def test_it_lists_exactly_the_breakages_there_are_all_caught() -> None:
    """Each breakage is in it, in its order, with what caught it."""
    listed = re.findall(r"^\| `(\w+)` \| `\w+` \| .*? \| (`.*?`|\*\*nothing\*\*) \| .*? \|$", TEXT, re.MULTILINE)
    assert [name for name, _ in listed] == [mutant.name for mutant in MUTANTS], RENEW
    assert "**nothing**" not in [by for _, by in listed]


def test_it_lists_the_scenarios_of_the_drafts() -> None:
    """Each scenario that the plan's drafts violate is in it."""
    listed = re.findall(r"^\| `(\w+)`<br>", TEXT, re.MULTILINE)
    assert listed == [scenario.__name__ for scenario, *_ in FAULTS], RENEW


@pytest.mark.parametrize(
    "module",
    [unified_task_manager, focus_manager, safe_error_handler, error_journal, circuit_breaker],
    ids=lambda module: module.__name__.rpartition(".")[2],
)
def test_whoever_owns_a_guarantee_names_its_theorems(module: object) -> None:
    """The docstring of the module names the files of its theorems, and they exist."""
    named = re.findall(r"tests/proofs/(test_g\d_\w+)\.py", module.__doc__ or "")
    assert named, "it names no theorems"
    assert set(named) <= {theorem.module for theorem in all_theorems()}
