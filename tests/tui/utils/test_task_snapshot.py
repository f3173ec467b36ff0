"""Snapshots: every live task with who started it, who ends it, what it waits for and where it stands."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from openhcs.tui.utils.task_snapshot import TaskSnapshot, TaskState
from openhcs.tui.utils.unified_task_manager import UnifiedTaskManager
from tests.tui.utils.kit import turns, until


async def endless() -> None:
    await asyncio.get_running_loop().create_future()


async def stubborn(release: asyncio.Event) -> None:
    """Ends when released, and not before, however often it is cancelled."""
    while not release.is_set():
        try:
            await release.wait()
        except asyncio.CancelledError:
            continue


def named(manager: UnifiedTaskManager, name: str) -> TaskSnapshot:
    """The snapshot of the one task of that name."""
    [found] = [snapshot for snapshot in manager.snapshot() if snapshot.name == name]
    return found


# -- who and since when ------------------------------------------------------------------------------------------


async def test_tasks_are_told_oldest_first_with_scope_and_age() -> None:
    """A snapshot names each live task, the path of its scope, and how long it has lived; ended ones are not in it."""
    manager = UnifiedTaskManager()
    ended = manager.create_task(turns(1), "ended")
    async with manager.scope("plate A") as plate, manager.scope("well B03", plate) as well:
        before_s = time.monotonic()
        manager.create_task(endless(), "first")
        well.create_task(endless(), "second")
        await ended
        first, second = manager.snapshot()
        assert (first.name, first.scope) == ("first", "")
        assert (second.name, second.scope) == ("second", "plate A / well B03")
        assert 0 <= second.age_s <= first.age_s <= time.monotonic() - before_s
    await manager.shutdown()
    assert manager.snapshot() == ()


async def test_a_task_names_its_spawner_also_when_that_has_ended() -> None:
    """`spawned_by` stays; `parent` is the spawner's place in the snapshot only as long as it lives."""
    manager = UnifiedTaskManager()
    release = asyncio.Event()

    async def spawn() -> None:
        manager.create_task(endless(), "child")
        await release.wait()

    spawner = manager.create_task(spawn(), "spawner")
    await turns()
    child = named(manager, "child")
    assert child.spawned_by == "spawner"
    assert child.parent is not None
    assert manager.snapshot()[child.parent].task() is spawner
    release.set()
    await spawner
    assert (named(manager, "child").spawned_by, named(manager, "child").parent) == ("spawner", None)
    await manager.shutdown()


# -- what it waits for -------------------------------------------------------------------------------------------


async def _waits_for_a_lock() -> None:
    lock = asyncio.Lock()
    await lock.acquire()
    async with lock:
        raise AssertionError("the lock was free")


async def _waits_for_a_condition() -> None:
    condition = asyncio.Condition()
    async with condition:
        await condition.wait()


async def _waits_for_several() -> None:
    await asyncio.wait([asyncio.get_running_loop().create_future()])


async def _gathers() -> None:
    loop = asyncio.get_running_loop()
    await asyncio.gather(loop.create_future(), loop.create_future())


@pytest.mark.parametrize(
    ("work", "words"),
    [
        (lambda: asyncio.sleep(3600), "sleep"),
        (lambda: asyncio.Event().wait(), "Event.wait"),
        (lambda: asyncio.Queue[int]().get(), "Queue.get"),
        (_waits_for_a_lock, "Lock.acquire"),
        (_waits_for_a_condition, "Condition.wait"),
        (_waits_for_several, "wait"),
        (_gathers, "gather of 2"),
        (endless, "Future"),
    ],
)
async def test_what_a_task_awaits_is_told_in_words(work: Callable[[], Coroutine[Any, Any, Any]], words: str) -> None:
    """The words are the asyncio call that waits, or the kind of future where the task awaits that itself."""
    manager = UnifiedTaskManager()
    manager.create_task(work(), "waiting")
    await turns()
    snapshot = named(manager, "waiting")
    assert snapshot.awaits == words
    assert snapshot.state is TaskState.WAITING
    await manager.shutdown()


async def test_a_task_that_awaits_a_task_names_it() -> None:
    """Whoever waits for a task says for which."""
    manager = UnifiedTaskManager()
    awaited = manager.create_task(endless(), "read the plate")

    async def wait() -> None:
        await awaited

    manager.create_task(wait(), "waiting")
    await turns()
    assert named(manager, "waiting").awaits == "task 'read the plate'"
    await manager.shutdown()


async def test_a_task_that_has_not_begun_waits_for_its_first_turn() -> None:
    """Between its creation and its first step a task waits for the loop, replaced and plain ones alike."""
    manager = UnifiedTaskManager()
    manager.create_task(endless(), "plain")
    manager.exclusive("group", endless(), "in a group")
    assert named(manager, "plain").awaits == named(manager, "in a group").awaits == "its first turn"
    await turns()
    await manager.shutdown()


# -- where it stands ---------------------------------------------------------------------------------------------


async def test_a_stack_leads_through_generators_and_groups_to_what_is_awaited() -> None:
    """The innermost frame is the await itself, also beneath an asynchronous generator and an exclusive group."""
    manager = UnifiedTaskManager()

    async def innermost() -> AsyncIterator[int]:
        await endless()
        yield 1

    async def outermost() -> None:
        async for _ in innermost():
            raise AssertionError("nothing is ever generated")

    manager.exclusive("group", outermost(), "deep")
    await turns()
    functions = [place.rpartition(" in ")[2] for place in named(manager, "deep").stack]
    assert functions[-3:] == ["outermost", "innermost", "endless"]
    assert all(f"{__file__}:" in place for place in named(manager, "deep").stack[-3:])
    await manager.shutdown()


