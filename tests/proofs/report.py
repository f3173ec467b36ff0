"""Writes docs/proofs.md: explores every theorem, runs the drafts and the mutants, and says what came of it.

python -m tests.proofs.report                        # all of it, some minutes; `make proofs`
python -m tests.proofs.report --mutants FILE         # with what `python -m tests.proofs.mutants --json` has written
"""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Final

from openhcs.testing.explore import Bounds, Verdict, explore
from tests.proofs.mutants import Catch, catch_all
from tests.proofs.mutations import MUTANTS
from tests.proofs.test_drafts import COMMIT, FAULTS, shipped
from tests.proofs.theorems import Theorem, all_theorems

__all__ = ["DOCUMENT", "GUARANTEES", "main"]

DOCUMENT: Final = Path(__file__).resolve().parents[2] / "docs" / "proofs.md"

GUARANTEES: Final = {
    "G1": "one owner per coroutine",
    "G2": "no error is lost, none is told twice",
    "G3": "showing an error cannot cause the showing of an error",
    "G4": "every cancel is awaited, and no cancel is swallowed",
    "G5": "the newest dialog has the focus, in the same tick",
    "G6": "shutdown is bounded and names who is late",
    "G7": "any storm, flat memory",
    "G8": "the breaker heals",
    "G9": "any thread, any loop, any moment",
}

_HEAD: Final = """\
# What is proved of the async core

<!-- Written by `make proofs`; tests/proofs/test_document.py checks that it names exactly what there is. -->

The guarantees of `openhcs/tui/utils` are scenarios: small programs that use the shipped classes, in which a key, a
thread, a timer, a cancellation or a fault may come at any moment. The explorer (`openhcs.testing.explore`) runs each
scenario under **every schedule within its bounds** and looks after every callback for what must not be.

**What is claimed.** For these scenarios, with at most so many cancellations, faults, events at a busy loop and slow
steps as the bounds say, no schedule of the stock asyncio loop violates the theorem, nor leaves a coroutine never
awaited, an exception never retrieved, a task leaked, a cancellation swallowed or a loop that cannot go on. The order is
`fifo`: exactly what stock asyncio can do. Every exploration is complete; one that is cut short fails the tests.

**What is not covered.** What happens between two bytecodes of a thread: a thread's work is one step here, and only its
arrival is explored. Loops other than the stock one, such as uvloop. Faults at places that a scenario does not name, and
real I/O errors. More operations, cancellations and faults at once than a scenario has. Signal handlers in the middle of
a callback. Real terminals: the tests in `tests/terminal` drive those. G10 and G12 are tested and not proved; of G11 the
one theorem about frames covers the boundary. Where work is handed to a loop that dies, or a log, a journal file or a
disk fails, the module's own tests are what there is.

| | |
|---|---|
| the theorems, in the tests of every commit | `pytest tests/proofs` |
| with wider bounds | `pytest tests/proofs --explore-tier=nightly`, or `weekly` |
| one schedule again | `pytest tests/proofs/test_g5_focus.py::NAME --explore-replay=TOKEN` |
| every breakage | `make mutants` |
| this page | `make proofs` |

Bounds read: c cancellations, f faults, r events that come while the loop is busy, s slow steps. An event at an idle
loop is free. Seconds are of one core of the machine that wrote this page.
"""


def _bounds(bounds: Bounds) -> str:
    return f"c{bounds.cancels} f{bounds.faults} r{bounds.rush} s{bounds.slow}"


def _theorems(proved: Sequence[tuple[Theorem, Verdict]], kills: Counter[str]) -> Iterator[str]:
    schedules = sum(verdict.schedules for _, verdict in proved)
    seconds = sum(verdict.seconds for _, verdict in proved)
    count = sum(verdict.proved for _, verdict in proved)
    yield f"## The theorems\n\n{count} of {len(proved)} proved, {schedules:,} schedules in {seconds:.0f} s.\n"
    for guarantee, members in groupby(proved, key=lambda pair: pair[0].guarantee):
        yield f"### {guarantee}: {GUARANTEES[guarantee]}\n"
        yield "| theorem | bounds | schedules | verdict | s | breakages caught |\n|---|---|--:|---|--:|--:|"
        for theorem, verdict in members:
            yield (
                f"| `{theorem.module}.py::{theorem.name}`<br>{theorem.claim} | {_bounds(theorem.bounds)} "
                f"| {verdict.schedules:,} | {verdict.outcome} | {verdict.seconds:.1f} | {kills[theorem.name] or ''} |"
            )
        yield ""


def _drafts() -> Iterator[str]:
    yield "## The same scenarios on the plan's drafts\n"
    yield textwrap.fill(
        "A checker that finds nothing in broken code proves nothing. The drafts that the plan called proved, retyped "
        "under `tests/proofs/drafts`, run in scenarios written against the fixed names; the shipped classes are proved "
        "on the same scenarios.",
        120,
    )
    yield "\n| scenario | found in the draft | of the shipped classes |\n|---|---|---|"
    for scenario, make, _ in FAULTS:
        from_draft = explore(partial(scenario, make), COMMIT, every=True, name=scenario.__name__)
        of_shipped = explore(partial(scenario, shipped), COMMIT, name=scenario.__name__)
        kinds = sorted({example.violation.kind.value for example in from_draft.counterexamples})
        claim = " ".join((scenario.__doc__ or "").split())
        words = f"{of_shipped.outcome}, {of_shipped.schedules:,} schedules"
        yield f"| `{scenario.__name__}`<br>{claim} | {', '.join(kinds)} | {words} |"
    yield ""


def _mutants(caught: Sequence[Catch]) -> Iterator[str]:
    by_theorem = sum(catch.by.startswith("test_") for catch in caught)
    by_tests = sum(bool(catch.by) for catch in caught) - by_theorem
    yield "## Breakages\n"
    yield textwrap.fill(
        f"{len(caught)} small edits of the core: {by_theorem} are caught by a theorem, {by_tests} by the module's own "
        f"tests, {len(caught) - by_theorem - by_tests} by nothing. Each is made in a process of its own, on the source "
        "of one module (`tests/proofs/mutations.py`); the first that fails is named.",
        120,
    )
    yield "\n| breakage | module | why somebody might | caught by | as |\n|---|---|---|---|---|"
    by_name = {mutant.name: mutant for mutant in MUTANTS}
    for catch in caught:
        mutant = by_name[catch.mutant]
        by = f"`{catch.by}`" if catch.by else "**nothing**"
        yield f"| `{mutant.name}` | `{mutant.module}` | {mutant.why} | {by} | {catch.how} |"


def _read(path: Path) -> list[Catch]:
    return [Catch(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page; 1 if a theorem is not proved or a breakage survives."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--mutants", type=Path, metavar="FILE", help="what the mutants' command has written as JSON")
    asked = parser.parse_args(arguments)
    proved = []
    for theorem in all_theorems():
        proved.append((theorem, explore(theorem.scenario, theorem.bounds, name=theorem.name)))
        print(f"{theorem.guarantee}  {proved[-1][1].outcome}  {theorem.name}", flush=True)  # noqa: T201
    caught = _read(asked.mutants) if asked.mutants is not None else list(catch_all(MUTANTS))
    kills = Counter(catch.by for catch in caught)
    lines = [_HEAD, *_theorems(proved, kills), *_drafts(), *_mutants(caught)]
    DOCUMENT.write_text("\n".join(lines) + "\n", encoding="utf-8")
    good = all(verdict.proved for _, verdict in proved) and all(catch.by for catch in caught)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
