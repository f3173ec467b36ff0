"""Tasks that refuse to die, things that are no coroutines, spawning at every wrong moment."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import copy
import gc
import pickle
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator
from types import coroutine
from typing import Any

import pytest

from openhcs.tui.utils.supervision import Restart, ServiceGivenUp, supervise
from openhcs.tui.utils.unified_task_manager import (
    StuckTask,
    TaskRefused,
    UnifiedTaskManager,
    get_task_manager,
    initialize_task_manager,
    shutdown_task_manager,
)
from tests.tui.utils.abuse.fakes import Evil, HostileObject, failing, never, turns
from tests.tui.utils.kit import until

Reported = list[tuple[BaseException, str]]


@pytest.fixture
def manager(reported: Reported) -> UnifiedTaskManager:
    """The program's task manager, whose reports are kept."""
    return get_task_manager()


# -- things that are no coroutines -------------------------------------------------------------------------------


async def _agen() -> AsyncIterator[int]:
    yield 1


def _generator() -> Iterator[int]:
    yield 1


class _ClosesBadly:
    def close(self) -> None:
        raise RuntimeError("will not close")


class _Awaitable:
    def __await__(self) -> Generator[Any, Any, None]:
        yield


class _BadCoroutine(Coroutine[Any, Any, Any]):
    """A coroutine by its interface alone, of which every method raises."""

    def send(self, value: Any) -> Any:
        raise RuntimeError("will not run")

    def throw(self, *args: Any) -> Any:
        raise RuntimeError("will not be thrown at")

    def close(self) -> None:
        raise RuntimeError("will not close")

    def __await__(self) -> Any:
        raise RuntimeError("will not be awaited")


NOT_COROUTINES: dict[str, Callable[[], Any]] = {
    "None": lambda: None,
    "a number": lambda: 7,
    "a string": lambda: "coroutine",
    "a coroutine function": lambda: never,
    "an asynchronous generator": _agen,
    "a class": lambda: RuntimeError,
    "an awaitable": _Awaitable,
    "a future": lambda: asyncio.get_running_loop().create_future(),
    "closes badly": _ClosesBadly,
    "hostile": HostileObject,
}


