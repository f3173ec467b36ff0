"""Small breakages of the core, and what catches each: the theorems first, the unit tests of the module where none does.

    python -m tests.proofs.mutants                  # all of them, as a table
    python -m tests.proofs.mutants wait_for report_twice --json

A mutant is one edit of the source of one module, made while the module is imported in a process of its own: no file is
written. One whose old text is no longer there, or is there twice, fails loudly. One that nothing catches is a theorem
or a test that is missing.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.abc
import importlib.util
import json
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.machinery import ModuleSpec, SourceFileLoader
from multiprocessing.connection import Connection
from pathlib import Path
from types import CodeType, ModuleType
from typing import Final

import pytest

from openhcs.testing.explore import Outcome, explore
from tests.proofs.mutations import MUTANTS, Mutant

__all__ = ["MUTANTS", "Catch", "Mutant", "MutantOutdated", "catch", "changed_source"]

_CORE: Final = "openhcs.tui.utils"
_ROOT: Final = Path(__file__).resolve().parents[2]
_PATIENCE_S: Final = 120.0
_SECONDS_A_THEOREM: Final = 30.0


class MutantOutdated(Exception):
    """The source no longer has what a mutant changes."""


@dataclass(frozen=True)
class Catch:
    """What caught a mutant: "" for nothing."""

    mutant: str
    by: str
    how: str
    seconds: float


def changed_source(mutant: Mutant) -> str:
    """The source of the module with the breakage in it."""
    path = _ROOT.joinpath(*_CORE.split("."), f"{mutant.module}.py")
    source = path.read_text(encoding="utf-8")
    found = source.count(mutant.old)
    if found != 1:
        raise MutantOutdated(
            f"mutant {mutant.name!r}: its text is {found} times in {mutant.module}.py; expected once. "
            "Change the mutant with the code it breaks"
        )
    return source.replace(mutant.old, mutant.new)


class _ChangedLoader(SourceFileLoader):
    """Loads one module from a changed source."""

    def __init__(self, name: str, path: str, source: str) -> None:
        super().__init__(name, path)
        self._source = source

    def get_code(self, fullname: str) -> CodeType:
        return compile(self._source, self.path, "exec", dont_inherit=True)


class _ChangedFinder(importlib.abc.MetaPathFinder):
    """Finds the module of a mutant before everybody else does."""

    def __init__(self, mutant: Mutant) -> None:
        self._name = f"{_CORE}.{mutant.module}"
        self._source = changed_source(mutant)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self._name:
            return None
        file = str(_ROOT.joinpath(*fullname.split("."))) + ".py"
        loader = _ChangedLoader(fullname, file, self._source)
        return importlib.util.spec_from_file_location(fullname, file, loader=loader)


def install(mutant: Mutant) -> None:
    """Let this process import the core with the breakage in it, from now on."""
    finder = _ChangedFinder(mutant)
    for name in [name for name in sys.modules if name.startswith(("openhcs.tui", "tests.proofs."))]:
        if name not in ("tests.proofs.mutations", "tests.proofs.mutants"):
            del sys.modules[name]
    sys.meta_path.insert(0, finder)


def catch(mutant: Mutant) -> Catch:
    """Run the theorems, and then the module's tests, on a mutant until one of them fails."""
    changed_source(mutant)
    began = time.perf_counter()
    ours, theirs = multiprocessing.get_context("fork").Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=_run_theorems, args=(mutant, theirs))
    process.start()
    theirs.close()
    by, how = "a theorem", "it does not come to its end"
    with contextlib.suppress(EOFError):
        while ours.poll(_PATIENCE_S):
            by, how = ours.recv()
            if how:
                break
        else:
            how = "it does not come to its end"
    process.kill()
    process.join()
    if not by:
        by, how = _run_unit_tests(mutant)
    return Catch(mutant.name, by, how, time.perf_counter() - began)


def _run_theorems(mutant: Mutant, answer: Connection) -> None:
    """In a child: send each theorem's name as it begins, and what it found once one fails; at last ("", "none")."""
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    install(mutant)
    theorems = importlib.import_module("tests.proofs.theorems")
    for theorem in theorems.all_theorems(first=mutant.first):
        answer.send((theorem.name, ""))
        try:
            verdict = explore(theorem.scenario, theorem.bounds, seconds=_SECONDS_A_THEOREM, name=theorem.name)
        except Exception as error:
            answer.send((theorem.name, type(error).__name__))
            return
        if verdict.outcome is Outcome.VIOLATED:
            answer.send((theorem.name, verdict.counterexamples[0].violation.kind.value))
            return
        if verdict.outcome is Outcome.CUT:
            answer.send((theorem.name, "it has no end of schedules"))
            return
    answer.send(("", "none"))


def _run_unit_tests(mutant: Mutant) -> tuple[str, str]:
    tests = [test for test in mutant.tests if (_ROOT / test).exists()]
    command = [sys.executable, "-m", "tests.proofs.mutants", mutant.name, "--unit", *tests]
    try:
        ended = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, timeout=_PATIENCE_S)
    except subprocess.TimeoutExpired:
        return "unit tests", "they do not come to their end"
    failed = [line.removeprefix("FAILED ") for line in ended.stdout.splitlines() if line.startswith("FAILED ")]
    if ended.returncode == 1 and failed:
        return failed[0].split(" - ")[0].removeprefix("tests/"), "assertion"
    return ("", "") if ended.returncode == 0 else ("unit tests", "they cannot even begin")


def catch_all(mutants: Sequence[Mutant]) -> Iterator[Catch]:
    """What catches each of these."""
    for mutant in mutants:
        yield catch(mutant)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what catches each mutant; 1 if one survives."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", help="which mutants; all without")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--unit", nargs="*", help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    unknown = set(asked.names) - {mutant.name for mutant in MUTANTS}
    if unknown:
        parser.error(f"no such mutant: {', '.join(sorted(unknown))}")
    chosen = [mutant for mutant in MUTANTS if not asked.names or mutant.name in asked.names]
    if asked.unit is not None:
        return _unit_tests_of(chosen[0], asked.unit)
    survivors = 0
    for caught in catch_all(chosen):
        survivors += not caught.by
        if asked.json:
            print(json.dumps(asdict(caught)), flush=True)  # noqa: T201
        else:
            words = f"{caught.by} ({caught.how})" if caught.by else "SURVIVES"
            print(f"{caught.mutant:34} {caught.seconds:6.1f} s  {words}", flush=True)  # noqa: T201
    return 1 if survivors else 0


def _unit_tests_of(mutant: Mutant, tests: Sequence[str]) -> int:
    install(mutant)
    # Plain assertions: pytest's hook that rewrites them would find the module before ours does.
    return int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "--assert=plain", *tests]))


if __name__ == "__main__":
    sys.exit(main())
