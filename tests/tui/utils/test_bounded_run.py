"""A program's end is bounded, whatever it leaves behind."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import threading
import time

import pytest

from openhcs.tui.utils.bounded_run import run_bounded


def test_the_result_and_the_failure_of_main_are_the_callers() -> None:
    """`run_bounded` returns what main returns and raises what it raises, and closes its loop."""

    async def give(answer: int) -> tuple[int, asyncio.AbstractEventLoop]:
        return answer, asyncio.get_running_loop()

    async def fail() -> None:
        raise KeyError("x")

    answer, loop = run_bounded(give(3))
    assert answer == 3
    assert loop.is_closed()
    with pytest.raises(KeyError):
        run_bounded(fail())


def test_tasks_left_behind_are_cancelled_and_awaited() -> None:
    """A task that main did not await gets to clean up."""
    steps = []

    async def worker() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            steps.append("cleaned up")

    async def main() -> None:
        steps.append(asyncio.get_running_loop().create_task(worker()).get_name())
        await asyncio.sleep(0)

    run_bounded(main())
    assert steps[1:] == ["cleaned up"]


def test_a_task_that_ignores_its_cancellation_is_named_and_left(caplog: pytest.LogCaptureFixture) -> None:
    """A stubborn task holds the end for the grace only, and the log tells its name."""

    async def stubborn() -> None:
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                continue

    async def main() -> None:
        asyncio.get_running_loop().create_task(stubborn(), name="stubborn").get_name()
        await asyncio.sleep(0)

    began = time.monotonic()
    with caplog.at_level(logging.WARNING):
        run_bounded(main(), grace_s=0.1)
    assert time.monotonic() - began < 5
    assert "'stubborn' did not end" in caplog.text


def test_a_blocked_thread_does_not_hold_the_loops_end() -> None:
    """A call in the executor that does not return is not waited for."""
    release = threading.Event()

    async def main() -> None:
        asyncio.get_running_loop().run_in_executor(None, release.wait)
        await asyncio.sleep(0)

    began = time.monotonic()
    run_bounded(main(), grace_s=0.1)
    assert time.monotonic() - began < 5
    release.set()


def test_exit_bounded_leaves_blocked_threads_behind() -> None:
    """The process ends with its exit code and its output although a thread would never end."""
    program = """
import threading
from openhcs.tui.utils.bounded_run import exit_bounded
threading.Thread(target=threading.Event().wait).start()
print("the last words", end="")
exit_bounded(7)
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (7, "the last words", "")