class TestRefusals:
    @pytest.mark.parametrize("kind", NOT_COROUTINES)
    async def test_what_is_no_coroutine(self, kind: str, manager: UnifiedTaskManager, reported: Reported) -> None:
        """What is not a coroutine is refused by name, raised to who can catch it and reported for who cannot."""
        with pytest.raises((TypeError, TaskRefused), match="odd"):
            manager.create_task(NOT_COROUTINES[kind](), "odd")
        manager.fire_and_forget(NOT_COROUTINES[kind](), "odd")
        assert [context for _, context in reported] == ["odd"]
        assert manager.active_task_count == 0
        assert manager.total_task_count == 0

    def test_what_is_no_coroutine_and_no_loop(self, manager: UnifiedTaskManager, reported: Reported) -> None:
        """The same holds where no loop runs."""
        for kind in NOT_COROUTINES:
            if kind != "a future":
                manager.fire_and_forget(NOT_COROUTINES[kind](), "odd")
                with pytest.raises((TypeError, TaskRefused)):
                    manager.create_task(NOT_COROUTINES[kind](), "odd")
        assert len(reported) == len(NOT_COROUTINES) - 1

    async def test_a_coroutine_that_raises_whatever_is_asked_of_it(
        self, manager: UnifiedTaskManager, reported: Reported
    ) -> None:
        """A coroutine object that raises in every method is one failed task, or refused."""
        manager.fire_and_forget(_BadCoroutine(), "bad")
        await turns()
        manager._closing = False
        assert len(reported) == 1
        manager.max_tasks = 0
        manager.fire_and_forget(_BadCoroutine(), "bad and too many")
        assert len(reported) == 2
        assert manager.active_task_count == 0

    async def test_a_coroutine_that_has_ended(self, manager: UnifiedTaskManager, reported: Reported) -> None:
        """A coroutine that was awaited before is one failed task."""
        ended = asyncio.sleep(0)
        await ended
        manager.fire_and_forget(ended, "ended")
        await turns()
        assert [(type(error), context) for error, context in reported] == [(RuntimeError, "ended")]

    async def test_a_coroutine_that_is_running(self, manager: UnifiedTaskManager, reported: Reported) -> None:
        """A coroutine that gives itself to the manager is reported, and goes on."""
        done = False

        async def selfish() -> None:
            nonlocal done
            manager.fire_and_forget(me, "myself")
            done = True

        me = selfish()
        await me
        await turns()
        assert done
        assert len(reported) == 1

    async def test_a_refused_coroutine_that_somebody_else_runs(
        self, manager: UnifiedTaskManager, reported: Reported
    ) -> None:
        """Refusing a coroutine that is under way elsewhere does not close it under its runner."""
        manager.max_tasks = 0
        gate = asyncio.Event()
        inner = gate.wait()
        runner = asyncio.ensure_future(inner)
        await turns()
        with pytest.raises(TaskRefused):
            manager.create_task(inner, "twice")
        gate.set()
        assert await runner

    @pytest.mark.parametrize("limit", [0, -1])
    async def test_no_task_at_all(self, limit: int, reported: Reported) -> None:
        """A manager that may have no tasks refuses each, closes it, and can be shut down."""
        manager = UnifiedTaskManager(max_tasks=limit)
        heard: Reported = []
        manager.set_error_handler(lambda error, context: heard.append((error, context)))
        with pytest.raises(TaskRefused, match="wanted"):
            manager.create_task(never(), "wanted")
        manager.fire_and_forget(never(), "also wanted")
        assert [context for _, context in heard] == ["also wanted"]
        assert await manager.shutdown(0.1) == ()

    async def test_one_task(self, reported: Reported) -> None:
        """A manager of one task takes the next as soon as the first has ended."""
        manager = UnifiedTaskManager(max_tasks=1)
        for _ in range(5):
            await manager.create_task(asyncio.sleep(0))
            await turns(1)
        first = manager.create_task(never())
        with pytest.raises(TaskRefused):
            manager.create_task(never(), "second")
        first.cancel()
        await asyncio.wait([first])
        await manager.create_task(asyncio.sleep(0))
        assert await manager.shutdown() == ()

    @pytest.mark.parametrize(
        "name", ["\x1b[2J\x1b]0;owned\x07", "x" * 100_000, "", "{0} %s %d", "line\nline", "\ud800"], ids=repr
    )
    async def test_names(self, name: str, manager: UnifiedTaskManager, caplog: pytest.LogCaptureFixture) -> None:
        """Any name will do for a task, and none of what is logged of it can drive a terminal."""
        manager.set_error_handler(None)
        manager.fire_and_forget(failing(), name)
        manager.max_tasks = 0
        manager.fire_and_forget(never(), name)
        with pytest.raises(TaskRefused):
            manager.create_task(never(), name)
        manager.max_tasks = 1000
        await turns()
        assert caplog.records
        assert "\x1b" not in caplog.text
        assert "\x07" not in caplog.text
        for record in caplog.records:
            assert "\x1b" not in record.getMessage()

    @pytest.mark.parametrize(
        "make",
        [
            lambda: TaskRefused("a name", "a reason"),
            lambda: StuckTask("some are late", ()),
            lambda: ServiceGivenUp("a service", 3, 5.0),
        ],
        ids=["TaskRefused", "StuckTask", "ServiceGivenUp"],
    )
    def test_errors_travel(self, make: Callable[[], Exception]) -> None:
        """The core's own errors can be copied, and sent to another process and back."""
        error = make()
        for travelled in (copy.copy(error), pickle.loads(pickle.dumps(error))):
            assert str(travelled) == str(error)
            assert type(travelled) is type(error)
            assert vars(travelled) == vars(error)


# -- failures ----------------------------------------------------------------------------------------------------


