"""A process that gives way."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import os
from pathlib import Path
from openhcs.core.niceness import give_way

before = os.getpriority(os.PRIO_PROCESS, 0)
give_way({niceness})
group = Path("/proc/self/autogroup")
print(before, os.getpriority(os.PRIO_PROCESS, 0), group.read_text().rpartition(" ")[2] if group.exists() else "")
"""


def priorities(niceness: int, *, leads: bool, nice: int = 0) -> list[str]:
    """Of a process before and after it gave way, and of its session where it is in a group of sessions."""
    command = ["nice", "-n", str(nice), sys.executable, "-c", PROGRAM.format(niceness=niceness)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, start_new_session=leads)
    return ran.stdout.split()


@pytest.mark.parametrize("niceness", [0, 10, 19])
def test_the_leader_of_a_session_gives_way_with_its_session(niceness: int) -> None:
    """The process and, where sessions have groups, its session have the niceness that was asked for."""
    before, after, *session = priorities(niceness, leads=True)
    assert int(after) == max(int(before), niceness)
    if session:
        assert session == [after]


def test_a_process_in_a_session_of_others_leaves_it_alone() -> None:
    """Only the process itself gives way: the session is the user's shell."""
    before, after, *session = priorities(10, leads=False)
    assert int(after) == max(int(before), 10)
    if session:
        assert session == Path("/proc/self/autogroup").read_text().split()[-1:]


def test_who_starts_with_less_claim_keeps_it() -> None:
    """A run under `nice -n 15` does not take more than it was given."""
    assert priorities(10, leads=True, nice=15)[1] == "15"
