"""The breakages of the core fit the code, and a handful of them is caught in every run of the tests."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.proofs.mutants import MUTANTS, Mutant, MutantOutdated, changed_source

SAMPLE = (
    "refused_is_not_closed",
    "doomed_awaiter_is_trusted",
    "handler_swallows_the_cancel",
    "scope_does_not_wait",
    "focus_goes_to_the_oldest",
    "wait_for",
    "same_error_is_counted_again",
    "two_probes_at_once",
)
"""One of each sort; `make mutants` runs them all."""


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_breakage_fits_the_code_it_breaks(mutant: Mutant) -> None:
    """Its old text is in the module exactly once, and what it makes of it is Python."""
    compile(changed_source(mutant), mutant.module, "exec")


def test_a_breakage_of_what_is_no_longer_there_fails_loudly() -> None:
    """A mutant whose text is not in the module is an error, not a mutant that was caught."""
    with pytest.raises(MutantOutdated, match=r"0 times in circuit_breaker\.py"):
        changed_source(Mutant("old", "circuit_breaker", "no such text", "", "nobody would"))


def test_a_sample_of_the_breakages_is_caught_by_theorems() -> None:
    """Each of a handful of breakages of different sorts violates a theorem."""
    command = [sys.executable, "-m", "tests.proofs.mutants", "--json", *SAMPLE]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300)
    caught = {found["mutant"]: found["by"] for found in map(json.loads, ended.stdout.splitlines())}
    assert ended.returncode == 0, ended.stderr
    assert set(caught) == set(SAMPLE)
    assert all(by.startswith("test_") for by in caught.values()), caught
