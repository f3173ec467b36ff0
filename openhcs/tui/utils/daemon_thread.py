"""One blocking call in a thread that nothing waits for at exit.

`asyncio.to_thread` shares an executor whose threads are joined when the loop closes: a listing of a network folder
that hangs would hold the whole program. A daemon thread holds nothing; its late answer goes nowhere.

Standard library only; anybody may import this. Checked by tests/tui/utils/test_daemon_thread.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

__all__ = ["begin_in_daemon_thread", "in_daemon_thread", "make_in_daemon_thread"]

R = TypeVar("R")


async def in_daemon_thread(work: Callable[[], R], name: str) -> R:
    """The result of `work()`, or its exception. Cancelling the wait leaves the thread to end by itself."""
    return await begin_in_daemon_thread(work, name)


async def make_in_daemon_thread(make: Callable[[], R], undo: Callable[[R], object], name: str) -> R:
    """The result of `make()`, or its exception; where the wait is cancelled, what is made all the same is undone.

    For what goes on by itself, a process say: nobody would ever end it. `undo` is called in a thread of its own.
    """
    handing_over = threading.Lock()
    made: list[R] = []
    given_up = False

    def begin_undo(result: R) -> None:
        threading.Thread(target=undo, args=(result,), name=f"undo: {name}", daemon=True).start()

    def work() -> R:
        result = make()
        with handing_over:
            made.append(result)
            is_nobodys = given_up
        if is_nobodys:
            begin_undo(result)
        return result

    try:
        return await begin_in_daemon_thread(work, name)
    except asyncio.CancelledError:
        with handing_over:
            given_up = True
            came_just_then = list(made)
        for result in came_just_then:
            begin_undo(result)
        raise


def begin_in_daemon_thread(work: Callable[[], R], name: str) -> asyncio.Future[R]:
    """The same as a future, for a caller that has other things to do meanwhile; it has to be awaited or cancelled."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[R] = loop.create_future()

    def settle(result: R | None, error: BaseException | None) -> None:
        if answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(result)  # type: ignore[arg-type]  # R may include None

    def run() -> None:
        result: R | None = None
        error: BaseException | None = None
        try:
            result = work()
        except StopIteration as exc:  # no future takes one
            error = RuntimeError(f"{name} raised StopIteration")
            error.__cause__ = exc
        except BaseException as exc:  # the boundary: whatever it is belongs to the awaiter
            error = exc
        with contextlib.suppress(RuntimeError):  # the loop has closed meanwhile; nobody waits any more
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return answer
