"""G9: any thread, any loop, any moment. What a thread does between two of its calls is one step here."""

from __future__ import annotations

import asyncio
import signal
import threading

from openhcs.testing.explore import World, explore
from openhcs.tui.utils import safe_error_handler, unified_task_manager
from openhcs.tui.utils.focus_manager import get_focus_manager
from openhcs.tui.utils.safe_error_handler import get_error_handler
from openhcs.tui.utils.unified_task_manager import TaskRefused, UnifiedTaskManager, get_task_manager
from tests.proofs.scenery import (
    BUDGETS,
    Boom,
    Coroutines,
    ErrorDesk,
    Host,
    Told,
    coming,
    ended,
    keep_log,
    raised,
    task_manager,
    theorem,
)


@theorem
async def test_work_from_two_threads_runs_or_is_refused(world: World) -> None:
    """Two threads hand over a coroutine each, at any moment and between any two callbacks, while a task is cancelled
    and all is shut down at any moment: each coroutine runs to its end or is closed and its refusal told."""
    tasks, told, handed = task_manager(world), Told(), Coroutines(world)
    tasks.set_error_handler(told)
    ran: list[str] = []

    async def work(name: str) -> None:
        await asyncio.sleep(0)
        ran.append(name)

    tasks.fire_and_forget(handed(work("here")), "here")
    for task in tasks.tasks():
        world.operation("here", task)
    threads = [
        coming(world, name, lambda name=name: tasks.fire_and_forget(handed(work(name)), name), thread=True)
        for name in ("one", "two")
    ]
    shut_down: list[asyncio.Task[object]] = []
    world.event("F10", lambda: shut_down.append(world.loop.create_task(tasks.shutdown(1.0))))
    await ended(*threads)
    await world.idle()
    if not shut_down:
        assert {"one", "two"} <= set(ran)
        await tasks.shutdown(1.0)
    await ended(*shut_down)
    refused = told.of(TaskRefused)
    assert not set(ran) & set(refused)


@explore(**BUDGETS, nightly={"rush": 2})
async def test_errors_from_threads_finalisers_and_signals_are_shown(world: World) -> None:
    """A thread, a finaliser and a signal report an error each, at any moment, while a dialog is open that the person
    closes at any moment: each is one entry, and each is shown."""
    host = Host(world)
    desk = ErrorDesk(world, host)
    report = desk.handler.handle_error_sync

    class Finalised:
        def __del__(self) -> None:
            report(raised(Boom("finaliser")), "finaliser")

    things = [Finalised()]
    world.loop.add_signal_handler(signal.SIGUSR1, lambda: report(raised(Boom("signal")), "signal"))
    arrivals = [
        coming(world, "a thread", lambda: report(raised(Boom("thread")), "thread"), thread=True),
        coming(world, "a thing is dropped", things.clear),
        coming(world, "SIGUSR1", lambda: world.signal(signal.SIGUSR1)),
    ]
    await desk.handler.handle_error(raised(Boom("first")), "first")
    await ended(*arrivals)
    await world.idle()
    while desk.tasks.tasks():
        await ended(*desk.tasks.tasks())
    assert desk.journal.ledger.received == desk.journal.ledger.shown == 4


@theorem
async def test_no_accessor_hands_out_what_belongs_to_a_dead_loop(world: World) -> None:
    """A first loop ran, left a task and an error dialog unfinished, and died; on this loop the accessors are asked by
    the loop and by a thread at any moment: what they hand out works here, and what was left is told once."""
    keep_log(world)
    world.patch(unified_task_manager, "_global_task_manager", None)
    world.patch(safe_error_handler, "_global_error_handler", None)
    told, handed = Told(), Coroutines(world)
    _in_a_loop_that_dies(told, handed)
    ran: list[str] = []

    async def work(name: str) -> None:
        await asyncio.sleep(0)
        ran.append(name)

    manager = get_task_manager()
    manager.fire_and_forget(handed(work("here")), "here")
    thread = coming(
        world, "a thread", lambda: get_task_manager().fire_and_forget(handed(work("thread")), "thread"), thread=True
    )
    await ended(thread, *manager.tasks())
    await world.idle()
    assert get_task_manager() is manager
    assert manager._loop is world.loop
    assert sorted(ran) == ["here", "thread"]
    assert not get_error_handler()._showing_dialog
    assert not get_focus_manager()._focusing_active
    assert told.of(Boom) == ["fails"]
    await manager.shutdown(1.0)


def _in_a_loop_that_dies(told: Told, handed: Coroutines) -> None:
    """Run a loop in a thread of its own, which ends with a task half done and a failure that nobody has claimed."""

    async def half_done() -> None:
        await asyncio.get_running_loop().create_future()

    async def fails() -> None:
        raise Boom("in the loop that died")

    async def main() -> None:
        manager = get_task_manager()
        manager.set_error_handler(told)
        manager.fire_and_forget(handed(half_done()), "half done")
        kept.append(manager.create_task(handed(fails()), "fails"))
        await asyncio.sleep(0)

    kept: list[asyncio.Task[None]] = []

    def run() -> None:
        loop = asyncio.SelectorEventLoop()
        main_task = loop.create_task(main())
        loop.run_until_complete(main_task)
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()


@theorem
async def test_before_any_loop_runs_work_is_refused_and_errors_are_entered(world: World) -> None:
    """A manager and a handler that were built without a loop get work and an error from two threads before anything ran
    on this one, at any moment: the work is closed and its refusal told, the errors are entered and told on stderr."""
    desk = ErrorDesk(world, Host(world))
    handed, told = Coroutines(world), Told()
    elsewhere: list[UnifiedTaskManager] = []

    async def work() -> None:
        return

    def too_early() -> None:
        tasks = UnifiedTaskManager()
        tasks.set_error_handler(told)
        elsewhere.append(tasks)
        tasks.fire_and_forget(handed(work()), "too early")

    def error() -> None:
        desk.handler.handle_error_sync(raised(Boom("early")), "early")

    await ended(coming(world, "work", too_early, thread=True), coming(world, "an error", error, thread=True))
    await world.idle()
    while desk.tasks.tasks():
        await ended(*desk.tasks.tasks())
    assert told.of(TaskRefused) == ["too early"]
    assert desk.was_told("early")
