"""From threads, finalisers and signal handlers; before a loop, in two loops at once, in the next, in a dead one."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import os
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from openhcs.tui.utils import dialog_helpers
from openhcs.tui.utils.circuit_breaker import CircuitBreaker
from openhcs.tui.utils.dialog_helpers import setup_global_exception_handler, show_global_error_sync
from openhcs.tui.utils.focus_manager import get_focus_manager
from openhcs.tui.utils.safe_error_handler import SafeErrorHandler, get_error_handler, safe_show_error_sync
from openhcs.tui.utils.unified_task_manager import (
    TaskRefused,
    UnifiedTaskManager,
    get_task_manager,
    initialize_task_manager,
    shutdown_task_manager,
)
from tests.tui.utils.abuse.fakes import Host, failing, never, turns
from tests.tui.utils.kit import until

Reported = list[tuple[BaseException, str]]


def in_thread(work: Callable[[], object]) -> None:
    """Do `work` in a thread and wait for it; its failure is the caller's."""
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        executor.submit(work).result(10)


class Collected:
    """Does `work` when it is collected, which takes the cyclic collector."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self._me = self

    def __del__(self) -> None:
        self._work()


class TestWithoutALoop:
    @pytest.mark.parametrize("where", ["here", "in a thread", "in a finaliser", "in a signal handler"])
    @pytest.mark.parametrize("when", ["before any loop", "after a loop", "between two loops"])
    def test_everything(self, where: str, when: str, reported: Reported, capsys: pytest.CaptureFixture[str]) -> None:
        """Whatever needs no loop works without one, from anywhere; coroutines are closed and recorded, errors told."""
        errors = get_error_handler()

        async def touch() -> None:
            await get_task_manager().create_task(asyncio.sleep(0))
            get_focus_manager()

        if when != "before any loop":
            asyncio.run(touch())

        def do_all() -> None:
            get_task_manager().fire_and_forget(never(), "lost")
            with pytest.raises(TaskRefused):
                get_task_manager().create_task(never(), "lost")
            errors.handle_error_sync(ValueError("one"), "one", Host())
            safe_show_error_sync(KeyError("two"), "two")
            show_global_error_sync(OSError("three"), "three")
            assert get_task_manager().snapshot() == ()
            assert get_task_manager().active_task_count == 0
            assert not get_focus_manager()._focusing_active

        match where:
            case "here":
                do_all()
            case "in a thread":
                in_thread(do_all)
            case "in a finaliser":
                Collected(do_all)
                gc.collect()
            case _:
                before = signal.signal(signal.SIGUSR1, lambda *_: do_all())
                try:
                    signal.raise_signal(signal.SIGUSR1)
                finally:
                    signal.signal(signal.SIGUSR1, before)
        assert [context for _, context in reported] == ["lost"]
        assert errors.journal.ledger.received == 3
        told = capsys.readouterr().err
        assert all(word in told for word in ("one", "two", "three"))
        if when == "between two loops":
            asyncio.run(touch())


class TestWhileALoopRuns:
    @pytest.mark.parametrize("where", ["a thread", "an executor", "a finaliser", "a signal handler", "a callback"])
    async def test_hand_over(self, where: str, reported: Reported) -> None:
        """From anywhere while the loop sleeps, a coroutine runs at once and an error is shown at once."""
        host = Host()
        manager, errors = get_task_manager(), get_error_handler()
        ran = asyncio.Event()

        async def run() -> None:
            ran.set()

        def do_all() -> None:
            manager.fire_and_forget(run(), "handed over")
            manager.fire_and_forget(failing(), "fails")
            errors.handle_error_sync(ValueError("shown"), "abuse", host)

        before = signal.getsignal(signal.SIGUSR1)
        began = time.monotonic()
        match where:
            case "a thread":
                thread = threading.Thread(target=lambda: (time.sleep(0.01), do_all()))
                thread.start()
            case "an executor":
                work = asyncio.get_running_loop().run_in_executor(None, do_all)
            case "a finaliser":
                Collected(do_all)
                asyncio.get_running_loop().call_later(0.01, gc.collect)
            case "a signal handler":
                signal.signal(signal.SIGUSR1, lambda *_: do_all())
                thread = threading.Thread(target=lambda: (time.sleep(0.01), os.kill(os.getpid(), signal.SIGUSR1)))
                thread.start()
            case _:
                asyncio.get_running_loop().call_soon(do_all)
        # One long sleep: nothing else wakes the loop.
        sleep = asyncio.ensure_future(asyncio.sleep(3))
        await asyncio.wait([sleep, waiter := asyncio.ensure_future(ran.wait())], return_when=asyncio.FIRST_COMPLETED)
        assert time.monotonic() - began < 2
        sleep.cancel()
        await asyncio.wait([sleep, waiter])
        await until(lambda: host.open)
        host.answer()
        await until(lambda: not errors._showing_dialog)
        await until(lambda: manager.active_task_count == 0)
        if where == "an executor":
            await work
        elif where in ("a thread", "a signal handler"):
            thread.join()
        signal.signal(signal.SIGUSR1, before)
        assert [context for _, context in reported] == ["fails"]

    async def test_many_threads(self) -> None:
        """Eight threads that hand over coroutines and errors at once lose none, and one dialog is open at most."""
        host = Host()
        manager, errors = get_task_manager(), get_error_handler()
        ran = 0

        async def run() -> None:
            nonlocal ran
            ran += 1

        def work(number: int) -> None:
            for step in range(100):
                manager.fire_and_forget(run(), f"thread {number}")
                errors.handle_error_sync(ValueError(f"thread {number}"), f"thread {number} step {step}", host)

        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-5)
        try:
            async with asyncio.timeout(10):
                await asyncio.gather(*(asyncio.to_thread(work, number) for number in range(8)))
        finally:
            sys.setswitchinterval(interval)
        while errors._waiting or host.open:
            if host.open:
                host.answer()
            await turns()
        await until(lambda: manager.active_task_count == 0)
        assert ran == 800
        assert host.deepest == 1
        assert errors.journal.ledger.received == 800
        assert errors.journal.ledger.balances

    async def test_a_thread_that_is_in_a_loop_of_its_own(self) -> None:
        """An error in a thread that runs another loop is shown by the loop of the workbench, not by the thread's."""
        host = Host()
        errors, manager = get_error_handler(), get_task_manager()
        loops: list[asyncio.AbstractEventLoop] = []
        show, host.show_dialog = host.show_dialog, None  # type: ignore[method-assign, assignment]

        async def show_dialog(dialog: Any, future: asyncio.Future[Any]) -> Any:
            loops.append(asyncio.get_running_loop())
            return await show(dialog, future)

        host.show_dialog = show_dialog  # type: ignore[method-assign]

        async def elsewhere() -> None:
            get_task_manager().fire_and_forget(asyncio.sleep(0), "in the thread's loop")
            errors.handle_error_sync(ValueError("elsewhere"), "elsewhere", host)
            await turns()

        await asyncio.to_thread(asyncio.run, elsewhere(), debug=True)
        await until(lambda: host.open)
        assert loops == [asyncio.get_running_loop()]
        host.answer()
        await until(lambda: not errors._showing_dialog)
        assert get_task_manager() is manager
        assert await asyncio.to_thread(get_task_manager) is manager
        ran = asyncio.Event()

        async def run() -> None:
            ran.set()

        await asyncio.to_thread(lambda: manager.fire_and_forget(run(), "after the thread's loop"))
        async with asyncio.timeout(1):
            await ran.wait()
        assert await shutdown_task_manager(1) == ()

    async def test_plain_threads_and_their_ends(self) -> None:
        """An exception that ends a thread is one error; SystemExit in one is silent."""
        hooks = setup_global_exception_handler(None)
        errors = get_error_handler()
        try:
            for error in (ValueError("in a thread"), SystemExit(3), KeyError("in another")):

                def fail(error: BaseException = error) -> None:
                    raise error

                thread = threading.Thread(target=fail)
                thread.start()
                thread.join()
        finally:
            hooks.restore()
        assert [entry.type_name for entry in errors.journal.entries()] == ["ValueError", "KeyError"]

    async def test_finalisers_that_raise(self) -> None:
        """What a finaliser raises is one error."""
        hooks = setup_global_exception_handler(None)
        try:
            Collected(lambda: 1 / 0)
            gc.collect()
        finally:
            hooks.restore()
        assert [entry.type_name for entry in get_error_handler().journal.entries()] == ["ZeroDivisionError"]

    @pytest.mark.parametrize("make", [get_error_handler, SafeErrorHandler], ids=["the program's", "one of its own"])
    async def test_an_error_while_the_loop_is_blocked(self, make: Callable[[], SafeErrorHandler]) -> None:
        """An error from a thread while the loop is blocked is entered then, and shown when it goes on."""
        errors, host = make(), Host()
        entered = threading.Event()

        def report() -> None:
            errors.handle_error_sync(ValueError("while blocked"), "thread", host)
            entered.set()

        thread = threading.Thread(target=report)
        thread.start()
        assert entered.wait(2)  # blocks the loop
        thread.join()
        assert errors.journal.ledger.received == 1
        await until(lambda: host.open)
        host.answer()
        await until(lambda: not errors._showing_dialog)


