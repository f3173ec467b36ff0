"""G1: one owner per coroutine. Every coroutine handed to the core is awaited to its end or closed."""

from __future__ import annotations

import asyncio

from openhcs.testing.explore import World
from openhcs.tui.utils.owned_coroutine import OwnedCoroutine
from openhcs.tui.utils.unified_task_manager import Scope, TaskRefused
from tests.proofs.scenery import Boom, Coroutines, Told, ended, swallowed, task_manager, theorem


async def _work(delay: float = 0.0, fails: bool = False) -> str:
    await asyncio.sleep(delay)
    if fails:
        raise Boom("work")
    return "done"


@theorem
async def test_every_coroutine_handed_over_ends_or_is_closed(world: World) -> None:
    """A task, a forgotten task, a third from a key and a shutdown from another, where two tasks are the limit: each
    coroutine ends or is closed, and each refusal is told with its name."""
    tasks, told, handed = task_manager(world, max_tasks=2), Told(), Coroutines(world)
    tasks.set_error_handler(told)
    refused: list[str] = []

    def start(name: str) -> asyncio.Task[str] | None:
        try:
            return tasks.create_task(handed(_work()), name)
        except TaskRefused as refusal:
            refused.append(refusal.name)
            return None

    world.event("F2", lambda: tasks.fire_and_forget(handed(_work(fails=bool(world.fault("it fails")))), "from F2"))
    shut_down: list[asyncio.Task[object]] = []
    world.event("F10", lambda: shut_down.append(world.loop.create_task(tasks.shutdown(1.0))))
    kept = [task for name in ("load", "save") if (task := start(name)) is not None]
    for task in kept:
        world.operation(task.get_name(), task)
    tasks.fire_and_forget(handed(_work()), "third")
    await ended(*kept)
    world.event("F3", lambda: start("late"))
    await world.idle()
    await tasks.shutdown(1.0)
    await ended(*shut_down)
    tasks.fire_and_forget(handed(_work()), "too late")
    assert start("much too late") is None
    assert "third" in told.of(TaskRefused)
    assert "too late" in told.of(TaskRefused)
    assert len(told.of(Boom)) <= 1, "a failure was told twice"
    assert tasks.get_task_stats()["refused"] == len(refused) + len(told.of(TaskRefused))


@theorem
async def test_an_owned_coroutine_closes_what_it_was_given(world: World) -> None:
    """Two coroutines that own a coroutine each, which may answer without waiting or be handed on to a task, and a third
    that may be dropped unstarted: cancelled at any moment, each inner one is awaited to its end or closed."""
    handed = Coroutines(world)
    handed_on: list[asyncio.Task[str]] = []

    async def answers(at_once: bool) -> str:
        if not at_once:
            await asyncio.sleep(0.1)
        return "answer"

    def owner() -> OwnedCoroutine[str]:
        async def run(inner):  # type: ignore[no-untyped-def]
            if world.fault("it fails before it begins the inner one"):
                raise Boom
            await asyncio.sleep(0)
            if hands_on:
                handed_on.append(world.loop.create_task(inner))
                await asyncio.sleep(0)
                return "handed on"
            return await inner

        return OwnedCoroutine(run, handed(answers(world.choose([False, True], "the answer comes at once"))))

    hands_on = world.choose([False, True], "the inner one is handed on to a task")
    first, second = world.operation("first", owner()), world.operation("second", owner())
    if world.choose([False, True], "a third is dropped before it starts"):
        owner().close()
    await ended(first, second)
    await ended(*handed_on)
    for task in (first, second):
        assert isinstance(swallowed(task), Boom | None)
    for task in handed_on:
        assert task.result() == "answer", "somebody else's coroutine was closed"


@theorem
async def test_an_exclusive_group_ends_or_closes_all_that_were_started_in_it(world: World) -> None:
    """Three loads in one group, each replacing the one before, the third at any moment, the first two cancelled from
    outside at any moment: at most one is at work, its clean-up included, and each coroutine ends or is closed."""
    tasks, handed = task_manager(world), Coroutines(world)
    at_work: list[str] = []

    async def load(name: str) -> None:
        at_work.append(name)
        try:
            await asyncio.sleep(0)
        finally:
            try:
                for _ in range(3):
                    await asyncio.sleep(0)  # its clean-up takes time, which a second cancellation cuts short
            finally:
                at_work.remove(name)

    world.invariant(lambda: len(at_work) <= 1, name="one load at a time, its clean-up included")
    started: list[asyncio.Task[None]] = []

    def begin(name: str) -> None:
        if not tasks.is_shut_down:
            started.append(tasks.exclusive("load", handed(load(name)), name))

    world.event("F5", lambda: begin("third"))
    begin("first")
    world.operation("first", started[0])
    await asyncio.sleep(0)
    begin("second")
    world.operation("second", started[1])
    await ended(*started)
    await tasks.shutdown(5.0)


@theorem
async def test_leaving_a_scope_ends_all_that_were_started_in_it(world: World) -> None:
    """An owner of two scopes, one within the other, and somebody else who opens a third within the first at any moment,
    also after that was left, and starts a task in it: both cancelled at any moment, nothing outlives its scope."""
    tasks, told, handed = task_manager(world), Told(), Coroutines(world)
    tasks.set_error_handler(told)
    outers: list[Scope] = []
    others: list[asyncio.Task[None]] = []

    async def owner() -> None:
        async with tasks.scope("outer") as outer:
            outers.append(outer)
            async with tasks.scope("inner", parent=outer) as inner:
                inner.fire_and_forget(handed(_work(fails=bool(world.fault("it fails")))), "inner work")
                await asyncio.sleep(0)
            assert not inner.tasks(), "the inner scope was left with tasks"
        assert not outer.tasks(), "the outer scope was left with tasks"

    async def other() -> None:
        async with tasks.scope("other", parent=outers[0]) as scope:
            scope.fire_and_forget(handed(_endless()), "other work")
            await ended(*scope.tasks())

    def open_other() -> None:
        others.append(world.operation("other", other()))

    world.event("F5", open_other, lambda: bool(outers))
    await ended(world.operation("owner", owner()))
    for _ in range(3):
        await world.idle()  # and somebody may open one now
    await ended(*others)


async def _endless() -> None:
    await asyncio.get_running_loop().create_future()