class TestFailures:
    async def test_awaited_failures_are_not_reported(self, manager: UnifiedTaskManager, reported: Reported) -> None:
        """A failure that an awaiter receives, by whatever way of waiting, is not reported."""
        for wait in (
            lambda task: task,
            asyncio.shield,
            lambda task: asyncio.wait_for(task, 1),
            asyncio.gather,
            lambda task: next(iter(asyncio.as_completed([task]))),
        ):
            with pytest.raises(RuntimeError):
                await wait(manager.create_task(failing()))
        await asyncio.gather(manager.create_task(failing()), manager.create_task(failing()), return_exceptions=True)
        done, _ = await asyncio.wait([manager.create_task(failing())])
        assert isinstance(done.pop().exception(), RuntimeError)
        async with asyncio.timeout(1):
            with pytest.raises(RuntimeError):
                await manager.create_task(failing())
        del done
        gc.collect()
        await asyncio.sleep(0.05)
        assert reported == []

    async def test_in_a_task_group(self, manager: UnifiedTaskManager, reported: Reported) -> None:
        """A failure received through a task group is the group's."""

        async def part() -> None:
            await manager.create_task(failing())

        async def parts() -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(part())

        with pytest.raises(ExceptionGroup):
            await parts()
        assert reported == []

    @pytest.mark.parametrize("hold", [True, False], ids=["held", "dropped"])
    async def test_unclaimed(self, hold: bool, manager: UnifiedTaskManager, reported: Reported) -> None:
        """A failure nobody asks for is reported once, whether the task is held or dropped."""
        task = manager.create_task(failing(), "unclaimed")
        if not hold:
            del task
        await until(lambda: reported)
        await asyncio.sleep(0.02)
        assert [context for _, context in reported] == ["unclaimed"]

    async def test_a_failing_callback(self, manager: UnifiedTaskManager, reported: Reported) -> None:
        """A done callback that makes more tasks, each of which fails, is followed to the end."""
        left = 50

        def again(task: asyncio.Task[None]) -> None:
            nonlocal left
            left -= 1
            if left:
                manager.create_task(failing(), f"task {left}").add_done_callback(again)

        manager.create_task(failing(), "task 50").add_done_callback(again)
        await until(lambda: len(reported) == 50)
        assert manager.active_task_count == 0
        assert len({context for _, context in reported}) == 50

    async def test_a_handler_that_spawns(self, manager: UnifiedTaskManager) -> None:
        """An error handler that starts failing tasks itself, as long as it is asked, stops when it does."""
        heard = 0

        def spawn(error: BaseException, context: str) -> None:
            nonlocal heard
            heard += 1
            if heard < 100:
                manager.fire_and_forget(failing(), "from the handler")

        manager.set_error_handler(spawn)
        manager.fire_and_forget(failing(), "first")
        await turns(500)
        assert heard == 100

    async def test_a_handler_that_removes_itself(self, manager: UnifiedTaskManager) -> None:
        """An error handler may take itself away, or shut the manager down, while it is called."""

        def leave(error: BaseException, context: str) -> None:
            manager.set_error_handler(None)
            manager.fire_and_forget(manager.shutdown(0.1), "shutdown")

        manager.set_error_handler(leave)
        manager.fire_and_forget(failing(), "first")
        await turns(20)
        assert manager.is_shut_down

    @pytest.mark.parametrize("exit_", [SystemExit(3), KeyboardInterrupt()], ids=repr)
    @pytest.mark.parametrize("way", ["create_task", "fire_and_forget"])
    def test_exits(self, exit_: BaseException, way: str, manager: UnifiedTaskManager, reported: Reported) -> None:
        """SystemExit and KeyboardInterrupt in a managed task are recorded, and not swallowed."""

        async def main() -> None:
            getattr(manager, way)(failing(exit_), "leaves")
            await never()

        with pytest.raises(type(exit_)):
            asyncio.run(main())
        assert [(error, context) for error, context in reported] == [(exit_, "leaves")]

    async def test_evil(self, manager: UnifiedTaskManager, reported: Reported) -> None:
        """An exception beneath Exception is a failure like others."""
        manager.fire_and_forget(failing(Evil()), "evil")
        manager.create_task(failing(Evil()), "also evil")
        await asyncio.sleep(0.05)
        assert [context for _, context in reported] == ["evil", "also evil"]

    async def test_counters(self, manager: UnifiedTaskManager) -> None:
        """The counters add up at any moment, whichever way tasks end."""
        manager.set_error_handler(lambda error, context: None)
        for number in range(30):
            task = manager.create_task((turns, failing, never)[number % 3]())
            if number % 3 == 2:
                task.cancel()
            assert manager.active_task_count + manager.completed_task_count == manager.total_task_count
        await turns(10)
        stats = manager.get_task_stats()
        assert manager.active_task_count + manager.completed_task_count == manager.total_task_count == 30
        assert stats["active"] == 0


# -- ending ------------------------------------------------------------------------------------------------------


