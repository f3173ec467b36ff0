"""Fixes on code that was not written for them: the plan's drafts, and installed packages."""

from __future__ import annotations

import ast
import difflib
import importlib.util
import os
import shutil
from collections import Counter
from pathlib import Path

import pytest

from openhcs.verify.check import Report, check
from openhcs.verify.fix import Replacements, fix
from openhcs.verify.fix.targets import Target
from openhcs.verify.rules import Settings

pytest.importorskip("libcst", reason="fixes need LibCST")

DRAFTS = Path(__file__).parents[1] / "samples" / "plan_drafts"
OWN = Replacements(Target("own_tasks", "spawn"), Target("own_focus", "focus"))
OWNED = Settings(owner=("own_tasks",))
LARGE = ("distributed", "tornado")
"""They take ten seconds each."""
nightly = pytest.mark.skipif("OPENHCS_NIGHTLY" not in os.environ, reason="every night: OPENHCS_NIGHTLY=1")


def counted(report: Report) -> Counter[str]:
    """How many findings each rule has."""
    return Counter(finding.code for finding in report.findings)


def written(report: Report, *, replacements: Replacements | None = None, settings: Settings | None = None) -> Report:
    """What is found after all fixes have been made in the files."""
    fixed = fix(report, unsafe=True, replacements=replacements, settings=settings)
    assert not fixed.left_alone
    for change in fixed.changes:
        change.write()
    return fixed.report


def test_the_plans_drafts_check_cleaner(tmp_path: Path) -> None:
    """They compile; of what a machine can mend, nothing is left, and nothing is added.

    Two tasks stay as they are: the drafts' owner would drop their coroutines when it refuses, which is another fault.
    """
    folder = Path(shutil.copytree(DRAFTS, tmp_path / "drafts"))
    before = check([folder])
    written(before)
    after = check([folder])
    assert not after.unreadable
    assert counted(before) - counted(after) == Counter(
        {"HCS302": 2, "HCS304": 2, "HCS402": 2, "HCS501": 2, "HCS101": 1, "HCS102": 1, "HCS303": 1}
    )
    assert counted(after) - counted(before) == Counter()
    assert {finding.code for finding in after.findings} & {"HCS302", "HCS304", "HCS402", "HCS101", "HCS102"} == set()


@pytest.mark.parametrize(
    "name", ["prompt_toolkit", "aiohttp", "anyio", *(pytest.param(large, marks=nightly) for large in LARGE)]
)
def test_an_installed_package_keeps_what_was_not_found(name: str, tmp_path: Path) -> None:
    """Every file parses, only lines of findings and imports are touched, and a second run changes nothing."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        pytest.skip(f"{name} is not installed")
    folder = tmp_path / name
    shutil.copytree(spec.submodule_search_locations[0], folder, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    before = check([folder], settings=OWNED)
    texts = {module.path: module.text for module in before.modules}
    found = written(before, replacements=OWN, settings=OWNED)
    again = check([folder], settings=OWNED)
    assert not again.unreadable
    assert counted(again) == counted(found)
    assert fix(again, unsafe=True, replacements=OWN, settings=OWNED).changes == []
    for module in again.modules:
        if module.text != texts[module.path]:
            assert strange_lines(before, module.path, texts[module.path], module.text) == []


def strange_lines(report: Report, path: Path, old: str, new: str) -> list[str]:
    """The changed lines of a file that neither belong to a finding nor to an import."""
    places = [
        place
        for finding in report.findings
        for place in (finding.place, *(related.place for related in finding.related))
        if place.path == path
    ]
    tree = ast.parse(old)
    allowed = {line for place in places for line in range(place.line - 1, place.end_line + 2)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            allowed |= set(range(node.lineno, (node.end_lineno or node.lineno) + 2))
        elif isinstance(node, ast.Try | ast.With) and len(node.body) == 1:
            lines_of_it = range(node.lineno, (node.end_lineno or node.lineno) + 1)
            allowed |= set(lines_of_it) if any(place.line in lines_of_it for place in places) else set()
    lines = old.splitlines()
    strange: list[str] = []
    matcher = difflib.SequenceMatcher(None, lines, new.splitlines(), autojunk=False)
    for kind, first, last, start, end in matcher.get_opcodes():
        if kind == "insert":
            strange += [
                line
                for line in new.splitlines()[start:end]
                if first + 1 not in allowed and first not in allowed and "import " not in line
            ]
        elif kind != "equal":
            strange += [lines[number - 1] for number in range(first + 1, last + 1) if number not in allowed]
    return strange
