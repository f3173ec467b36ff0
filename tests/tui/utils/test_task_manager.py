"""The task manager: one owner for each coroutine, each failure told once, an end that comes in time."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

import pytest

from openhcs.tui.utils.unified_task_manager import (
    StuckTask,
    TaskRefused,
    UnifiedTaskManager,
    get_task_manager,
    initialize_task_manager,
    shutdown_task_manager,
)
from tests.tui.utils.kit import Failures, broken_logging, fail, in_a_storm, logged, turns, until


@pytest.fixture
def failures() -> Failures:
    return Failures()


@pytest.fixture
def manager(failures: Failures) -> UnifiedTaskManager:
    manager = UnifiedTaskManager()
    manager.set_error_handler(failures)
    return manager


async def value(result: object = None) -> object:
    await asyncio.sleep(0)
    return result


async def forever() -> None:
    await asyncio.Event().wait()


async def stubborn(released: asyncio.Event) -> None:
    """Ignore every cancellation until released."""
    while not released.is_set():
        try:
            await released.wait()
        except asyncio.CancelledError:
            continue


async def _within(seconds: float, coroutine: Coroutine[Any, Any, Any]) -> None:
    async with asyncio.timeout(seconds):
        await coroutine


class Probe:
    """A coroutine and what became of it."""

    def __init__(self) -> None:
        self.coroutine = self._body()
        self.ran = False

    async def _body(self) -> None:
        self.ran = True
        await asyncio.sleep(0)

    @property
    def closed(self) -> bool:
        return self.coroutine.cr_frame is None


class TestOneOwner:
    async def test_a_task_runs_to_its_end_and_is_counted(self, manager: UnifiedTaskManager) -> None:
        """A managed task is an asyncio task with the given name, and the counters follow it."""
        task = manager.create_task(value(7), name="seven")
        assert (manager.active_task_count, manager.completed_task_count) == (1, 0)
        assert task.get_name() == "seven"
        assert await task == 7
        assert manager.get_task_stats() == {
            "active": 0, "total": 1, "completed": 1, "failed": 0, "refused": 0, "max": 1000,
        }  # fmt: skip

    async def test_a_task_without_a_name_gets_one(self, manager: UnifiedTaskManager) -> None:
        """The name may be left out."""
        task = manager.create_task(value())
        assert task.get_name()
        await task

    async def test_the_limit_refuses_and_closes(self, failures: Failures) -> None:
        """The task beyond the limit is refused with its name, and its coroutine closed."""
        manager = UnifiedTaskManager(max_tasks=2)
        manager.set_error_handler(failures)
        kept = [manager.create_task(forever()) for _ in range(2)]
        probe = Probe()
        with pytest.raises(TaskRefused, match="one too many") as refusal:
            manager.create_task(probe.coroutine, name="one too many")
        assert refusal.value.name == "one too many"
        assert probe.closed
        forgotten = Probe()
        manager.fire_and_forget(forgotten.coroutine, "forgotten")
        assert forgotten.closed
        assert [context for _, context in failures] == ["forgotten"]
        kept[0].cancel()
        await asyncio.wait(kept[:1])
        await manager.create_task(value())
        await manager.shutdown()

    async def test_a_closed_manager_refuses_and_closes(self, manager: UnifiedTaskManager, failures: Failures) -> None:
        """Nothing is spawned into a manager that has been shut down."""
        await manager.shutdown()
        probes = Probe(), Probe()
        with pytest.raises(TaskRefused):
            manager.create_task(probes[0].coroutine)
        manager.fire_and_forget(probes[1].coroutine, "late")
        assert all(probe.closed and not probe.ran for probe in probes)
        assert [context for _, context in failures] == ["late"]
        assert manager.get_task_stats()["refused"] == 2

    def test_without_a_loop_it_refuses_and_closes(self, manager: UnifiedTaskManager, failures: Failures) -> None:
        """Where no loop runs, `create_task` raises and `fire_and_forget` reports."""
        probes = Probe(), Probe()
        with pytest.raises(TaskRefused, match="no event loop"):
            manager.create_task(probes[0].coroutine)
        manager.fire_and_forget(probes[1].coroutine, "early")
        assert all(probe.closed for probe in probes)
        assert [context for _, context in failures] == ["early"]

    @pytest.mark.parametrize("kind", ["function", "async generator", "None", "number", "future", "no repr"])
    async def test_what_is_no_coroutine_is_refused(
        self, manager: UnifiedTaskManager, failures: Failures, kind: str
    ) -> None:
        """A wrong type raises TypeError, or is reported by `fire_and_forget`; a future given is left alone."""

        async def generator() -> AsyncIterator[int]:
            yield 1

        class NoRepr:
            def __repr__(self) -> str:
                raise ValueError("no repr")

        future = asyncio.get_running_loop().create_future()
        wrong: Any = {
            "function": value, "async generator": generator(), "None": None, "number": 3, "future": future,
            "no repr": NoRepr(),
        }[kind]  # fmt: skip
        with pytest.raises(TypeError):
            manager.create_task(wrong, name="wrong")
        manager.fire_and_forget(wrong, "wrong")
        await asyncio.to_thread(manager.fire_and_forget, wrong, "wrong")
        assert [context for _, context in failures] == ["wrong", "wrong"]
        assert all(isinstance(exception, TypeError) for exception, _ in failures)
        assert not future.done()
        assert manager.active_task_count == 0
        future.cancel()

    async def test_a_finished_coroutine_is_reported_and_harms_nobody(
        self, manager: UnifiedTaskManager, failures: Failures
    ) -> None:
        """A coroutine that has run already fails with the name it was given."""
        coroutine = value()
        await coroutine
        manager.fire_and_forget(coroutine, "again")
        await until(lambda: failures)
        assert [context for _, context in failures] == ["again"]

    async def test_a_coroutine_that_runs_elsewhere_goes_on_there(
        self, manager: UnifiedTaskManager, failures: Failures
    ) -> None:
        """Refusing a coroutine that another task is running does not close it under that task."""
        ended = []

        async def body() -> None:
            try:
                await asyncio.sleep(0.01)
            finally:
                ended.append(sys.exc_info()[0])

        coroutine = body()
        elsewhere = asyncio.ensure_future(coroutine)
        await turns()
        await manager.shutdown()
        manager.fire_and_forget(coroutine, "stolen")
        assert ended == []
        await elsewhere
        assert ended == [None]

    async def test_any_coroutine_object_is_taken(self, manager: UnifiedTaskManager) -> None:
        """What implements `collections.abc.Coroutine` runs as a native coroutine does."""

        class Wrapped(Coroutine[Any, Any, Any]):
            def __init__(self, inner: Coroutine[Any, Any, Any]) -> None:
                self.inner = inner

            def send(self, value: Any) -> Any:
                return self.inner.send(value)

            def throw(self, *args: Any) -> Any:
                return self.inner.throw(*args)

            def close(self) -> None:
                self.inner.close()

            def __await__(self) -> Iterator[Any]:
                return self.inner.__await__()

        assert await manager.create_task(Wrapped(value(3))) == 3
        probe = Probe()
        await manager.shutdown()
        with pytest.raises(TaskRefused):
            manager.create_task(Wrapped(probe.coroutine))
        assert probe.closed

    async def test_a_refusal_is_logged_with_the_name(self, manager: UnifiedTaskManager) -> None:
        """The log names what was refused."""
        await manager.shutdown()
        with logged() as records, pytest.raises(TaskRefused):
            manager.create_task(value(), name="unlucky")
        assert any("unlucky" in record.getMessage() for record in records.records)

    async def test_a_broken_log_loses_no_coroutine(self, manager: UnifiedTaskManager, failures: Failures) -> None:
        """A log handler that raises neither leaks the refused coroutine nor reaches the caller."""
        await manager.shutdown()
        probes = Probe(), Probe()
        with broken_logging():
            with pytest.raises(TaskRefused):
                manager.create_task(probes[0].coroutine)
            manager.fire_and_forget(probes[1].coroutine)
        assert all(probe.closed for probe in probes)
        assert len(failures) == 1

    async def test_cancelled_before_its_first_step(self, manager: UnifiedTaskManager, failures: Failures) -> None:
        """A task cancelled before it starts leaves no trace."""
        probe = Probe()
        task = manager.create_task(probe.coroutine)
        task.cancel()
        await asyncio.wait([task])
        assert not probe.ran
        assert probe.closed
        assert failures == []

    async def test_an_exclusive_task_waits_for_the_clean_up_of_the_one_before(
        self, manager: UnifiedTaskManager
    ) -> None:
        """Starting a group again cancels its task, waits for its clean-up, and only then begins."""
        events = []

        async def load(name: str) -> None:
            events.append(f"{name} begins")
            try:
                await forever()
            finally:
                await asyncio.sleep(0.01)
                events.append(f"{name} cleaned up")

        first = manager.exclusive("load", load("a"))
        await until(lambda: events)
        second = manager.exclusive("load", load("b"))
        third = manager.exclusive("load", load("c"))
        await until(lambda: "c begins" in events)
        assert events == ["a begins", "a cleaned up", "c begins"]
        assert first.cancelled()
        assert second.cancelled()
        third.cancel()
        await asyncio.wait([third])

    async def test_an_exclusive_task_of_the_wrong_type_is_refused(
        self, manager: UnifiedTaskManager, failures: Failures
    ) -> None:
        """The group's task goes on if its successor cannot be started."""
        running = manager.exclusive("load", forever())
        await turns()
        with pytest.raises(TypeError):
            manager.exclusive("load", value)  # type: ignore[arg-type]
        manager.max_tasks = 1
        with pytest.raises(TaskRefused):
            manager.exclusive("load", value())
        await turns()
        assert not running.done()
        await manager.shutdown()
        assert failures == []

    async def test_a_scope_ends_its_tasks(self, manager: UnifiedTaskManager) -> None:
        """Leaving a scope cancels and awaits what runs in it and in scopes within, newest first, and closes it."""
        ended = []

        async def child(name: str) -> None:
            try:
                await forever()
            finally:
                await asyncio.sleep(0)
                ended.append(name)

        async with manager.scope("plate A") as plate, manager.scope("well 1", parent=plate) as well:
            plate.create_task(child("first"))
            well.create_task(child("second"))
            well.fire_and_forget(child("third"))
            await turns()
            assert well.path == "plate A / well 1"
            assert len(plate.tasks()) == 3
        assert sorted(ended) == ["first", "second", "third"]
        assert ended[0] == "third"
        probe = Probe()
        with pytest.raises(TaskRefused, match="plate A"):
            plate.create_task(probe.coroutine)
        assert probe.closed

    async def test_a_scope_left_by_failure_and_by_cancellation(self, manager: UnifiedTaskManager) -> None:
        """A scope ends its tasks whichever way it is left, and what left it goes on."""

        async def leave(how: str) -> None:
            async with manager.scope("x") as scope:
                scope.create_task(forever())
                if how == "failure":
                    raise KeyError(how)
                await forever()

        with pytest.raises(KeyError):
            await leave("failure")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await leave("cancellation")
        assert manager.active_task_count == 0