class TestShutdown:
    @pytest.mark.parametrize("times", [1, 2, 10_000])
    async def test_stubborn_tasks(self, times: int, manager: UnifiedTaskManager, reported: Reported) -> None:
        """Tasks that swallow their cancellation cost the timeout, and are named with their stack."""
        release = asyncio.Event()

        async def obstinate() -> None:
            swallowed = 0
            while not release.is_set():
                try:
                    await release.wait()
                except asyncio.CancelledError:
                    swallowed += 1
                    if swallowed > times:
                        raise

        tasks = [manager.create_task(obstinate(), f"obstinate {number}") for number in range(3)]
        await turns()
        began = time.monotonic()
        late = await manager.shutdown(0.1)
        assert time.monotonic() - began < 0.5
        assert {snapshot.name for snapshot in late} == {f"obstinate {number}" for number in range(3)}
        assert all(snapshot.stack for snapshot in late)
        assert any(isinstance(error, StuckTask) for error, _ in reported)
        release.set()
        await asyncio.wait(tasks)

    @pytest.mark.parametrize("timeout", [0, -1, 1e-9, 1e9, float("inf")], ids=str)
    async def test_timeouts(self, timeout: float, manager: UnifiedTaskManager) -> None:
        """Any timeout will do for tasks that end when they are told to."""
        tasks = [manager.create_task(never(), f"task {number}") for number in range(10)]
        await turns()
        async with asyncio.timeout(2):
            await manager.shutdown(timeout)
            await asyncio.wait(tasks)
        assert all(task.cancelled() for task in tasks)
        assert manager.active_task_count == 0
        assert manager.is_shut_down

    async def test_in_a_managed_task(self, manager: UnifiedTaskManager) -> None:
        """A managed task may shut its manager down; it goes on, all others have ended."""
        others = [manager.create_task(never()) for _ in range(5)]
        assert await manager.create_task(manager.shutdown(1), "ends all") == ()
        assert all(task.done() for task in others)

    async def test_in_a_managed_child(self, manager: UnifiedTaskManager) -> None:
        """A managed task may shut its manager down while its spawner waits for it; all end in time."""
        others = [manager.create_task(never()) for _ in range(5)]

        async def parent() -> None:
            await manager.create_task(manager.shutdown(1), "child")

        began = time.monotonic()
        spawner = manager.create_task(parent(), "parent")
        await asyncio.wait([spawner, *others], timeout=2)
        await turns()
        assert time.monotonic() - began < 0.9
        assert all(task.done() for task in [spawner, *others])
        assert manager.active_task_count == 0

    async def test_at_once(self, manager: UnifiedTaskManager) -> None:
        """Ten shutdowns at once end together, and later ones return at once."""
        for _ in range(20):
            manager.create_task(never())
        await turns()
        async with asyncio.timeout(2):
            assert set(await asyncio.gather(*(manager.shutdown(1) for _ in range(10)))) == {()}
        assert await manager.shutdown(0) == ()
        assert manager.active_task_count == 0

    async def test_two_in_managed_tasks(self, manager: UnifiedTaskManager) -> None:
        """Two managed tasks that shut down at once do not wait for each other for ever."""
        first = manager.create_task(manager.shutdown(0.5), "first")
        second = manager.create_task(manager.shutdown(0.5), "second")
        async with asyncio.timeout(3):
            await asyncio.wait([first, second])
        assert manager.active_task_count == 0

    @pytest.mark.parametrize("steps", range(8))
    async def test_cancelled_at_each_step(self, steps: int, manager: UnifiedTaskManager) -> None:
        """A shutdown cancelled at any step passes that on, and leaves a manager that can still be shut down."""

        async def cleans_up() -> None:
            try:
                manager.create_task(never())
                await never()
            finally:
                await turns(4)

        for _ in range(3):
            manager.create_task(cleans_up())
        await turns(3)
        shutting_down = asyncio.ensure_future(manager.shutdown(2))
        await turns(steps)
        shutting_down.cancel()
        await asyncio.wait([shutting_down])
        assert shutting_down.cancelled()
        assert await manager.shutdown(2) == ()
        assert manager.active_task_count == 0

    async def test_cancelled(self, manager: UnifiedTaskManager) -> None:
        """A cancelled shutdown passes the cancellation on; the next one finishes its work."""
        release = asyncio.Event()

        async def slow() -> None:
            try:
                await never()
            finally:
                await release.wait()

        task = manager.create_task(slow())
        await turns()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await manager.shutdown(5)
        assert not task.done()
        release.set()
        assert await manager.shutdown(1) == ()
        assert task.done()

    @pytest.mark.parametrize("way", ["create_task", "fire_and_forget", "exclusive", "scope", "through the accessor"])
    async def test_spawning_while_it_shuts_down(
        self, way: str, manager: UnifiedTaskManager, reported: Reported
    ) -> None:
        """Nothing can be spawned from the clean-up of a task that is shut down; what was tried is recorded."""

        async def spawns() -> None:
            async with manager.scope("within") as scope:
                try:
                    await never()
                finally:
                    match way:
                        case "create_task":
                            manager.create_task(never(), "late")
                        case "fire_and_forget":
                            manager.fire_and_forget(never(), "late")
                        case "exclusive":
                            manager.exclusive("group", never(), "late")
                        case "scope":
                            scope.fire_and_forget(never(), "late")
                        case _:
                            get_task_manager().fire_and_forget(never(), "late")

        task = manager.create_task(spawns(), "spawns")
        await turns()
        assert await shutdown_task_manager(1) == ()
        await asyncio.wait([task])
        await asyncio.sleep(0.05)
        refusals = [error for error, _ in reported if isinstance(error, TaskRefused)]
        assert len(refusals) == 1
        assert "late" in str(refusals[0])
        assert len(asyncio.all_tasks()) == 1

    async def test_spawning_from_a_thread_while_it_shuts_down(
        self, manager: UnifiedTaskManager, reported: Reported
    ) -> None:
        """A thread goes on handing over coroutines while the manager shuts down: each runs or is told."""
        ended, handed = 0, 0
        stop = threading.Event()

        async def work() -> None:
            nonlocal ended
            try:
                await asyncio.sleep(0)
            finally:
                ended += 1

        def hand_over() -> None:
            nonlocal handed
            while not stop.is_set() and handed < 2_000:
                handed += 1
                manager.fire_and_forget(work(), "from a thread")

        thread = threading.Thread(target=hand_over)
        thread.start()
        await asyncio.sleep(0.005)
        await manager.shutdown(2)
        stop.set()
        await until(lambda: not thread.is_alive())
        await asyncio.sleep(0.05)
        never_started = sum(isinstance(error, TaskRefused) for error, _ in reported)
        cancelled_before_its_first_step = handed - ended - never_started
        assert 0 <= cancelled_before_its_first_step <= 1000
        assert manager.active_task_count == 0

    async def test_order(self, manager: UnifiedTaskManager) -> None:
        """Children end before their parents, newest first."""
        ended: list[str] = []

        async def nested(name: str, depth: int) -> None:
            try:
                if depth:
                    for number in range(2):
                        manager.create_task(nested(f"{name}.{number}", depth - 1), f"{name}.{number}")
                await never()
            finally:
                await asyncio.sleep(0)
                ended.append(name)

        manager.create_task(nested("a", 3), "a")
        await turns(10)
        assert await manager.shutdown(2) == ()
        assert len(ended) == 15
        for child in ended:
            parent = child.rpartition(".")[0]
            assert not parent or ended.index(child) < ended.index(parent)
            if child.endswith(".0"):
                assert ended.index(child) > ended.index(f"{child[:-1]}1")

    async def test_after_the_tasks_have_failed(self, manager: UnifiedTaskManager, reported: Reported) -> None:
        """A failure that nobody had asked for yet is reported by the shutdown, once."""
        task = manager.create_task(failing(), "failed")
        await turns(2)
        await manager.shutdown(1)
        assert len(reported) == 1
        del task
        gc.collect()
        await turns()
        assert len(reported) == 1

    async def test_tasks_that_fail_as_they_are_cancelled(self, manager: UnifiedTaskManager, reported: Reported) -> None:
        """A failure in the clean-up of a cancelled task is reported."""

        async def fails() -> None:
            try:
                await never()
            finally:
                raise RuntimeError("in the clean-up")

        for number in range(5):
            manager.create_task(fails(), f"task {number}")
        await turns()
        assert await manager.shutdown(1) == ()
        assert len([error for error, _ in reported if "clean-up" in str(error)]) == 5

    async def test_a_blocking_task(self, manager: UnifiedTaskManager) -> None:
        """Code that blocks the loop in its clean-up costs what it blocks, not more."""

        async def blocks() -> None:
            try:
                await never()
            finally:
                time.sleep(0.1)  # noqa: ASYNC251 - that is what is wrong with it

        manager.create_task(blocks())
        await turns()
        began = time.monotonic()
        await manager.shutdown(0.05)
        assert time.monotonic() - began < 0.5
        assert manager.active_task_count == 0

    async def test_the_global_one(self) -> None:
        """The program's manager can be shut down twice, and the next one asked for is new and takes tasks."""
        first = get_task_manager()
        await asyncio.gather(shutdown_task_manager(), shutdown_task_manager())
        await shutdown_task_manager()
        second = get_task_manager()
        assert second is not first
        await second.create_task(asyncio.sleep(0))
        assert initialize_task_manager() is get_task_manager()

    def test_from_a_loop_in_another_thread(self, reported: Reported) -> None:
        """A manager may be shut down from another thread's loop while its own goes on."""
        manager = get_task_manager()
        ended = threading.Event()
        took_s = 0.0
        late: tuple[Any, ...] = (None,)

        def shut_down() -> None:
            nonlocal took_s, late
            began = time.monotonic()
            late = asyncio.run(manager.shutdown(3), debug=True)
            took_s = time.monotonic() - began
            ended.set()

        async def main() -> None:
            tasks = [manager.create_task(never()) for _ in range(5)]
            await turns()
            thread = threading.Thread(target=shut_down)
            thread.start()
            await until(ended.is_set)
            thread.join()
            assert all(task.cancelled() for task in tasks)

        asyncio.run(main(), debug=True)
        assert late == ()
        assert took_s < 1


