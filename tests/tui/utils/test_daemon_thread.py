"""A blocking call in a thread: its result or failure is the awaiter's, and nothing waits for it at exit."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from typing import NoReturn

import pytest

from openhcs.tui.utils.daemon_thread import in_daemon_thread, make_in_daemon_thread


class Panic(BaseException):
    """As native code raises it: no Exception."""


def test_its_result_is_the_awaiters() -> None:
    """The call is made in a daemon thread of the name given."""

    def work() -> tuple[str, bool]:
        return threading.current_thread().name, threading.current_thread().daemon

    assert asyncio.run(in_daemon_thread(work, "a listing")) == ("a listing", True)


@pytest.mark.parametrize("failure", [OSError("gone"), Panic("native"), SystemExit(3)])
def test_its_failure_is_the_awaiters(failure: BaseException) -> None:
    """Whatever it is, the awaiter does not wait for ever."""

    def work() -> NoReturn:
        raise failure

    with pytest.raises(type(failure)) as raised:
        asyncio.run(in_daemon_thread(work, "work"))
    assert raised.value is failure


def test_a_stop_iteration_is_an_error_with_that_cause() -> None:
    """`next` of nothing: a future takes no StopIteration, and a coroutine would take it for its end."""

    async def main() -> None:
        with pytest.raises(RuntimeError, match="raised StopIteration") as raised:
            await asyncio.wait_for(in_daemon_thread(lambda: next(iter(())), "work"), 10)
        assert isinstance(raised.value.__cause__, StopIteration)

    asyncio.run(main())


def test_cancelled_it_is_not_waited_for() -> None:
    """The wait ends at once, and the late answer goes nowhere, even where the loop is closed by then."""
    go_on, ended = threading.Event(), threading.Event()

    def work() -> None:
        go_on.wait(20)
        ended.set()

    async def main() -> None:
        waiting = asyncio.ensure_future(in_daemon_thread(work, "work"))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(main())
    go_on.set()
    assert ended.wait(20)


def test_the_program_ends_without_it() -> None:
    """A call that never returns does not hold the interpreter."""
    script = """
import asyncio, threading
from openhcs.tui.utils.daemon_thread import in_daemon_thread, make_in_daemon_thread

async def main():
    asyncio.ensure_future(in_daemon_thread(threading.Event().wait, "for ever"))
    await asyncio.sleep(0)

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("comes", ["late", "just then", "after the loop"])
def test_what_is_made_for_nobody_is_undone(comes: str) -> None:
    """Whether it is there when the wait is cancelled or only afterwards, it is undone once."""
    go_on, made, undone = threading.Event(), threading.Event(), threading.Event()
    things: list[object] = []

    def make() -> object:
        if comes != "just then":
            assert go_on.wait(20)
        made.set()
        return made

    def undo(thing: object) -> None:
        things.append(thing)
        undone.set()

    async def main() -> None:
        making = asyncio.ensure_future(make_in_daemon_thread(make, undo, "a thing"))
        await asyncio.sleep(0)
        if comes == "just then":
            assert made.wait(20)
            for thread in threading.enumerate():
                if thread.name == "a thing":
                    thread.join(20)
        making.cancel()
        with pytest.raises(asyncio.CancelledError):
            await making
        if comes == "late":
            go_on.set()
            await asyncio.to_thread(undone.wait, 20)

    asyncio.run(main())
    go_on.set()
    assert undone.wait(20)
    assert things == [made]


def test_what_is_made_and_taken_stays() -> None:
    """Who waited has it, or the failure to make it; nothing is undone."""
    undone: list[object] = []
    assert asyncio.run(make_in_daemon_thread(lambda: "a thing", undone.append, "work")) == "a thing"
    with pytest.raises(OSError, match="gone"):
        asyncio.run(make_in_daemon_thread(_fail, undone.append, "work"))
    assert undone == []


def _fail() -> NoReturn:
    raise OSError("gone")