class TestFailures:
    async def test_a_failure_nobody_awaits_is_reported_once(
        self, manager: UnifiedTaskManager, failures: Failures
    ) -> None:
        """A dropped task's failure reaches the handler once, with its name."""
        manager.create_task(fail(), name="dropped")
        await until(lambda: failures)
        await manager.shutdown()
        assert [(str(exception), context) for exception, context in failures] == [("failed", "dropped")]

    async def test_a_failure_of_a_task_that_is_held_and_not_awaited_is_reported_once(
        self, manager: UnifiedTaskManager, failures: Failures
    ) -> None:
        """Somebody who holds a failed task and never asks does not keep its failure from being told."""
        task = manager.create_task(fail(), name="held")
        await until(lambda: failures)
        assert task.done()
        await manager.shutdown()
        assert len(failures) == 1

    async def test_a_failure_is_reported_soon_after_its_task_is_dropped(
        self, manager: UnifiedTaskManager, failures: Failures
    ) -> None:
        """Letting go of a failed task makes its failure known without the full wait."""
        task = manager.create_task(fail(), name="held a while")
        await turns()
        assert failures == []
        assert task.done()
        del task
        began = time.monotonic()
        await until(lambda: failures)
        assert time.monotonic() - began < 0.3

    async def test_what_the_awaiter_gets_is_not_reported(self, manager: UnifiedTaskManager, failures: Failures) -> None:
        """Awaiting, gathering, shielding, waiting and asking for the exception all claim a failure."""
        with pytest.raises(ValueError, match="failed"):
            await manager.create_task(fail())
        with pytest.raises(ValueError, match="failed"):
            await asyncio.wait_for(manager.create_task(fail()), 1)
        with pytest.raises(ValueError, match="failed"):
            await asyncio.shield(manager.create_task(fail()))
        await asyncio.gather(manager.create_task(fail()), manager.create_task(fail()), return_exceptions=True)
        done, _ = await asyncio.wait([manager.create_task(fail()) for _ in range(3)])
        assert all(task.exception() for task in done)
        for finished in asyncio.as_completed([manager.create_task(fail())]):
            with pytest.raises(ValueError, match="failed"):
                await finished
        late = manager.create_task(fail())
        await asyncio.sleep(0.02)
        with pytest.raises(ValueError, match="failed"):
            await late
        del late, done, finished
        gc.collect()
        await asyncio.sleep(0.02)
        await manager.shutdown()
        assert failures == []

    async def test_being_cancelled_is_no_failure(self, manager: UnifiedTaskManager, failures: Failures) -> None:
        """Cancelled tasks are told to nobody."""
        task = manager.create_task(forever())
        manager.fire_and_forget(forever())
        await turns()
        task.cancel()
        await manager.shutdown()
        assert failures == []
        assert manager.get_task_stats()["failed"] == 0

    async def test_a_failure_in_clean_up_is_reported(self, manager: UnifiedTaskManager, failures: Failures) -> None:
        """A task that raises while it is being cancelled has failed."""

        async def bad_clean_up() -> None:
            try:
                await forever()
            finally:
                raise OSError("clean-up failed")

        manager.fire_and_forget(bad_clean_up(), "a")
        manager.create_task(bad_clean_up(), "b")
        await turns()
        await manager.shutdown()
        assert sorted(context for _, context in failures) == ["a", "b"]

    async def test_groups_of_exceptions_are_one_failure(self, manager: UnifiedTaskManager, failures: Failures) -> None:
        """An exception group is reported whole."""
        group = ExceptionGroup("several", [ValueError("a"), ExceptionGroup("more", [KeyError("b")])])
        manager.fire_and_forget(fail(group), "group")
        await until(lambda: failures)
        assert failures[0][0] is group

    async def test_a_handler_that_raises_is_logged_with_the_failure(self, manager: UnifiedTaskManager) -> None:
        """Neither the handler's own failure nor the one it was given is lost."""

        def broken(exception: BaseException, context: str) -> None:
            raise RuntimeError("handler broke")

        manager.set_error_handler(broken)
        with logged() as records:
            manager.fire_and_forget(fail(), "job")
            await turns()
        logged_errors = [str(record.exc_info[1]) for record in records.errors() if record.exc_info]
        assert sorted(logged_errors) == ["failed", "handler broke"]

    async def test_without_a_handler_failures_are_logged(self, manager: UnifiedTaskManager) -> None:
        """The log is the last resort, with the exception attached."""
        manager.set_error_handler(None)
        with logged() as records:
            manager.fire_and_forget(fail(), "job")
            await turns()
        (record,) = records.errors()
        assert record.exc_info is not None
        assert isinstance(record.exc_info[1], ValueError)

    async def test_a_broken_log_disturbs_nobody(self, manager: UnifiedTaskManager) -> None:
        """With neither handler nor log, the loop still hears of nothing."""
        complaints: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
        manager.set_error_handler(None)
        with broken_logging():
            manager.fire_and_forget(fail(), "job")
            manager.fire_and_forget(None, "wrong")  # type: ignore[arg-type]
            await turns()
        assert complaints == []

    @pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
    @pytest.mark.parametrize("how", ["fire_and_forget", "create_task", "held"])
    def test_an_exit_is_recorded_and_goes_on(
        self, manager: UnifiedTaskManager, failures: Failures, kind: type[BaseException], how: str
    ) -> None:
        """SystemExit and KeyboardInterrupt in a task end the program, and are recorded."""
        held = []

        async def main() -> None:
            if how == "fire_and_forget":
                manager.fire_and_forget(fail(kind("bye")), "leaver")
            elif how == "create_task":
                manager.create_task(fail(kind("bye")), "leaver")
            else:
                held.append(manager.create_task(fail(kind("bye")), "leaver"))
            await forever()

        with pytest.raises(kind):
            asyncio.run(main())
        assert [context for _, context in failures] == ["leaver"]

    def test_an_exit_is_recorded_even_if_the_loop_is_closed_at_once(
        self, manager: UnifiedTaskManager, failures: Failures
    ) -> None:
        """A loop that dies before its callbacks run takes no failure with it."""
        loop = asyncio.new_event_loop()

        async def main() -> None:
            manager.create_task(fail(), "unlucky")
            manager.create_task(fail(SystemExit(3)), "leaver")
            await forever()

        task = loop.create_task(main())
        with pytest.raises(SystemExit):
            loop.run_forever()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            loop.run_until_complete(task)
        loop.close()

        async def later() -> None:
            await manager.create_task(value())

        asyncio.run(later())
        assert sorted(context for _, context in failures) == ["leaver", "unlucky"]

    def test_a_held_failure_is_not_lost_with_its_loop(self, manager: UnifiedTaskManager, failures: Failures) -> None:
        """A failure still waiting to be claimed when the loop dies is reported by the next use of the manager."""

        async def first() -> None:
            task = manager.create_task(fail(), "held")
            await turns()
            assert task.done()

        asyncio.run(first())

        async def second() -> None:
            await manager.create_task(value())

        asyncio.run(second())
        assert [context for _, context in failures] == ["held"]

    def test_a_held_failure_is_logged_when_the_manager_goes_with_the_loop(self) -> None:
        """A manager that is thrown away with failures in it leaves them in the log."""

        async def main() -> None:
            manager = UnifiedTaskManager()
            task = manager.create_task(fail(), "held")
            await turns()
            assert task.done()

        with logged() as records:
            asyncio.run(main())
            gc.collect()
        assert [str(record.exc_info[1]) for record in records.errors() if record.exc_info] == ["failed"]

    async def test_ten_thousand_failures_are_each_reported_once(self, failures: Failures) -> None:
        """A storm of failures is counted exactly."""
        manager = UnifiedTaskManager(max_tasks=20_000)
        manager.set_error_handler(failures)
        half = in_a_storm(5_000)
        for number in range(half):
            manager.fire_and_forget(fail(ValueError(number)))
            manager.create_task(fail(ValueError(half + number)))
        await until(lambda: len(failures) == 2 * half)
        await manager.shutdown()
        assert sorted(exception.args[0] for exception, _ in failures) == list(range(2 * half))