async def test_a_task_sees_itself_running() -> None:
    """The task that takes the snapshot is the running one, and its stack begins with its own coroutine."""
    manager = UnifiedTaskManager()

    async def look() -> TaskSnapshot:
        return named(manager, "looking")

    looking = await manager.create_task(look(), "looking")
    assert (looking.state, looking.awaits) == (TaskState.RUNNING, "")
    assert looking.stack[0].endswith(" in look")


async def test_a_thread_sees_what_blocks_the_loop() -> None:
    """While the loop is blocked, the task that blocks it is the running one, and its stack leads to where it blocks."""
    manager = UnifiedTaskManager()
    blocked, seen = threading.Event(), threading.Event()
    taken: list[TaskSnapshot] = []

    def hold_up_the_loop() -> None:
        blocked.set()
        assert seen.wait(10)

    async def block() -> None:
        hold_up_the_loop()

    def look() -> None:
        assert blocked.wait(10)
        taken.extend(manager.snapshot())
        seen.set()

    watcher = threading.Thread(target=look)
    watcher.start()
    manager.create_task(endless(), "waiting")
    await turns(1)
    await manager.create_task(block(), "blocking")
    watcher.join()
    waiting, blocking = taken
    assert (waiting.state, waiting.awaits) == (TaskState.WAITING, "Future")
    assert (blocking.state, blocking.awaits) == (TaskState.RUNNING, "")
    functions = [place.rpartition(" in ")[2] for place in blocking.stack]
    assert functions[:2] == ["block", "hold_up_the_loop"]
    await manager.shutdown()


async def test_snapshots_may_be_taken_while_tasks_come_and_go() -> None:
    """A thread that takes one snapshot after another is never told that the tables changed."""
    manager = UnifiedTaskManager()
    stop = threading.Event()
    failures: list[Exception] = []
    taken = 0

    def look() -> None:
        nonlocal taken
        while not stop.is_set():
            try:
                manager.snapshot()
            except Exception as error:
                failures.append(error)
            taken += 1

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        while taken < 200 and not failures:
            await asyncio.gather(*(manager.create_task(turns(i % 4)) for i in range(50)))
    finally:
        stop.set()
        watcher.join()
    assert failures == []


# -- who ends it -------------------------------------------------------------------------------------------------


async def test_our_cancels_tell_their_reason() -> None:
    """A task that outlives its cancellation says by whom it was cancelled: scope, group, shutdown, or `cancel`."""
    manager = UnifiedTaskManager()
    release = asyncio.Event()

    def reasons() -> dict[str, str | None]:
        return {snapshot.name: snapshot.cancelled_by for snapshot in manager.snapshot()}

    async def leave() -> None:
        async with manager.scope("plate A") as scope:
            scope.create_task(stubborn(release), "left behind")
            await turns()

    manager.exclusive("load", stubborn(release), "replaced")
    by_hand = manager.create_task(stubborn(release), "cancelled")
    manager.create_task(stubborn(release), "shut down")
    leaving = manager.create_task(leave(), "leaving")
    try:
        await turns()
        manager.exclusive("load", stubborn(release), "replacing")
        manager.cancel(by_hand, "cancelled by hand")
        await until(lambda: reasons()["left behind"], "the scope to be left")
        assert reasons() == {
            "replaced": "replaced in group 'load'",
            "replacing": None,
            "cancelled": "cancelled by hand",
            "shut down": None,
            "leaving": None,
            "left behind": "scope 'plate A' was left",
        }
        assert named(manager, "replaced").state is TaskState.CANCELLING
        await manager.shutdown(0.1)
        assert reasons()["shut down"] == "the task manager shuts down"
    finally:
        release.set()
        await asyncio.wait([leaving])
        await until(lambda: manager.active_task_count == 0)


async def test_a_cancel_from_outside_has_no_reason_of_ours() -> None:
    """Somebody else's `Task.cancel` shows as cancelling, without a reason."""
    manager = UnifiedTaskManager()
    release = asyncio.Event()
    task = manager.create_task(stubborn(release), "stubborn")
    await turns()
    task.cancel()
    await turns()
    assert (named(manager, "stubborn").state, named(manager, "stubborn").cancelled_by) == (TaskState.CANCELLING, None)
    release.set()
    await task


async def test_a_task_is_cancelled_from_a_thread() -> None:
    """`cancel` works away from the loop, and leaves alone what has ended or belongs to another manager."""
    manager, other = UnifiedTaskManager(), UnifiedTaskManager()
    task, foreign, ended = manager.create_task(endless()), other.create_task(endless()), manager.create_task(turns(0))
    await turns()

    def cancel_all() -> None:
        for any_task in (task, foreign, ended):
            manager.cancel(any_task, "a thread says so")

    await asyncio.to_thread(cancel_all)
    with pytest.raises(asyncio.CancelledError, match="a thread says so"):
        await task
    assert not foreign.cancelling()
    assert ended.done()
    assert not ended.cancelled()
    await other.shutdown()


async def test_neither_a_snapshot_nor_a_reason_keeps_a_task() -> None:
    """What was cancelled and has ended is gone, whoever still holds a snapshot of it."""
    manager = UnifiedTaskManager()
    manager.cancel(manager.create_task(endless(), "short"), "no longer wanted")
    held = manager.snapshot()
    ended = weakref.ref(held[0].task())
    await until(lambda: manager.active_task_count == 0)
    gc.collect()
    assert ended() is None
    assert held[0].task() is None