# -- scopes, groups, services ------------------------------------------------------------------------------------


class TestScopes:
    @pytest.mark.parametrize("error", [None, ValueError("in the block"), Evil()], ids=repr)
    async def test_leaving(self, error: BaseException | None, manager: UnifiedTaskManager) -> None:
        """Whatever ends the block, its children have ended when it is left, and the block's error goes on."""
        with pytest.raises(type(error)) if error else contextlib.nullcontext():
            async with manager.scope("plate") as scope:
                children = [scope.create_task(never(), f"child {number}") for number in range(5)]
                scope.fire_and_forget(never(), "another")
                await turns()
                if error:
                    raise error
        assert all(child.cancelled() for child in children)
        assert manager.active_task_count == 0

    async def test_cancelled_while_leaving(self, manager: UnifiedTaskManager) -> None:
        """A cancellation that comes while a scope is being left waits with it for the children, and goes on."""
        release = asyncio.Event()
        children: list[asyncio.Task[None]] = []

        async def slow() -> None:
            try:
                await never()
            finally:
                await release.wait()

        async def owner() -> None:
            async with manager.scope("plate") as scope:
                children.append(scope.create_task(slow()))
                await turns()

        task = manager.create_task(owner())
        await turns(10)
        task.cancel()
        await turns()
        assert not task.done()
        release.set()
        await asyncio.wait([task])
        assert task.cancelled()
        assert children[0].done()

    async def test_left_twice_and_used_after(self, manager: UnifiedTaskManager, reported: Reported) -> None:
        """A scope that was left takes no more tasks; each is closed and recorded."""
        async with manager.scope("plate") as scope:
            pass
        with pytest.raises(TaskRefused, match="plate"):
            scope.create_task(never(), "late")
        scope.fire_and_forget(never(), "late")
        assert len(reported) == 1
        assert scope.tasks() == []

    async def test_children_of_children(self, manager: UnifiedTaskManager) -> None:
        """Leaving an outer scope ends what an inner one, still open elsewhere, owns."""
        inner_tasks: list[asyncio.Task[None]] = []
        opened = asyncio.Event()

        async def inner(outer: Any) -> None:
            async with manager.scope("inner", outer) as scope:
                inner_tasks.append(scope.create_task(never(), "in the inner"))
                opened.set()
                await never()

        async with manager.scope("outer") as outer:
            outer.fire_and_forget(inner(outer), "opens the inner")
            await opened.wait()
            assert {snapshot.scope for snapshot in manager.snapshot()} == {"outer", "outer / inner"}
        assert inner_tasks[0].cancelled()
        assert manager.active_task_count == 0

    async def test_a_child_that_leaves(self, manager: UnifiedTaskManager) -> None:
        """A child that closes its scope's manager ends the scope's owner too, in bounded time."""

        async def owner() -> None:
            async with manager.scope("plate") as scope:
                scope.fire_and_forget(manager.shutdown(0.5), "shuts down")
                await never()

        task = manager.create_task(owner())
        async with asyncio.timeout(3):
            await asyncio.wait([task])
        await turns()
        assert manager.active_task_count == 0


