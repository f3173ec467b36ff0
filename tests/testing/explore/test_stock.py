"""What `fifo` order calls exact happens in stock asyncio: each kind of choice, and each fault of the guide, by hand.

No explorer here: a real selector loop, real threads and sockets, brought to the very moment.
"""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
import time
import warnings
from collections.abc import Callable


def test_input_joins_behind_what_is_ready_and_before_timers() -> None:
    """The order of an iteration: ready callbacks, input, timers, though the timer was due long before the input."""
    order: list[str] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        near, far = socket.socketpair()
        with near, far:

            def read() -> None:
                near.recv(1)
                order.append("input")

            loop.add_reader(near, read)
            loop.call_later(0.001, order.append, "timer")
            time.sleep(0.01)  # noqa: ASYNC251 - the slow step
            far.send(b"x")
            loop.call_soon(order.append, "ready")
            await asyncio.sleep(0.02)
            loop.remove_reader(near)

    asyncio.run(main())
    assert order == ["ready", "input", "timer"]


def test_a_slow_step_lets_a_timer_join_what_is_ready() -> None:
    """A timeout strikes although its body is ready to go on: `slow`."""

    async def main() -> str:
        try:
            async with asyncio.timeout(0.001):
                time.sleep(0.01)  # noqa: ASYNC251 - the slow step
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            return "in time"
        except TimeoutError:
            return "too late"

    assert asyncio.run(main()) == "too late"


def test_a_thread_puts_its_callback_between_two_others() -> None:
    """`call_soon_threadsafe` lands between callbacks that one step schedules: a thread's place in the queue is open."""
    order: list[str] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.call_soon(order.append, "a")
        thread = threading.Thread(target=loop.call_soon_threadsafe, args=(order.append, "x"))
        thread.start()
        thread.join()
        loop.call_soon(order.append, "b")
        await asyncio.sleep(0.01)

    asyncio.run(main())
    assert order == ["a", "x", "b"]


def test_input_can_cancel_a_task_that_the_same_iteration_made() -> None:
    """A cancellation that arrives behind the maker is before the first step: the task's coroutine never starts."""

    async def inner() -> None: ...

    async def outer(coroutine: object) -> None:
        await coroutine  # type: ignore[misc]

    async def main() -> None:
        loop = asyncio.get_running_loop()
        near, far = socket.socketpair()
        made: list[asyncio.Task[None]] = []
        with near, far:
            loop.add_reader(near, lambda: (near.recv(1), made[0].cancel()))
            loop.call_soon(lambda: made.append(loop.create_task(outer(inner()))))
            far.send(b"x")
            await asyncio.wait([asyncio.create_task(asyncio.sleep(0.01))])
            loop.remove_reader(near)
        assert made[0].cancelled()

    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        asyncio.run(main())
        gc.collect()
    assert ["inner" in str(warning.message) for warning in heard] == [True]


def test_the_idiom_of_the_guide_swallows_a_cancellation() -> None:
    """`task.cancel()` and `except CancelledError: pass`: who cancels the closing is told that it ended well."""

    async def poll() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0)

    async def stop(task: asyncio.Task[None]) -> None:
        task.cancel()
        try:  # noqa: SIM105 - the idiom as it is written
            await task
        except asyncio.CancelledError:
            pass

    async def main() -> tuple[bool, int]:
        polling = asyncio.create_task(poll())
        await asyncio.sleep(0)
        closing = asyncio.create_task(stop(polling))
        await asyncio.sleep(0)
        closing.cancel()
        await asyncio.wait({closing, polling})
        return closing.cancelled(), closing.cancelling()

    assert asyncio.run(main()) == (False, 1)


def test_the_browser_of_the_guide_shows_what_was_asked_for_first() -> None:
    """Two threads end in the other order, and the older answer stays on the screen."""
    shown: list[str] = []
    first_may_end = threading.Event()

    async def open_folder(folder: str, read: Callable[[str], object]) -> None:
        await asyncio.to_thread(read, folder)
        shown.append(folder)

    async def main() -> None:
        first = asyncio.create_task(open_folder("plates", lambda _: first_may_end.wait(10)))
        await asyncio.create_task(open_folder("results", str))
        first_may_end.set()
        await first

    asyncio.run(main())
    assert shown == ["results", "plates"]


def test_the_reporter_of_the_guide_never_shows_another_error() -> None:
    """A dialog that fails once leaves the flag set, and every later error is dropped."""
    shown: list[str] = []

    class Reporter:
        showing = False

        async def report(self, error: str, dialog: Callable[[str], object]) -> None:
            if self.showing:
                return
            self.showing = True
            await asyncio.sleep(0)
            dialog(error)
            self.showing = False

    def fails(error: str) -> None:
        raise OSError("no terminal")

    async def main() -> None:
        reporter = Reporter()
        await asyncio.gather(reporter.report("first", fails), return_exceptions=True)
        await reporter.report("second", shown.append)

    asyncio.run(main())
    assert shown == []
