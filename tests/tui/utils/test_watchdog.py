"""The watchdog: what blocks the loop is named, once, while it blocks."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import threading
import time

import pytest

from openhcs.tui.utils.watchdog import BlockedLoop, Watchdog
from tests.tui.utils.kit import logged, until

THRESHOLD_S = 0.05


class Ear:
    """Hears reports, and lets a test wait for the next."""

    def __init__(self) -> None:
        self.heard: list[BlockedLoop] = []
        self.threads: list[threading.Thread] = []
        self._news = threading.Semaphore(0)

    def __call__(self, blocked: BlockedLoop) -> None:
        self.heard.append(blocked)
        self.threads.append(threading.current_thread())
        self._news.release()

    def block_until_told(self) -> None:
        """Block this thread until there is a report."""
        assert self._news.acquire(timeout=10), "nothing was told while the loop was blocked"


def watchdogs() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "watchdog"]


async def test_what_blocks_the_loop_is_told_while_it_blocks() -> None:
    """The report comes from another thread, and its stack leads to the blocking line."""
    ear = Ear()
    watchdog = Watchdog(ear, THRESHOLD_S)
    watchdog.start()
    ear.block_until_told()
    watchdog.stop()
    (blocked,) = ear.heard
    assert ear.threads != [threading.main_thread()]
    assert blocked.seconds >= THRESHOLD_S
    assert any("block_until_told" in line for line in blocked.stack)
    assert any("test_what_blocks_the_loop" in line for line in blocked.stack)
    assert re.search(r"blocked for \d+\.\d s by .*:\d+ in ", str(blocked))


async def test_one_blockade_is_one_report_and_the_next_is_another() -> None:
    """However long the loop is blocked it is told once; when it has run in between it is told again."""
    ear = Ear()
    watchdog = Watchdog(ear, THRESHOLD_S)
    watchdog.start()
    ear.block_until_told()
    time.sleep(6 * THRESHOLD_S)  # noqa: ASYNC251 - blocking is the subject
    assert len(ear.heard) == 1
    beat = watchdog._beat_s
    await until(lambda: watchdog._beat_s != beat, "the loop to beat again")
    assert watchdog.blocked() is None
    ear.block_until_told()
    watchdog.stop()
    assert len(ear.heard) == 2


async def test_native_code_that_keeps_the_interpreter_is_told_afterwards() -> None:
    """While it runs no thread can tell; then it is told, as a process that was merely stopped is not."""
    ear = Ear()
    watchdog = Watchdog(ear, THRESHOLD_S)
    watchdog.start()
    sum(range(20_000_000))
    ear.block_until_told()
    watchdog.stop()
    assert ear.heard[0].seconds > THRESHOLD_S


def test_a_process_that_was_stopped_is_not_a_blocked_loop() -> None:
    """SIGSTOP and SIGCONT, as of a suspended terminal, are no news of the loop."""
    script = """
import asyncio, os, signal, subprocess, sys
from openhcs.tui.utils.watchdog import Watchdog
async def main():
    heard = []
    watchdog = Watchdog(heard.append, 0.2)
    watchdog.start()
    await asyncio.sleep(0.3)
    stopping = subprocess.Popen(["sh", "-c", f"kill -STOP {os.getpid()}; sleep 1; kill -CONT {os.getpid()}"])
    await asyncio.to_thread(stopping.wait)
    await asyncio.sleep(0.6)
    watchdog.stop()
    print([str(blocked) for blocked in heard if blocked.seconds > 0.8])
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30)
    assert done.stdout == "[]\n", done.stdout + done.stderr


async def test_a_listener_that_fails_is_logged_and_called_again() -> None:
    """What `on_blocked` raises does not end the watch."""
    ear = Ear()

    def fail(blocked: BlockedLoop) -> None:
        ear(blocked)
        raise OSError("no one to tell")

    watchdog = Watchdog(fail, THRESHOLD_S)
    with logged() as records:
        watchdog.start()
        for _ in range(2):
            ear.block_until_told()
            beat = watchdog._beat_s
            await until(lambda beat=beat: watchdog._beat_s != beat, "the loop to beat again")  # type: ignore[misc]
        watchdog.stop()
    assert [str(record.exc_info[1]) for record in records.errors() if record.exc_info] == ["no one to tell"] * 2


async def test_starting_and_stopping_leave_no_thread() -> None:
    """Started twice it watches once; stopped twice, or before it was started, it is stopped."""
    watchdog = Watchdog(Ear(), THRESHOLD_S)
    watchdog.stop()
    watchdog.start()
    watchdog.start()
    assert len(watchdogs()) == 1
    watchdog.stop()
    watchdog.stop()
    assert watchdogs() == []
    assert watchdog.blocked() is None


async def test_the_listener_may_stop_it() -> None:
    """`stop` from the watchdog's own thread does not wait for itself."""
    stopped = threading.Event()

    def stop(blocked: BlockedLoop) -> None:
        watchdog.stop()
        stopped.set()

    watchdog = Watchdog(stop, THRESHOLD_S)
    watchdog.start()
    assert stopped.wait(10)
    await until(lambda: not watchdogs(), "the thread to end")


def test_one_loop_after_another() -> None:
    """It can be left running on a loop that dies, and watch the next."""
    ear = Ear()
    watchdog = Watchdog(ear, THRESHOLD_S)

    async def start() -> None:
        watchdog.start()

    async def start_and_block() -> None:
        watchdog.start()
        ear.block_until_told()
        watchdog.stop()

    asyncio.run(start())
    asyncio.run(start_and_block())
    assert watchdogs() == []


def test_it_needs_a_running_loop() -> None:
    """Without a loop there is nothing to watch, and no thread is started."""
    with pytest.raises(RuntimeError):
        Watchdog(Ear()).start()
    assert watchdogs() == []


async def test_what_goes_on_is_told_every_second_and_kept() -> None:
    """`on_second` hears each whole second of one blockade; `last` keeps it, in the end with its whole length."""
    seconds: list[int] = []
    told = threading.Semaphore(0)

    def on_second(blocked: BlockedLoop) -> None:
        seconds.append(int(blocked.seconds))
        told.release()

    watchdog = Watchdog(Ear(), THRESHOLD_S, on_second=on_second)
    watchdog.start()
    began_s, beat = time.monotonic(), watchdog._beat_s
    for _ in range(2):
        assert told.acquire(timeout=10)
    assert watchdog.last is not None
    await until(lambda: watchdog._beat_s != beat, "the loop to beat again")
    watchdog.stop()
    assert seconds == [1, 2]
    assert watchdog.last.since_s == beat
    assert 2.0 <= watchdog.last.seconds <= time.monotonic() - began_s + THRESHOLD_S
    assert watchdog.blocked() is None


def test_the_place_told_is_the_programs_own() -> None:
    """`where` is the innermost place outside the standard library, but not that which runs the loop."""
    library = re.sub(r"asyncio/__init__\.py$", "", asyncio.__file__)
    loop = ("app.py:90 in main", f"{library}asyncio/events.py:84 in _run")
    called = ("app.py:12 in read", f"{library}subprocess.py:500 in run", "<frozen os>:3 in wait")
    installed = f"{library}site-packages/numpy/core.py:7 in sort"
    assert BlockedLoop(1.0, loop + called, 0.0).where == "app.py:12 in read"
    assert BlockedLoop(1.0, (*loop, *called, installed), 0.0).where == installed
    assert BlockedLoop(1.0, loop + called[1:], 0.0).where == called[-1]
    assert BlockedLoop(1.0, (), 0.0).where == "unknown code"
