"""G6: shutdown is bounded and names who is late."""

from __future__ import annotations

import asyncio

from openhcs.testing.explore import Kind, World
from openhcs.tui.utils.task_snapshot import TaskSnapshot
from openhcs.tui.utils.unified_task_manager import StuckTask, TaskRefused
from tests.proofs.scenery import Boom, Coroutines, Told, coming, ended, task_manager, theorem

_FRACTION_S = 1e-6


@theorem
async def test_shutdown_returns_in_time_and_names_who_is_late(world: World) -> None:
    """A task that ignores every cancellation, one that ignores the first and one that ends, while two callers shut
    down and one of them may be cancelled: both return within the timeout, and who is late is named with its age and
    place."""
    tasks, told, handed = task_manager(world), Told(), Coroutines(world)
    tasks.set_error_handler(told)
    # What ignores its cancellation and returns later is the subject here, not a fault.
    world.allow(Kind.SWALLOWED_CANCEL, "'stubborn'")
    world.allow(Kind.SWALLOWED_CANCEL, "'hesitant'")
    released: asyncio.Future[None] = world.loop.create_future()

    async def stubborn() -> None:
        while not released.done():
            try:
                await asyncio.shield(released)
            except asyncio.CancelledError:
                continue

    async def hesitant() -> None:
        try:
            await asyncio.shield(released)
        except asyncio.CancelledError:
            await asyncio.shield(released)

    async def willing() -> None:
        await _endless()

    for work in (stubborn, hesitant, willing):
        tasks.create_task(handed(work()), work.__name__)
    await asyncio.sleep(0)

    async def shut_down(timeout: float) -> tuple[TaskSnapshot, ...]:
        began = world.time()
        late = await tasks.shutdown(timeout)
        assert world.time() <= began + timeout + _FRACTION_S, f"it took {world.time() - began:g} s"
        return late

    first = world.operation("first", shut_down(1.0))
    second = world.operation("second", shut_down(1.0))
    await ended(first, second)
    for call in (first, second):
        if not call.cancelled():
            late = {snapshot.name: snapshot for snapshot in call.result()}
            assert "stubborn" in late
            assert "willing" not in late
            assert late["stubborn"].age_s >= 0
            assert any("stubborn" in line for line in late["stubborn"].stack)
    if not (first.cancelled() and second.cancelled()):
        assert told.of(StuckTask)
    released.set_result(None)
    await tasks.shutdown(1.0)


@theorem
async def test_children_end_before_their_parents_and_the_newest_first(world: World) -> None:
    """Two parents with two children each, one of which may fail while it cleans up; shut down at any moment by a
    managed task or by somebody else, children are cancelled before their parents and, among equals, the newest
    first."""
    tasks, told, handed = task_manager(world), Told(), Coroutines(world)
    tasks.set_error_handler(told)
    began: list[str] = []
    ends: list[str] = []

    async def child(name: str) -> None:
        began.append(name)
        try:
            await _endless()
        finally:
            ends.append(name)
            if world.fault("its clean-up fails"):
                raise Boom(name)

    async def parent(name: str) -> None:
        began.append(name)
        tasks.fire_and_forget(handed(child(f"{name}.1")), f"{name}.1")
        tasks.fire_and_forget(handed(child(f"{name}.2")), f"{name}.2")
        try:
            await _endless()
        finally:
            ends.append(name)

    tasks.fire_and_forget(handed(parent("a")), "a")
    tasks.fire_and_forget(handed(parent("b")), "b")
    managed = world.choose([False, True], "shut down from a managed task")
    leaving: list[asyncio.Task[object]] = []

    def leave() -> None:
        start = tasks.create_task if managed else world.loop.create_task
        leaving.append(start(tasks.shutdown(1.0), name="leave"))
        world.operation("leave", leaving[0])

    await ended(coming(world, "F10", leave))
    await ended(*leaving)
    await tasks.shutdown(1.0)
    for name in ("a", "b"):
        for one in (f"{name}.1", f"{name}.2"):
            assert one not in ends or ends.index(one) < ends.index(name), f"{name} ended before its child {one}"
    order = [name for name in ends if "." in name]
    assert order == sorted(order, key=began.index, reverse=True)


@theorem
async def test_nothing_gets_into_a_closed_manager(world: World) -> None:
    """A task spawns in its clean-up, a key starts one at any moment and a thread another, while all is shut down: what
    comes after the shutdown began is refused, closed and told, and nothing runs when it has ended."""
    tasks, told, handed = task_manager(world), Told(), Coroutines(world)
    tasks.set_error_handler(told)
    started: list[str] = []

    async def late(name: str) -> None:
        started.append(name)
        assert name in before, f"{name} was spawned into a closed manager"

    before: set[str] = set()

    def spawn(name: str) -> None:
        if not tasks.is_shut_down:
            before.add(name)
        tasks.fire_and_forget(handed(late(name)), name)

    async def tidy() -> None:
        try:
            await _endless()
        finally:
            spawn("from clean-up")

    tasks.fire_and_forget(handed(tidy()), "tidy")
    world.event("F5", lambda: spawn("from a key"))
    world.event("a thread", lambda: spawn("from a thread"), thread=True)
    await asyncio.sleep(0)
    await ended(world.operation("shutdown", world.loop.create_task(tasks.shutdown(1.0))))
    await tasks.shutdown(1.0)
    assert not tasks.tasks()
    await world.idle()
    assert "from clean-up" not in started
    assert "from clean-up" in told.of(TaskRefused)


async def _endless() -> None:
    await asyncio.get_running_loop().create_future()