class TestCancellation:
    async def test_a_cancellation_reaches_the_awaiter(self, manager: UnifiedTaskManager) -> None:
        """Cancelling whoever awaits a managed task cancels both and goes on."""
        task = manager.create_task(forever())

        async def awaiter() -> None:
            await task

        outer = asyncio.ensure_future(awaiter())
        await turns()
        outer.cancel()
        await asyncio.wait([outer])
        assert outer.cancelled()
        assert task.cancelled()

    async def test_a_timeout_around_a_scope_waits_for_clean_up_and_goes_on(self, manager: UnifiedTaskManager) -> None:
        """A cancellation that arrives while a scope is being left is not swallowed."""
        cleaned = []

        async def slow_end() -> None:
            try:
                await forever()
            finally:
                await asyncio.sleep(0.02)
                cleaned.append(True)

        async def in_scope() -> None:
            async with manager.scope("x") as scope:
                scope.create_task(slow_end())
                await turns()

        with pytest.raises(TimeoutError):
            await _within(0.005, in_scope())
        assert cleaned == [True]

    async def test_an_exclusive_task_cancelled_in_the_queue(self, manager: UnifiedTaskManager) -> None:
        """Cancelled before its turn, a group's task closes its coroutine and is cancelled."""

        async def slow_end() -> None:
            try:
                await forever()
            finally:
                await asyncio.sleep(0.02)

        manager.exclusive("g", slow_end())
        await turns()
        probe = Probe()
        queued = manager.exclusive("g", probe.coroutine)
        await turns()
        queued.cancel()
        await asyncio.wait([queued])
        assert queued.cancelled()
        assert probe.closed
        assert not probe.ran
        await manager.shutdown()

    async def test_a_timeout_around_shutdown(self, manager: UnifiedTaskManager, failures: Failures) -> None:
        """A shutdown may be cancelled; the next one finishes the work."""
        released = asyncio.Event()
        manager.fire_and_forget(stubborn(released), "stubborn")
        await turns()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await manager.shutdown(5.0)
        assert manager.is_shut_down
        released.set()
        assert await manager.shutdown(1.0) == ()
        assert manager.active_task_count == 0
        assert failures == []


