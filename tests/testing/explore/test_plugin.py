"""The pytest plugin as its users meet it: a folder of tests, a command, what it prints and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

TESTS = """
import asyncio, pytest
from openhcs.testing.explore import explore

@pytest.fixture
def delay():
    return 5

@explore(cancels=1)
async def test_sleep(world, delay):
    "Proved."
    await asyncio.wait({world.operation("sleep", asyncio.sleep(delay))})

class TestInAClass:
    @pytest.mark.parametrize("word", ["a", "b"])
    @explore()
    async def test_choice(self, word, world):
        world.choose("xyz")
        assert word == "a"

@explore(schedules=3)
async def test_cut(world):
    for _ in range(5):
        world.choose("xy")

@explore(nightly={"faults": 1})
async def test_nightly_fault(world):
    assert not world.fault("disk full")

def test_plain():
    pass
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of tests by somebody who has only the explorer."""
    (tmp_path / "test_them.py").write_text(TESTS)
    return tmp_path


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    """pytest's exit code and output."""
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "openhcs.testing.explore.plugin", *arguments],
        cwd=folder, capture_output=True, text=True, timeout=60, check=False,
        env={"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )  # fmt: skip
    return ran.returncode, ran.stdout + ran.stderr


def test_the_commit_tier(folder: Path) -> None:
    """Fixtures, parameters and classes work; PROVED passes, VIOLATED and CUT fail, without a Python traceback."""
    code, said = run(folder, "-v", "--explore-json=out.json")
    assert code == 1
    assert "test_sleep PROVED (6)" in said
    assert "test_choice[a] PROVED (3)" in said
    assert "test_choice[b] FAILED" in said
    assert "test_cut FAILED" in said
    assert "CUT(fifo order, no deviation; 3 schedules; the limit of 3 schedules)" in said
    assert "VIOLATED  the scenario raised AssertionError" in said
    assert "3 PROVED, 1 VIOLATED, 1 CUT: 14 schedules" in said
    assert "2 failed, 4 passed" in said
    assert "plugin.py" not in said
    explored = {entry["test"]: entry for entry in json.loads((folder / "out.json").read_text())["explored"]}
    assert len(explored) == 5
    sleep = explored["test_them.py::test_sleep"]
    assert (sleep["verdict"], sleep["runs"], sleep["complete"], sleep["exact"]) == ("PROVED", 6, True, True)
    assert sleep["bounds"]["cancels"] == 1
    broken = explored["test_them.py::TestInAClass::test_choice[b]"]
    assert list(broken["violations"]) == ["scenario raised: AssertionError at TestInAClass.test_choice"]


def test_the_nightly_tier_is_wider(folder: Path) -> None:
    """A test's own nightly budgets find what the commit tier does not look for; CUT still fails."""
    code, said = run(folder, "-q", "--explore-tier=nightly", "-k", "nightly or cut")
    assert code == 1
    assert "it needs 1 fault" in said
    assert "2 failed" in said


def test_the_weekly_tier_does_not_count_a_cut_as_passed(folder: Path) -> None:
    """It is no failure there, and it is no pass: it has a category of its own. Its order is over-approximate."""
    code, said = run(folder, "-v", "--explore-tier=weekly", "-k", "cut or sleep")
    assert code == 0
    assert "test_cut CUT (3)" in said
    assert "1 passed, 3 deselected, 1 cut" in said.replace("4 deselected", "3 deselected")


def test_a_replay_runs_one_schedule_and_is_not_a_pass(folder: Path) -> None:
    """A token of a violation fails again, one without is REPLAYED, a stale one fails, a garbled one is refused."""
    test = "test_them.py::TestInAClass::test_choice[b]"
    code, said = run(folder, "-q", test, "--explore-replay=x1:fifo:c0f0r0s0:-:-")
    assert (code, "VIOLATED" in said) == (1, True)
    code, said = run(folder, "-v", "test_them.py::test_sleep", "--explore-replay=x1:fifo:c1f0r0s0:01:22")
    assert (code, "REPLAYED (1)" in said, " passed" in said) == (0, True, False)
    code, said = run(folder, "-q", "test_them.py::test_sleep", "--explore-replay=x1:fifo:c1f0r0s0:01:23")
    assert (code, "NonDeterminism: not the same choices: choice 1" in said) == (1, True)
    code, said = run(folder, "-q", "test_them.py::test_sleep", "--explore-replay=nonsense")
    assert (code, "cannot read the token" in said) == (4, True)
    code, said = run(folder, "-q", "--explore-replay=x1:fifo:c1f0r0s0:01:22")
    assert (code, "replays one test: 5 are selected" in said) == (4, True)


def test_sampling_is_not_a_pass(folder: Path) -> None:
    """Schedules drawn by chance are SAMPLED, half by each method."""
    code, said = run(folder, "-v", "-k", "cut", "--explore-sample=20", "--explore-seed=3")
    assert (code, "SAMPLED (20)" in said, " passed" in said) == (0, True, False)


def test_seconds_cut_an_exploration(folder: Path) -> None:
    """A limit of time is given on the command line, for all tests."""
    code, said = run(folder, "-q", "-k", "sleep", "--explore-seconds=0")
    assert (code, "the limit of 0 s" in said) == (1, True)


def test_a_decorator_without_parentheses_says_so(tmp_path: Path) -> None:
    """Silently not collecting the test would be a pass that nobody ran."""
    (tmp_path / "test_it.py").write_text(
        "from openhcs.testing.explore import explore\n@explore\nasync def test_x(world): ...\n"
    )
    code, said = run(tmp_path, "-q")
    assert (code, "parentheses" in said) == (2, True)
