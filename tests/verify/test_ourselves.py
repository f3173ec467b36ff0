"""This project before its own checker, and before the commands by which its plan is checked."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from openhcs.verify.command import main

CHECKOUT = Path(__file__).parents[2]

GREPS_THAT_FIND_NOTHING = (
    "grep -rn 'asyncio.create_task' openhcs/tui/ --include='*.py' | grep -v unified_task_manager",
    "grep -rn 'Application.run_async' openhcs/tui/utils/dialog_helpers.py",
)
IDLE = """
from openhcs.tui.utils.focus_manager import get_focus_manager
from openhcs.tui.utils.safe_error_handler import get_error_handler
assert not get_focus_manager()._focusing_active
assert not get_error_handler()._showing_dialog
"""
IMPORTS = (
    "from openhcs.tui.utils.focus_manager import get_focus_manager; print('ok')",
    "from openhcs.tui.utils.safe_error_handler import get_error_handler; print('ok')",
    IDLE,
)


def test_this_project_is_clean(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """`openhcs verify openhcs` finds nothing that is not silenced with a reason."""
    monkeypatch.chdir(CHECKOUT)
    assert main(["openhcs"]) == 0, capsys.readouterr().out


@pytest.mark.parametrize("command", IMPORTS)
def test_the_fixed_names_can_be_imported_and_are_idle(command: str) -> None:
    """The first commands of the contract end well on a checkout."""
    subprocess.run([sys.executable, "-c", command], cwd=CHECKOUT, check=True, capture_output=True)


@pytest.mark.skipif(shutil.which("grep") is None, reason="needs grep")
@pytest.mark.parametrize("command", GREPS_THAT_FIND_NOTHING)
def test_no_task_is_started_and_nothing_is_patched_behind_the_owners_back(command: str) -> None:
    """The last commands of the contract print nothing."""
    done = subprocess.run(command, shell=True, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.stdout == ""