class TestShutdown:
    async def test_children_go_before_parents_and_newest_first(self, manager: UnifiedTaskManager) -> None:
        """A task that was spawned by a task has ended before its spawner is cancelled; siblings go newest first."""
        ended = []

        async def node(name: str, children: tuple[str, ...] = ()) -> None:
            for child in children:
                manager.create_task(node(f"{name}.{child}"))
            try:
                await forever()
            finally:
                await asyncio.sleep(0)
                ended.append(name)

        manager.fire_and_forget(node("a", ("1", "2")))
        manager.fire_and_forget(node("b", ("1",)))
        await turns()
        assert await manager.shutdown() == ()
        assert ended[:3] == ["b.1", "a.2", "a.1"]
        assert ended[3:] == ["b", "a"]

    async def test_it_returns_in_time_and_names_who_is_late(
        self, manager: UnifiedTaskManager, failures: Failures
    ) -> None:
        """A task that ignores its cancellation is named with age and stack, and does not hold up the end."""
        released = asyncio.Event()
        manager.fire_and_forget(stubborn(released), "mule")
        manager.fire_and_forget(forever(), "sheep")
        await turns()
        began = time.monotonic()
        (late,) = await manager.shutdown(0.1)
        assert time.monotonic() - began < 0.5
        assert late.name == "mule"
        assert late.age_s >= 0.09
        assert any("in stubborn" in line for line in late.stack)
        ((stuck, _),) = failures
        assert isinstance(stuck, StuckTask)
        assert "mule" in str(stuck)
        assert "sheep" not in str(stuck)
        released.set()
        await until(lambda: manager.active_task_count == 0)

    async def test_a_stubborn_child_does_not_spare_its_parent(self, manager: UnifiedTaskManager) -> None:
        """Parents are cancelled in time although a child hangs."""
        released = asyncio.Event()

        async def parent() -> None:
            manager.create_task(stubborn(released), "child")
            await forever()

        manager.create_task(parent(), "parent")
        await turns()
        late = await manager.shutdown(0.1)
        assert [straggler.name for straggler in late] == ["child"]
        released.set()
        await until(lambda: manager.active_task_count == 0)

    async def test_it_may_be_called_again_and_at_once_by_many(self, manager: UnifiedTaskManager) -> None:
        """Concurrent calls wait for the same end; later ones return."""
        ended = []

        async def slow_end() -> None:
            try:
                await forever()
            finally:
                await asyncio.sleep(0.02)
                ended.append(True)

        manager.fire_and_forget(slow_end())
        await turns()
        results = await asyncio.gather(*(manager.shutdown() for _ in range(5)))
        assert results == [()] * 5
        assert ended == [True]
        assert await manager.shutdown() == ()

    async def test_one_of_two_is_cancelled(self, manager: UnifiedTaskManager) -> None:
        """The other shutdown takes over when the first is cancelled."""
        ended = []

        async def slow_end() -> None:
            try:
                await forever()
            finally:
                await asyncio.sleep(0.05)
                ended.append(True)

        manager.fire_and_forget(slow_end())
        await turns()
        first = asyncio.ensure_future(manager.shutdown())
        await turns()
        second = asyncio.ensure_future(manager.shutdown())
        await turns()
        first.cancel()
        assert await second == ()
        assert ended == [True]
        assert first.cancelled()

    async def test_from_within_a_managed_task(self, manager: UnifiedTaskManager) -> None:
        """A managed task may shut the manager down and goes on itself."""
        after = []

        async def leaver() -> None:
            late = await manager.shutdown(1.0)
            after.append(late)

        manager.fire_and_forget(forever())
        task = manager.create_task(leaver())
        await task
        assert after == [()]
        assert manager.active_task_count == 0

    async def test_two_managed_tasks_shut_down_at_once(self, manager: UnifiedTaskManager) -> None:
        """The first ends the second, and comes back in time."""
        tasks = [manager.create_task(manager.shutdown(1.0)) for _ in range(2)]
        await asyncio.wait(tasks, timeout=1.0)
        assert tasks[0].result() == ()
        assert tasks[1].cancelled()

    async def test_nothing_is_spawned_while_it_goes_on(self, manager: UnifiedTaskManager, failures: Failures) -> None:
        """A task that spawns in its clean-up is refused and closed."""
        probe = Probe()

        async def spawns_late() -> None:
            try:
                await forever()
            finally:
                manager.fire_and_forget(probe.coroutine, "late child")

        manager.fire_and_forget(spawns_late())
        await turns()
        await manager.shutdown()
        assert probe.closed
        assert [context for _, context in failures] == ["late child"]

    async def test_threads_that_block_do_not_hold_it_up(self, manager: UnifiedTaskManager) -> None:
        """A task that waits for a thread is given up in time."""
        free = threading.Event()
        manager.fire_and_forget(asyncio.to_thread(free.wait), "blocked")
        await turns()
        began = time.monotonic()
        await manager.shutdown(0.2)
        assert time.monotonic() - began < 1.0
        free.set()

    async def test_no_time_at_all(self, manager: UnifiedTaskManager) -> None:
        """With a timeout of 0 everything is cancelled and nothing is waited for long."""
        tasks = [manager.create_task(forever()) for _ in range(3)]
        await manager.shutdown(0)
        await turns()
        assert all(task.cancelled() for task in tasks)

    async def test_an_empty_manager(self) -> None:
        """Shutting down what never ran anything is no work, and closes it all the same."""
        manager = UnifiedTaskManager()
        assert await manager.shutdown() == ()
        with pytest.raises(TaskRefused):
            manager.create_task(value())

    async def test_ten_thousand_tasks(self) -> None:
        """A large number of tasks ends as one does."""
        manager = UnifiedTaskManager(max_tasks=10_000)
        many = in_a_storm(10_000)
        for _ in range(many):
            manager.create_task(forever())
        await turns()
        assert await manager.shutdown(20.0) == ()
        assert manager.get_task_stats()["completed"] == many

    def test_a_deep_chain_of_spawners(self, manager: UnifiedTaskManager) -> None:
        """Two thousand generations are ended without recursion."""

        async def link(depth: int) -> None:
            if depth:
                manager.create_task(link(depth - 1))
            await forever()

        async def main() -> None:
            manager.max_tasks = 5_000
            manager.create_task(link(2_000))
            await until(lambda: manager.active_task_count == 2_001)
            assert await manager.shutdown(20.0) == ()

        asyncio.run(main())


