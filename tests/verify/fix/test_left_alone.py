"""What is never changed by a machine, because it may mean something else afterwards."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from pathlib import Path

import pytest

from openhcs.verify.check import check
from openhcs.verify.fix import Replacements, fix
from openhcs.verify.fix.targets import Target

pytest.importorskip("libcst", reason="fixes need LibCST")

FAULTS = Path(__file__).parent / "left_alone.py"
OWN = Replacements(Target("own_tasks", "spawn"), Target("own_focus", "focus"))


def test_where_meaning_is_at_risk_nothing_is_changed() -> None:
    """Not with `--unsafe-fixes` either: each line with a comment is found and stays."""
    expected = Counter(re.findall(r"# left: (HCS\d+)", FAULTS.read_text()))
    report = check([FAULTS], codes=set(expected))
    lines = FAULTS.read_text().splitlines()
    assert all(f"# left: {finding.code}" in lines[finding.place.line - 1] for finding in report.findings)
    assert Counter(finding.code for finding in report.findings) == expected
    fixed = fix(report, unsafe=True, codes=set(expected), replacements=OWN)
    assert (fixed.changes, fixed.left_alone) == ([], {})


def changed(file: Path) -> str:
    """What a file would become."""
    (change,) = fix(check([file])).changes
    return change.after.decode()


def mended(file: Path, text: str, replacements: Replacements) -> int:
    """How many findings of a text are mended."""
    file.write_text(text)
    return fix(check([file]), replacements=replacements).fixed.total()


def test_without_an_owner_of_tasks_nothing_is_handed_to_one(tmp_path: Path) -> None:
    """Ours is taken only where the program contains or imports it."""
    file = tmp_path / "app.py"
    text = "import asyncio\n\n\ndef f(loop: asyncio.AbstractEventLoop, work):\n    loop.create_task(work())\n"
    assert mended(file, text, Replacements()) == 0
    assert mended(file, f"from openhcs.tui.utils import unified_task_manager\n{text}", Replacements()) == 1
    assert "    unified_task_manager.get_task_manager().fire_and_forget(work())\n" in changed(file)


def test_a_fix_that_brings_another_fault_is_taken_back(tmp_path: Path) -> None:
    """An owner that may refuse a coroutine and drop it is no better than none; other fixes of the file stay."""
    file = tmp_path / "app.py"
    file.write_text(
        textwrap.dedent(
            """
            import asyncio

            import own_tasks


            async def work():
                return asyncio.get_event_loop()


            def f(loop: asyncio.AbstractEventLoop):
                loop.create_task(work())


            own_tasks.spawn(work())
            """
        )
    )
    (tmp_path / "own_tasks.py").write_text(
        "import asyncio\n\nclosing = False\ntasks = set()\n\n\ndef spawn(work, name=None):\n"
        "    if closing:\n        raise RuntimeError\n    tasks.add(asyncio.create_task(work))\n"
    )
    report = check([tmp_path])
    fixed = fix(report, replacements=OWN)
    assert fixed.fixed == {"HCS303": 1}
    assert {finding.code for finding in fixed.report.findings} == {"HCS201", "HCS204"}