class TestExclusive:
    async def test_a_hundred_in_a_row(self, manager: UnifiedTaskManager) -> None:
        """Of a hundred loads started at once only the last runs to its end, and never two at a time."""
        running, most, finished = 0, 0, []

        async def load(number: int) -> None:
            nonlocal running, most
            running += 1
            most = max(most, running)
            try:
                await turns(3)
                finished.append(number)
            finally:
                await asyncio.sleep(0)
                running -= 1

        for number in range(100):
            task = manager.exclusive("load", load(number), f"load {number}")
            if number % 3 == 0:
                await turns(2)
        await task
        assert finished == [99]
        assert most == 1
        await turns()
        assert manager.active_task_count == 0

    async def test_from_within(self, manager: UnifiedTaskManager) -> None:
        """A task that starts its own replacement is cancelled, and the replacement waits for its clean-up."""
        order: list[str] = []

        async def second() -> None:
            order.append("second")

        async def first() -> None:
            try:
                manager.exclusive("load", second())
                await never()
            finally:
                await asyncio.sleep(0)
                order.append("first ended")

        manager.exclusive("load", first())
        await turns(10)
        assert order == ["first ended", "second"]

    async def test_refused(self, manager: UnifiedTaskManager) -> None:
        """A replacement that is refused leaves the one it was to replace alone."""
        manager.max_tasks = 1
        task = manager.exclusive("load", never())
        await turns()
        with pytest.raises(TaskRefused):
            manager.exclusive("load", never())
        with pytest.raises(TypeError):
            manager.exclusive("load", 7)  # type: ignore[arg-type]
        await turns()
        assert not task.done()
        await manager.shutdown(1)

    async def test_a_stubborn_one(self, manager: UnifiedTaskManager) -> None:
        """A replacement of one that ignores its cancellation does not begin beside it, and can be cancelled."""
        release, began = asyncio.Event(), []

        async def obstinate() -> None:
            while not release.is_set():
                try:
                    await release.wait()
                except asyncio.CancelledError:
                    continue

        async def follower() -> None:
            began.append(True)

        first = manager.exclusive("load", obstinate())
        await turns()
        second = manager.exclusive("load", follower())
        await turns()
        second.cancel()
        await asyncio.wait([second])
        assert not began
        third = manager.exclusive("load", follower())
        await turns()
        assert not began
        release.set()
        await asyncio.wait([first, third])
        assert began == [True]