class Doomed:
    """Fires a coroutine when it is thrown away."""

    def __init__(self, manager: UnifiedTaskManager, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._manager = manager
        self._coroutine = coroutine

    def __del__(self) -> None:
        self._manager.fire_and_forget(self._coroutine, "from a finaliser")


class TestAnyThreadAnyLoop:
    async def test_from_threads(self, manager: UnifiedTaskManager, failures: Failures) -> None:
        """`fire_and_forget` from many threads runs everything on the loop."""
        ran: list[int] = []

        async def job(number: int) -> None:
            assert threading.current_thread() is threading.main_thread()
            ran.append(number)

        manager.fire_and_forget(value())
        threads = [
            threading.Thread(target=lambda n=n: [manager.fire_and_forget(job(100 * n + i)) for i in range(100)])
            for n in range(5)
        ]
        for thread in threads:
            thread.start()
        await until(lambda: len(ran) == 500)
        for thread in threads:
            thread.join()
        assert sorted(ran) == list(range(500))
        assert failures == []

    async def test_from_a_thread_before_any_task_was_started(self) -> None:
        """A manager that was built, or asked for, on the loop is known to belong to it."""
        ran = []

        async def job() -> None:
            ran.append(True)

        await asyncio.to_thread(UnifiedTaskManager().fire_and_forget, job())
        get_task_manager()
        await asyncio.to_thread(lambda: get_task_manager().fire_and_forget(job()))
        initialize_task_manager()
        await asyncio.to_thread(lambda: get_task_manager().fire_and_forget(job()))
        await until(lambda: len(ran) == 3)

    def test_a_manager_made_before_the_loop_serves_threads_once_it_is_used(self, failures: Failures) -> None:
        """The accessor called on the loop is enough to bind a manager built before it."""
        ran = []

        async def job() -> None:
            ran.append(True)

        initialize_task_manager().set_error_handler(failures)

        async def main() -> None:
            get_task_manager()
            await asyncio.to_thread(lambda: get_task_manager().fire_and_forget(job()))
            await until(lambda: ran)

        asyncio.run(main())
        assert failures == []

    async def test_a_failure_in_a_task_from_a_thread(self, manager: UnifiedTaskManager, failures: Failures) -> None:
        """It is reported as any other."""
        manager.fire_and_forget(value())
        await asyncio.to_thread(manager.fire_and_forget, fail(), "from a thread")
        await until(lambda: failures)
        assert [context for _, context in failures] == ["from a thread"]

    async def test_create_task_from_a_thread_is_refused(self, manager: UnifiedTaskManager) -> None:
        """Only `fire_and_forget` crosses threads."""
        manager.fire_and_forget(value())
        probe = Probe()
        with pytest.raises(TaskRefused):
            await asyncio.to_thread(manager.create_task, probe.coroutine)
        assert probe.closed

    async def test_a_task_from_a_thread_sees_the_context_of_the_loop(self, manager: UnifiedTaskManager) -> None:
        """A bare thread has no context; what it starts on the loop sees the loop's, where the application is."""
        variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="none")
        seen = []

        async def look() -> None:
            seen.append(variable.get())

        variable.set("the application")
        manager.fire_and_forget(value())
        thread = threading.Thread(target=lambda: manager.fire_and_forget(look()))
        thread.start()
        await until(lambda: seen)
        thread.join()
        manager.set_error_handler(lambda exception, context: seen.append(variable.get()))
        manager.fire_and_forget(fail())
        await until(lambda: len(seen) == 2)
        assert seen == ["the application"] * 2

    async def test_from_a_signal_handler_while_the_loop_sleeps(self, manager: UnifiedTaskManager) -> None:
        """A signal that arrives while the loop waits for events starts its task at once."""
        ran = asyncio.Event()

        async def job() -> None:
            ran.set()

        manager.fire_and_forget(value())
        await turns()
        before = signal.signal(signal.SIGALRM, lambda number, frame: manager.fire_and_forget(job(), "alarm"))
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.02)
            async with asyncio.timeout(5):
                await ran.wait()
        finally:
            signal.signal(signal.SIGALRM, before)

    async def test_many_from_one_callback_wake_the_loop_once(
        self, manager: UnifiedTaskManager, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What a key starts costs the loop one wake-up, however much it is, and the next key's another."""
        loop = asyncio.get_running_loop()
        wake_ups: list[object] = []
        call_soon_threadsafe = loop.call_soon_threadsafe

        def counted(callback: Callable[..., object], *args: Any, **options: Any) -> asyncio.Handle:
            wake_ups.append(callback)
            return call_soon_threadsafe(callback, *args, **options)

        monkeypatch.setattr(loop, "call_soon_threadsafe", counted)
        ran: list[int] = []

        async def job(number: int) -> None:
            ran.append(number)

        def key() -> None:
            for number in range(50):
                manager.fire_and_forget(job(number), "job")

        for pressed in (1, 2):
            loop.call_soon(key)
            await turns()
            assert (len(ran), len(wake_ups)) == (50 * pressed, pressed)

    async def test_signals_during_a_storm_of_tasks(self, failures: Failures) -> None:
        """Signal handlers may interrupt the manager anywhere."""
        manager = UnifiedTaskManager(max_tasks=100_000)
        manager.set_error_handler(failures)
        fired = ran = 0

        async def job() -> None:
            nonlocal ran
            ran += 1

        def on_alarm(number: int, frame: object) -> None:
            nonlocal fired
            fired += 1
            manager.fire_and_forget(job())
            # Armed again only now: a repeating timer would interrupt the handler itself, deeper and deeper.
            signal.setitimer(signal.ITIMER_REAL, 0.0005)

        before = signal.signal(signal.SIGALRM, on_alarm)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.0005)
            for _ in range(200):
                async with manager.scope("burst") as scope:
                    for _ in range(20):
                        scope.create_task(value())
                    scope.tasks()
                    await turns(1)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        await until(lambda: ran == fired)
        assert fired > 10
        assert failures == []

    async def test_from_a_finaliser(self, manager: UnifiedTaskManager) -> None:
        """`__del__` may start a task, on the loop or in a thread."""
        ran = []

        async def job() -> None:
            ran.append(True)

        manager.fire_and_forget(value())
        Doomed(manager, job())
        doomed = [Doomed(manager, job())]
        await asyncio.to_thread(doomed.clear)
        await until(lambda: len(ran) == 2)

    def test_after_the_loop_died(self, manager: UnifiedTaskManager, failures: Failures) -> None:
        """Coroutines for a dead loop are closed and recorded."""
        asyncio.run(self._use(manager))
        probes = Probe(), Probe()
        manager.fire_and_forget(probes[0].coroutine, "orphan")
        thread = threading.Thread(target=manager.fire_and_forget, args=(probes[1].coroutine, "orphan"))
        thread.start()
        thread.join()
        assert all(probe.closed for probe in probes)
        assert [context for _, context in failures] == ["orphan", "orphan"]

    def test_handed_over_to_a_loop_that_ends_first(self, manager: UnifiedTaskManager, failures: Failures) -> None:
        """A coroutine on its way to a loop is closed if the loop ends before it arrives."""
        loop = asyncio.new_event_loop()
        probe = Probe()

        def hand_over() -> None:
            loop.stop()
            thread = threading.Thread(target=manager.fire_and_forget, args=(probe.coroutine, "lost"))
            thread.start()
            thread.join()

        loop.run_until_complete(self._use(manager))
        loop.call_soon(hand_over)
        loop.run_forever()
        loop.close()
        gc.collect()
        assert probe.closed
        assert not probe.ran
        assert [context for _, context in failures] == ["lost"]

    async def _use(self, manager: UnifiedTaskManager) -> None:
        await manager.create_task(value())

    def test_two_loops_in_two_threads(self, manager: UnifiedTaskManager) -> None:
        """While a failure of one loop is told, the tasks of another end as they always do."""
        telling, told = threading.Event(), threading.Event()

        def tell(exception: BaseException, context: str) -> None:
            telling.set()
            assert told.wait(10)

        manager.set_error_handler(tell)

        async def fails() -> None:
            manager.fire_and_forget(fail(), "of the first loop")
            await turns()

        async def goes_on() -> None:
            manager.fire_and_forget(value(), "of the second loop")
            await manager.exclusive("group", value())
            await turns()

        first = threading.Thread(target=asyncio.run, args=(fails(),))
        first.start()
        assert telling.wait(10)
        asyncio.run(goes_on())
        alive = [task.get_name() for task in manager.tasks()]
        told.set()
        first.join()
        assert alive == []

    def test_two_loops_in_a_row(self, manager: UnifiedTaskManager, failures: Failures) -> None:
        """One manager serves one loop after the other."""
        for _ in range(2):
            asyncio.run(self._use(manager))
        assert manager.get_task_stats()["completed"] == 2
        assert failures == []

    def test_a_loop_that_died_with_tasks_in_it(self, manager: UnifiedTaskManager, failures: Failures) -> None:
        """Tasks of a loop that was closed under them are forgotten in silence, and their coroutines closed."""
        ended = []

        async def left_over() -> None:
            try:
                await forever()
            finally:
                ended.append(True)

        async def main() -> None:
            manager.create_task(left_over())
            manager.exclusive("group", left_over())
            manager.fire_and_forget(fail(), "failing")
            await asyncio.sleep(0)

        loop = asyncio.new_event_loop()
        loop.run_until_complete(main())
        loop.close()
        asyncio.run(self._use(manager))
        assert manager.active_task_count == 0
        assert ended == [True, True]

        async def again() -> None:
            await manager.exclusive("group", value())

        asyncio.run(again())

    def test_a_loop_closed_under_a_shutdown(self, manager: UnifiedTaskManager) -> None:
        """A shutdown that died with its loop does not hold up the next."""
        released: list[asyncio.Event] = []

        async def main() -> None:
            released.append(asyncio.Event())
            manager.fire_and_forget(stubborn(released[0]))
            await turns()
            asyncio.get_running_loop().create_task(manager.shutdown(60.0))
            await turns()

        loop = asyncio.new_event_loop()
        loop.run_until_complete(main())
        released[0].set()
        left = asyncio.all_tasks(loop)
        loop.close()
        for task in left:
            task._log_destroy_pending = False  # type: ignore[attr-defined]

        async def again() -> None:
            began = time.monotonic()
            await manager.shutdown(2.0)
            assert time.monotonic() - began < 1.0

        asyncio.run(again())

    def test_the_accessor_never_hands_out_a_manager_of_a_dead_loop(self, failures: Failures) -> None:
        """Each loop gets a manager that works, with the same error handler."""
        get_task_manager().set_error_handler(failures)
        managers = []

        async def main() -> None:
            managers.append(get_task_manager())
            await get_task_manager().create_task(value())
            get_task_manager().fire_and_forget(fail(), "job")
            await until(lambda: len(failures) == len(managers))

        asyncio.run(main())
        asyncio.run(main())
        assert managers[0] is not managers[1]
        assert get_task_manager() not in managers

    def test_the_accessor_after_a_shutdown_in_an_earlier_loop(self) -> None:
        """A manager that was only shut down does not haunt the next loop."""

        async def first() -> None:
            await get_task_manager().shutdown()

        asyncio.run(first())
        asyncio.run(self._use_accessor())

    def test_shutdown_through_the_accessor(self) -> None:
        """`shutdown_task_manager` ends the program's manager; the next call makes a new one."""

        async def main() -> None:
            old = get_task_manager()
            task = old.create_task(forever())
            await turns()
            assert await shutdown_task_manager() == ()
            assert task.cancelled()
            assert get_task_manager() is not old
            await self._use_accessor()
            await shutdown_task_manager(1.0)
            await shutdown_task_manager(1.0)

        asyncio.run(main())

    async def _use_accessor(self) -> None:
        assert await get_task_manager().create_task(value(1)) == 1

    def test_the_accessor_may_be_interrupted_by_itself(self) -> None:
        """A finaliser that runs inside the accessor may call it."""
        script = """
import gc, threading
from openhcs.tui.utils import unified_task_manager as module
class Doomed:
    def __del__(self):
        module.get_task_manager()
original = module.UnifiedTaskManager.__init__
def init(self, *args):
    original(self, *args)
    doomed.clear()
doomed = [Doomed()]
module.UnifiedTaskManager.__init__ = init
module.get_task_manager()
print("returned")
"""
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=20)
        assert done.stdout == "returned\n", done.stderr

    def test_many_threads_get_one_manager(self) -> None:
        """Asking for the manager from many threads at once makes one."""
        found = []
        barrier = threading.Barrier(8)

        def ask() -> None:
            barrier.wait()
            found.append(get_task_manager())

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(set(map(id, found))) == 1

    def test_the_end_of_the_program_is_silent(self) -> None:
        """Tasks that are alive when the interpreter ends are closed without a word."""
        script = """
import asyncio
from openhcs.tui.utils.unified_task_manager import get_task_manager
async def forever():
    await asyncio.Event().wait()
async def main():
    get_task_manager().create_task(forever())
    get_task_manager().fire_and_forget(forever())
    await asyncio.sleep(0)
loop = asyncio.new_event_loop()
loop.run_until_complete(main())
loop.close()
"""
        env = {**os.environ, "PYTHONWARNINGS": "error", "PYTHONASYNCIODEBUG": "1"}
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=20, env=env)
        assert (done.returncode, done.stderr) == (0, "")