class TestLoopsInARow:
    @pytest.mark.parametrize("debug", [False, True], ids=["plain", "debug"])
    def test_ten_loops(self, debug: bool) -> None:
        """In ten loops one after the other everything works as in the first, with the same accessors."""
        setup = []

        async def main(number: int) -> None:
            host = Host()
            setup.append(setup_global_exception_handler(host))
            manager, errors = get_task_manager(), get_error_handler()
            assert await manager.create_task(asyncio.sleep(0, number)) == number
            manager.fire_and_forget(failing(RuntimeError(f"loop {number}")), "fails")
            await until(lambda: host.open)
            host.answer()
            await until(lambda: not errors._showing_dialog)
            if number % 3 == 0:
                await shutdown_task_manager(1)
            elif number % 3 == 1:
                manager.fire_and_forget(never(), "left behind")
                errors.handle_error_sync(KeyError("left on the screen"), f"loop {number}", host)
                await turns()

        for number in range(10):
            asyncio.run(main(number), debug=debug)
            assert not get_error_handler()._showing_dialog
        setup[-1].restore()
        gc.collect()
        assert get_error_handler().journal.ledger.balances

    def test_a_loop_that_is_only_stopped(self) -> None:
        """A loop that was left with a dialog up, and not closed, does not keep the next one from showing its own."""
        errors, first, second = get_error_handler(), Host(), Host()

        async def show(host: Host, error: BaseException) -> None:
            errors.handle_error_sync(error, "abuse", host)
            await turns()

        stopped = asyncio.new_event_loop()
        try:
            stopped.run_until_complete(show(first, ValueError("in the first")))
            assert first.open

            async def main() -> None:
                showing = asyncio.ensure_future(errors.handle_error(KeyError("in the second"), "abuse", second))
                await until(lambda: second.open)
                second.answer()
                await showing

            asyncio.run(main())
            first.open[-1][1].get_loop()
            first.answer()
            stopped.run_until_complete(turns())
        finally:
            stopped.close()
        assert not errors._showing_dialog

    @pytest.mark.parametrize("close", [True, False], ids=["closed", "not closed"])
    def test_a_loop_that_dies_with_everything_in_flight(self, close: bool, reported: Reported) -> None:
        """A loop that is left with tasks, a dialog and a focus in flight leaves nothing to complain of."""
        errors, host = get_error_handler(), Host()

        async def start() -> None:
            manager = get_task_manager()
            for number in range(5):
                manager.fire_and_forget(never(), f"in flight {number}")
            manager.exclusive("group", never())
            manager.fire_and_forget(get_focus_manager().set_focus_after_delay("nowhere", 60), "focus")
            errors.handle_error_sync(ValueError("in flight"), "abuse", host)
            await turns()
            manager.fire_and_forget(never(), "never began")

        loop = asyncio.new_event_loop()
        loop.run_until_complete(start())
        if close:
            loop.close()

        async def after() -> None:
            good = Host()
            assert not get_focus_manager()._focusing_active or not close
            showing = asyncio.ensure_future(errors.handle_error(KeyError("after"), "abuse", good))
            await until(lambda: good.open)
            good.answer()
            await showing
            await get_task_manager().create_task(asyncio.sleep(0))

        asyncio.run(after())
        if not close:
            loop.run_until_complete(get_task_manager().shutdown(1))
            left = asyncio.all_tasks(loop)
            for task in left:
                task.cancel()
            if left:
                loop.run_until_complete(asyncio.wait(left))
            loop.close()
        del loop
        gc.collect()
        assert not errors._showing_dialog

    def test_accessors_forget_dead_loops(self) -> None:
        """No accessor keeps a dead loop, or what ran in it, alive."""
        loops = []

        async def main() -> None:
            loops.append(weakref.ref(asyncio.get_running_loop()))
            await get_task_manager().create_task(asyncio.sleep(0))
            await get_focus_manager().set_focus_after_delay("nowhere", 0)

        for _ in range(3):
            asyncio.run(main())
        asyncio.run(main())
        gc.collect()
        assert [loop() for loop in loops[:-1]] == [None] * 3

    def test_a_manager_from_before(self, reported: Reported) -> None:
        """A manager made before any loop, and kept over several, works in each."""
        manager = initialize_task_manager(UnifiedTaskManager(max_tasks=3))
        heard: Reported = []
        manager.set_error_handler(lambda error, context: heard.append((error, context)))

        async def main() -> None:
            manager.fire_and_forget(failing(), "fails")
            manager.fire_and_forget(never(), "stays")
            await turns()

        for _ in range(5):
            asyncio.run(main())
        assert [context for _, context in heard] == ["fails"] * 5
        assert manager.active_task_count == 0

    def test_a_storm_of_threads_at_the_end_of_a_loop(self, reported: Reported) -> None:
        """Threads that go on handing over while one loop ends and another begins lose nothing silently."""
        stop = threading.Event()
        handed, begun = 0, 0

        async def work() -> None:
            nonlocal begun
            begun += 1

        def hand_over() -> None:
            nonlocal handed
            while not stop.is_set():
                get_task_manager().fire_and_forget(work(), "handed over")
                handed += 1
                time.sleep(0.0001)

        thread = threading.Thread(target=hand_over)

        async def main() -> None:
            get_task_manager().set_error_handler(lambda error, context: reported.append((error, context)))
            if not thread.is_alive() and not stop.is_set():
                thread.start()
            await asyncio.sleep(0.01)

        asyncio.run(main())
        for _ in range(5):
            asyncio.run(asyncio.sleep(0.002))

            async def again() -> None:
                get_task_manager()
                await asyncio.sleep(0.005)

            asyncio.run(again())
        stop.set()
        thread.join()
        gc.collect()
        assert begun
        assert begun + len(reported) <= handed
        # A task that is cancelled before its first step was neither begun nor refused.
        assert handed - begun - len(reported) < 50