class TestServices:
    @pytest.mark.parametrize("restart", Restart)
    async def test_ever_failing(self, restart: Restart, manager: UnifiedTaskManager, reported: Reported) -> None:
        """A service that fails at once, each time, ends as its policy says, and each failure is told."""
        runs = 0

        async def service() -> None:
            nonlocal runs
            runs += 1
            raise RuntimeError(f"run {runs}")

        task = supervise(manager, service, "service", restart, restarts=3, within_s=60)
        await asyncio.wait([task])
        if restart is Restart.TEMPORARY:
            assert (runs, len(reported), task.exception()) == (1, 1, None)
        else:
            assert (runs, len(reported)) == (4, 4)
            assert isinstance(task.exception(), ServiceGivenUp)

    async def test_a_service_that_is_no_coroutine(self, manager: UnifiedTaskManager, reported: Reported) -> None:
        """A service that cannot even be called is given up like one that fails."""

        def service() -> Any:
            raise TypeError("cannot be called")

        task = supervise(manager, service, "service", restarts=1, within_s=60)
        with pytest.raises(ServiceGivenUp):
            await task
        task = supervise(manager, lambda: None, "nothing", restarts=1, within_s=60)  # type: ignore[arg-type, return-value]
        with pytest.raises(ServiceGivenUp):
            await task

    async def test_cancelled_in_its_restart(self, manager: UnifiedTaskManager, reported: Reported) -> None:
        """A service can be ended at any moment of its life."""
        for steps in range(8):

            async def service() -> None:
                await asyncio.sleep(0)
                raise RuntimeError("again")

            task = supervise(manager, service, "service", Restart.PERMANENT, restarts=1000, within_s=1)
            await turns(steps)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()


