"""G2: no error is lost, none is told twice. Each makes one record in the journal and one in the log."""

from __future__ import annotations

import asyncio
import sys
from typing import Any, NoReturn

from openhcs.testing.explore import World
from openhcs.tui.utils.error_dialog import ErrorDialog
from openhcs.tui.utils.exception_hooks import ExceptionHooks, LoopProblem
from tests.proofs.scenery import Boom, ErrorDesk, Host, coming, ended, raised, theorem


class _Failing:
    """Makes errors and remembers them, and who received which."""

    def __init__(self) -> None:
        self.made: list[Boom] = []
        self.received: list[BaseException] = []

    def __call__(self, what: str) -> NoReturn:
        self.made.append(Boom(what))
        raise self.made[-1]

    def one(self, what: str) -> BaseException:
        self.made.append(Boom(what))
        return raised(self.made[-1])


def _each_is_one_record(desk: ErrorDesk, failing: _Failing, others: int = 0) -> None:
    """Each error made is one entry and one record of the log; one that its awaiter received is none."""
    unreceived = [error for error in failing.made if error not in failing.received]
    entered = [entry.exception for entry in desk.journal.entries()]
    logged = desk.log.of(Boom)
    for error in unreceived:
        assert entered.count(error) == 1, f"{error} has {entered.count(error)} entries"
        assert logged.count(error) == 1, f"{error} has {logged.count(error)} records"
    for error in failing.received:
        assert error not in entered, f"{error} was received by its awaiter and is entered as well"
    assert desk.journal.ledger.received == len(unreceived) + others


@theorem
async def test_a_failed_task_is_its_awaiters_or_entered_once(world: World) -> None:
    """Three tasks fail: one forgotten, one awaited, one kept and awaited too late or never, while the awaiter is
    cancelled and all is shut down at any moment: each failure is received by its awaiter or is one entry and one record
    of the log."""
    desk, failing = ErrorDesk(world), _Failing()

    async def fail(what: str) -> None:
        await asyncio.sleep(0)
        failing(what)

    async def awaits() -> None:
        work = desk.tasks.create_task(fail("awaited"), "awaited")
        try:
            await work
        except Boom as error:
            failing.received.append(error)

    desk.tasks.fire_and_forget(fail("forgotten"), "forgotten")
    kept = desk.tasks.create_task(fail("kept"), "kept")
    ending: list[asyncio.Task[object]] = []
    world.event("F10", lambda: ending.append(world.loop.create_task(desk.tasks.shutdown(1.0))))
    await ended(world.operation("awaiter", desk.tasks.create_task(awaits(), "awaiter")))
    if not ending and world.choose([False, True], "the kept task is awaited late"):
        try:
            await kept
        except Boom as error:
            failing.received.append(error)
    del kept
    await desk.tasks.shutdown(1.0)
    await ended(*ending)
    _each_is_one_record(desk, failing)


@theorem
async def test_what_nobody_caught_is_entered_once_wherever_it_was_raised(world: World) -> None:
    """A callback of the loop, a thread, a finaliser, the program's end and a complaint of the loop without an exception
    fail in any order and at any moment: each is one entry, one record of the log, and told on stderr."""
    desk, failing = ErrorDesk(world), _Failing()
    hooks = ExceptionHooks(desk.handler)
    hooks.install()

    class Finalised:
        def __del__(self) -> None:
            failing("finaliser")

    things: list[Any] = [Finalised()]
    try:
        await ended(
            coming(world, "a callback fails", lambda: failing("callback")),
            coming(world, "a thing is dropped", things.clear),
            coming(world, "a thread fails", lambda: failing("thread"), thread=True),
            coming(world, "the loop complains", lambda: world.loop.call_exception_handler({"message": "complaint"})),
        )
        error = failing.one("program")
        sys.excepthook(type(error), error, error.__traceback__)
    finally:
        hooks.restore()
    assert len(failing.made) == 4
    _each_is_one_record(desk, failing, others=len(desk.log.of(LoopProblem)))
    assert len(desk.log.of(LoopProblem)) == 1
    for entry in desk.journal.entries():
        assert desk.stderr.getvalue().count(f"{entry.type_name}: {entry.message}\n") == 1


@theorem
async def test_an_error_is_entered_before_it_is_shown_and_whoever_is_cancelled(world: World) -> None:
    """Two callers await the showing of an error each, and a third error comes from a key; whoever is cancelled, and
    before its first step, each is one entry before its dialog opens, and is shown or told on stderr."""
    failing = _Failing()

    class Watched(Host):
        async def show_dialog(self, dialog: ErrorDialog, result: asyncio.Future[Any]) -> None:
            assert desk.entered(dialog.pages.current.exception()), "shown before it was entered"
            await super().show_dialog(dialog, result)

    desk = ErrorDesk(world, Watched(world))
    third = coming(world, "F5", lambda: desk.handler.handle_error_sync(failing.one("third"), "F5"))
    first = world.operation("first", desk.handler.handle_error(failing.one("first"), "one"))
    second = world.operation("second", desk.handler.handle_error(failing.one("second"), "two"))
    await ended(first, second, third)
    await desk.tasks.shutdown(1.0)
    desk.handler.tell_untold()
    _each_is_one_record(desk, failing)
    cancelled = [task.get_name() for task in (first, second) if task.cancelled()]
    for error in failing.made:
        assert str(error) in cancelled or desk.was_told(str(error)), f"{error} was never told"


@theorem
async def test_the_same_error_by_several_ways_is_one(world: World) -> None:
    """One exception arrives from the task that raised it, from the task that awaited that one and from a thread, with
    either task cancelled at any moment: it is one entry and one record of the log."""
    desk, error = ErrorDesk(world), Boom("the same")

    async def inner() -> None:
        await asyncio.sleep(0)
        raise error

    async def outer() -> None:
        try:
            await desk.tasks.create_task(inner(), "inner")
        except Boom as received:
            desk.handler.handle_error_sync(received, "outer")
            raise

    async def other() -> None:
        await asyncio.sleep(0)
        await desk.handler.handle_error(error, "other")

    desk.tasks.fire_and_forget(outer(), "outer")
    world.event("a thread", lambda: desk.handler.handle_error_sync(error, "thread"), thread=True)
    for task in desk.tasks.tasks():
        world.operation(task.get_name(), task)
    await ended(world.operation("other", other()))
    await desk.tasks.shutdown(1.0)
    assert desk.journal.ledger.received <= 1
    assert len(desk.log.of(Boom)) == desk.journal.ledger.received == len(desk.journal.entries())