class TestClocks:
    async def test_the_wall_clock_jumps(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A wall clock that is set back by years, or forward, changes nothing but the times that are told."""
        errors, host = get_error_handler(), Host()
        for now in (0.0, -1e9, 4e9, 1e12, 0.0):
            monkeypatch.setattr(time, "time", lambda now=now: now)
            showing = asyncio.ensure_future(errors.handle_error(ValueError(now), f"at {now}", host))
            await turns()
            host.answer()
            await showing
            assert await get_task_manager().create_task(asyncio.sleep(0, "on time")) == "on time"
        assert errors.journal.ledger.received == 5

    async def test_the_breaker_heals(self) -> None:
        """The display fails and heals: open, half-open for one probe at a time, cancel-safe, then closed."""
        now = 0.0
        errors = SafeErrorHandler(breaker=CircuitBreaker(cool_down_s=5.0, clock=lambda: now))
        broken = True

        async def act(dialog: Any, future: asyncio.Future[Any]) -> Any:
            if broken:
                raise RuntimeError("no display")
            return await future

        host = Host(act)
        number = 0

        async def attempt() -> int:
            nonlocal number
            number += 1
            before = host.calls
            await errors.handle_error(ValueError(number), f"attempt {number}", host)
            return host.calls - before

        assert await attempt() == 1
        assert errors._circuit_breaker_active
        assert await attempt() == 0
        now = 5.1
        assert not errors._circuit_breaker_active
        assert await attempt() == 1
        now = 12.0
        assert await attempt() == 0  # twice as long now
        now = 16.0
        broken = False
        probes = [asyncio.ensure_future(errors.handle_error(KeyError(n), f"probe {n}", host)) for n in range(5)]
        await turns()
        assert len(host.open) == 1
        for probe in probes:
            probe.cancel()
        await asyncio.wait(probes)
        await turns()
        while host.open:
            host.answer()
            await turns()
        assert not errors._circuit_breaker_active
        showing = asyncio.ensure_future(errors.handle_error(OSError("at last"), "at last", host))
        await turns()
        assert len(host.open) == 1
        host.answer()
        await showing
        errors.tell_untold()


@pytest.fixture(autouse=True)
def hooks_given_back() -> Iterator[None]:
    """What a case installed is given back."""
    yield
    if dialog_helpers._global_hooks is not None:
        dialog_helpers._global_hooks.restore()
