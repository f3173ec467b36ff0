"""G4: every cancel is awaited, and no cancel is swallowed. That none is swallowed is looked for in every run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from openhcs.testing.explore import World
from openhcs.tui.utils.dialog_helpers import confirm
from openhcs.tui.utils.dialog_host import FloatDialogHost
from openhcs.tui.utils.supervision import Restart, supervise
from tests.proofs.scenery import Boom, Coroutines, ErrorDesk, Host, Screen, Told, ended, pane, task_manager, theorem


@theorem
async def test_a_cancelled_owners_dialog_closes_and_the_focus_returns(world: World) -> None:
    """Two owners show a dialog each, which the person may answer at any moment; with either owner, or both, cancelled
    at any moment, both dialogs are gone and the focus is where it was."""
    screen = Screen(world)
    host = FloatDialogHost(screen.root, screen.focus)

    async def ask(name: str) -> object:
        answer: asyncio.Future[str] = world.loop.create_future()
        world.event(f"answer {name}", lambda: answer.done() or answer.set_result("yes"))
        return await host.show_dialog(pane(name), answer)

    async def ask_with_a_focus_of_its_own(name: str) -> object:
        answer: asyncio.Future[str] = world.loop.create_future()
        window = pane(name)
        world.event(f"answer {name}", lambda: answer.done() or answer.set_result("yes"))
        return await screen.focus.managed_focus_during_dialog(window, host.show_dialog(window, answer), delay=0.1)

    first = world.operation("first", ask("first"))
    second = world.operation("second", ask_with_a_focus_of_its_own("second"))
    await ended(first, second)
    assert host.depth == 0
    assert screen.focused is screen.base
    assert not screen.focus._claims


@theorem
async def test_a_deadline_ends_every_public_coroutine(world: World) -> None:
    """Around any two coroutines of the core that would wait for ever, at once: `asyncio.timeout` ends both in time,
    whatever step is slow, and nothing is left of them."""
    desk = ErrorDesk(world, Host(world))
    screen, host, absent = desk.screen, FloatDialogHost(desk.screen.root, desk.screen.focus), pane("absent")

    def waiting() -> asyncio.Future[Any]:
        return world.loop.create_future()

    async def in_a_scope() -> None:
        async with desk.tasks.scope("scope") as scope:
            await scope.create_task(_sleeping(), "child")

    coroutines: list[Callable[[], Coroutine[Any, Any, Any]]] = [
        lambda: screen.focus.set_focus_after_delay(absent, 3600.0),
        lambda: screen.focus.managed_focus_during_dialog(absent, _sleeping()),
        lambda: host.show_dialog(pane("dialog"), waiting()),
        lambda: confirm("Quit", "Really?", host),
        lambda: desk.handler.handle_error(Boom("shown"), "a step"),
        in_a_scope,
    ]

    async def bounded(number: int) -> None:
        try:
            async with asyncio.timeout(0.2):
                await coroutines[number]()
        except TimeoutError:
            return
        # A request for the focus gives way to a dialog, and an error joins the dialog of another.
        assert number in (0, 4), "it came back by itself"

    first = world.choose(range(len(coroutines)), "one of them")
    second = world.choose(range(first, len(coroutines)), "the other")
    await asyncio.gather(bounded(first), bounded(second))
    assert host.depth == 0
    assert screen.focused is screen.base
    assert not screen.focus._focusing_active


@theorem
async def test_whoever_cancels_waits_for_the_end(world: World) -> None:
    """A task in a scope and one in a group are cancelled by the core, while the leaver of the scope and the replacement
    in the group may be cancelled at any moment: when they have ended, so has what they cancelled, clean-up included."""
    tasks, handed = task_manager(world), Coroutines(world)
    cleaned: list[str] = []

    async def work(name: str) -> None:
        try:
            await _sleeping()
        finally:
            await asyncio.sleep(0)
            cleaned.append(name)

    async def leave_a_scope() -> None:
        begun = False
        try:
            async with tasks.scope("scope") as scope:
                scope.create_task(handed(work("child")), "child")
                await asyncio.sleep(0)
                begun = True
        finally:
            assert cleaned.count("child") or not begun

    async def replacement() -> str:
        assert "old" in cleaned, "the new one began before the old one had cleaned up"
        return "new"

    old = tasks.exclusive("group", handed(work("old")), "old")
    await asyncio.sleep(0)
    new = tasks.exclusive("group", handed(replacement()), "new")
    await ended(world.operation("leaver", leave_a_scope()), world.operation("new", new))
    await ended(old)


@theorem
async def test_a_cancelled_service_is_not_started_again(world: World) -> None:
    """Two services, one that fails and one that ends, are started again; cancelled at any moment each stays down, and
    each failure is told once."""
    tasks, told = task_manager(world), Told()
    tasks.set_error_handler(told)
    runs: list[str] = []
    down: list[str] = []

    def service(name: str) -> Callable[[], Coroutine[Any, Any, None]]:
        async def run() -> None:
            assert name not in down, "started again after it was cancelled"
            runs.append(name)
            await asyncio.sleep(0)
            if name == "failing":
                raise Boom(name)

        return run

    services = [
        supervise(tasks, service("failing"), "failing", Restart.TRANSIENT, restarts=2, clock=world.time),
        supervise(tasks, service("ending"), "ending", Restart.PERMANENT, restarts=2, clock=world.time),
    ]
    for task in services:
        world.operation(task.get_name(), task)
        task.add_done_callback(lambda done: down.append(done.get_name()))
    await ended(*services)
    await tasks.shutdown(1.0)
    finished = runs.count("failing") - services[0].cancelled()
    assert finished <= len(told.of(Boom)) <= runs.count("failing")


async def _sleeping() -> None:
    await asyncio.get_running_loop().create_future()