class TestSnapshots:
    async def test_of_odd_tasks(self, manager: UnifiedTaskManager) -> None:
        """Every kind of waiting can be looked at: generators, gathers, locks, other tasks, and tasks not yet begun."""

        @coroutine
        def old_style() -> Generator[Any, Any, None]:
            yield

        async def over_old_style() -> None:
            await old_style()

        async def over_a_generator() -> None:
            async for _ in _agen():
                await never()

        async def deep(depth: int) -> None:
            await (deep(depth - 1) if depth else never())

        lock = asyncio.Lock()
        await lock.acquire()
        other = manager.create_task(never(), "other")
        for wait in (
            never(),
            over_a_generator(),
            deep(300),
            lock.acquire(),
            over_old_style(),
            asyncio.wait([other]),
            asyncio.wait_for(never(), 60),
            asyncio.sleep(60),
        ):
            manager.create_task(wait)
        assert len(manager.snapshot()) == 9
        await turns(1)
        for _ in range(3):
            assert all(str(snapshot) for snapshot in manager.snapshot())
            await turns(1)
        lock.release()
        assert await manager.shutdown(2) == ()

    async def test_from_threads(self, manager: UnifiedTaskManager) -> None:
        """Threads may look while tasks come and go."""
        faults: list[BaseException] = []
        stop = threading.Event()

        def look() -> None:
            try:
                while not stop.is_set():
                    for snapshot in manager.snapshot():
                        str(snapshot)
                    manager.get_task_stats()
            except BaseException as fault:
                faults.append(fault)

        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-5)
        thread = threading.Thread(target=look)
        thread.start()
        try:
            for _ in range(100):
                for _ in range(5):
                    manager.fire_and_forget(turns(2))
                await turns(3)
        finally:
            stop.set()
            thread.join()
            sys.setswitchinterval(interval)
        assert faults == []


class TestContexts:
    async def test_contexts(self, manager: UnifiedTaskManager) -> None:
        """A task sees the context of whoever started it, and changes only its own."""
        variable = contextvars.ContextVar("variable", default="default")

        async def look() -> str:
            seen = variable.get()
            variable.set("changed")
            return seen

        variable.set("mine")
        assert await manager.create_task(look()) == "mine"
        assert await manager.exclusive("group", look()) == "mine"
        async with manager.scope("scope") as scope:
            assert await scope.create_task(look()) == "mine"
        assert variable.get() == "mine"

    @pytest.mark.skipif(not hasattr(asyncio, "eager_task_factory"), reason="eager tasks came with Python 3.12")
    async def test_eager_tasks(self, manager: UnifiedTaskManager, reported: Reported) -> None:
        """With eager tasks, which may have ended before they are known, nothing is lost, leaked or told twice."""
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)

        async def at_once() -> int:
            return 7

        assert await manager.create_task(at_once()) == 7
        manager.fire_and_forget(at_once())
        manager.fire_and_forget(failing(), "fails at once")
        with pytest.raises(RuntimeError):
            await manager.create_task(failing())
        await manager.exclusive("group", at_once())
        async with manager.scope("scope") as scope:
            scope.fire_and_forget(failing(), "fails in the scope")
            scope.fire_and_forget(never())
        await turns()
        assert [context for _, context in reported] == ["fails at once", "fails in the scope"]
        assert manager.active_task_count == 0
        manager.create_task(never())
        assert await manager.shutdown(1) == ()

    @pytest.mark.parametrize("error", [RuntimeError, ValueError, TypeError, Evil])
    async def test_a_task_factory_that_raises(
        self, error: type[BaseException], manager: UnifiedTaskManager, reported: Reported
    ) -> None:
        """A loop that cannot make a task is a refusal: the coroutine is closed, and the name recorded."""

        def refuse(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> Any:
            raise error("no more tasks")

        loop = asyncio.get_running_loop()
        loop.set_task_factory(refuse)
        try:
            if error is Evil:
                with pytest.raises(Evil):
                    manager.fire_and_forget(never(), "wanted")
            else:
                manager.fire_and_forget(never(), "wanted")
                assert [context for _, context in reported] == ["wanted"]
        finally:
            loop.set_task_factory(None)
