"""Every task of the program has one owner here.

Guarantees, each with the tests that check it (tests/tui/utils/test_task_manager.py) and with its theorems:

- G1. A coroutine handed over is awaited to its end or closed; a refusal closes it and is recorded with its name.
  `TestOneOwner`; tests/proofs/test_g1_one_owner.py.
- G2 (its part). A failure nobody awaits is reported once; one that its awaiter receives is not. `TestFailures`;
  tests/proofs/test_g2_no_error_lost.py.
- G4. Our cancels are awaited within a bound; a cancellation from outside goes on. `TestCancellation`;
  tests/proofs/test_g4_cancels.py.
- G6. Shutdown returns in time, children before parents and newest first, and names who is late. `TestShutdown`;
  tests/proofs/test_g6_shutdown.py.
- G9 (its part). `fire_and_forget` works from any thread and moment; the accessor never hands out a manager whose loop
  is dead. `TestAnyThreadAnyLoop`; tests/proofs/test_g9_threads_and_loops.py.

What each task does at this moment is told by `snapshot` (tests/tui/utils/test_task_snapshot.py).

Deliberately absent: showing errors (`set_error_handler` takes whoever does), prompt_toolkit, wrapper coroutines: a
managed task runs the caller's coroutine itself, watched by one done-callback.

Standard library only; anybody may import this.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterator, Mapping
from time import monotonic
from typing import Any, NoReturn, TypeVar, cast

from openhcs.tui.utils.forking import in_forked_child, lock_free_in_child
from openhcs.tui.utils.owned_coroutine import OwnedCoroutine, Parcel, close_coroutine, is_under_way
from openhcs.tui.utils.safe_log import log_safely
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.utils.task_creators import TaskCreators, calling_place
from openhcs.tui.utils.task_ending import abandon, spawned_generations, wait_gone, wait_through_cancel
from openhcs.tui.utils.task_failures import UnclaimedFailures, claim_failure
from openhcs.tui.utils.task_snapshot import TaskSnapshot, take_snapshot

__all__ = [
    "Scope",
    "StuckTask",
    "TaskRefused",
    "UnifiedTaskManager",
    "get_task_manager",
    "initialize_task_manager",
    "shutdown_task_manager",
]

logger = logging.getLogger(__name__)

# Bound here: both are looked up for every task.
_running_loop = asyncio._get_running_loop
_current_task = asyncio.current_task

T = TypeVar("T")
AnyCoroutine = Coroutine[Any, Any, Any]
ErrorHandler = Callable[[BaseException, str], object]

_SHUTS_DOWN = "the task manager shuts down"

_SCOPE_EXIT_S = 5.0
"""How long leaving a scope waits for children that ignore their cancellation."""


class TaskRefused(RuntimeError):
    """The manager did not take a coroutine; it is closed. `name` is the name it would have had."""

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self.reason = reason
        super().__init__(name, reason)

    def __str__(self) -> str:
        return f"task {self.name!r} refused: {self.reason}"


class StuckTask(RuntimeError):
    """Tasks outlived the time given to end them; `stragglers` tells which."""

    def __init__(self, message: str, stragglers: tuple[TaskSnapshot, ...]) -> None:
        self.stragglers = stragglers
        super().__init__("\n".join([message, *(f"  {straggler}" for straggler in stragglers)]))

    def __reduce__(self) -> tuple[type[StuckTask], tuple[str, tuple[TaskSnapshot, ...]]]:
        # What is told of them travels to another process; the tasks do not.
        return StuckTask, (str(self), ())


class Scope:
    """A group of tasks with one life: leaving the scope cancels and awaits those still running."""

    def __init__(self, manager: UnifiedTaskManager, name: str, parent: Scope | None) -> None:
        self.name = name
        self.parent = parent
        self._manager = manager
        self._closed = False

    @property
    def path(self) -> str:
        """The names of the scopes around this one and its own, outermost first."""
        return f"{self.parent.path} / {self.name}" if self.parent else self.name

    def create_task(
        self, coro: Coroutine[Any, Any, T], name: str | None = None, *, awaited: bool = True
    ) -> asyncio.Task[T]:
        """As `UnifiedTaskManager.create_task`, owned by this scope."""
        if self._was_left():
            self._manager._refuse(coro, name, f"scope {self.path!r} is closed")
        task = self._manager.create_task(coro, name, awaited=awaited)
        self._manager._scope_of[task] = self
        return task

    def fire_and_forget(self, coro: AnyCoroutine, name: str | None = None) -> None:
        """As `UnifiedTaskManager.fire_and_forget`, owned by this scope; call it from the scope's own loop."""
        try:
            self.create_task(coro, name, awaited=False)
        except (TaskRefused, TypeError) as refusal:
            self._manager.report(refusal, _name_of(coro, name))

    def _was_left(self) -> bool:
        return self._closed or (self.parent is not None and self.parent._was_left())

    def tasks(self) -> list[asyncio.Task[Any]]:
        """The live tasks of this scope and of the scopes within it, oldest first."""
        members = []
        for task, scope in list(self._manager._scope_of.items()):
            inside: Scope | None = scope
            while inside is not None and inside is not self:
                inside = inside.parent
            if inside is self:
                members.append(task)
        return members


class UnifiedTaskManager:
    """Owns tasks on the running loop; see the module for what it guarantees.

    `max_tasks` bounds the tasks alive at once: the next one is refused. Building a manager needs no loop.
    """

    def __init__(self, max_tasks: int = 1000) -> None:
        self.max_tasks = max_tasks
        self._error_handler: ErrorHandler | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._loop_thread = 0
        self._born_s: dict[asyncio.Task[Any], float] = {}
        self._spawner: dict[asyncio.Task[Any], asyncio.Task[Any]] = {}
        self._scope_of: dict[asyncio.Task[Any], Scope] = {}
        self._cancelled_by: dict[asyncio.Task[Any], str] = {}
        self._creators: TaskCreators | None = None
        self._unclaimed = UnclaimedFailures(self.report)
        self._exclusive: dict[str, tuple[asyncio.Task[Any], ...]] = {}
        self._waking: asyncio.AbstractEventLoop | None = None
        self._total = 0
        self._failed = 0
        self._refused = 0
        self._closing = False
        self._shutdown: asyncio.Future[tuple[TaskSnapshot, ...]] | None = None
        # One bound method for all tasks, in one context: a method object and a context copy for each task would cost
        # more than everything else the manager does. The context is the one in which the loop was first seen, so what
        # failures and threads start finds the application there.
        self._on_done = self._done
        self._on_forgotten_done = self._forgotten_done
        self._context = contextvars.Context()
        weakref.finalize(self, abandon, self._born_s, self._unclaimed.tasks, _log_failure)
        self._use_running_loop()

    # -- starting tasks ------------------------------------------------------------------------------------------

    def create_task(
        self, coro: Coroutine[Any, Any, T], name: str | None = None, *, awaited: bool = True
    ) -> asyncio.Task[T]:
        """Start `coro` on the running loop and own it; without a name it is called as its function.

        The caller may await the task and then gets its failure; a failure that nobody claims is reported. With
        `awaited=False` nobody is going to, and it is reported at once.
        Raises TaskRefused (limit, shutting down, no running loop here) or TypeError (not a coroutine).
        """
        born_s = self._born_s
        loop, context = _running_loop(), self._context
        if loop is None or loop is not self._loop or self._closing or len(born_s) >= self.max_tasks:
            loop = self._admit(loop, coro, name)
            context = self._context_on(loop)
        try:
            task: asyncio.Task[T] = loop.create_task(coro, name=name or getattr(coro, "__qualname__", None))
        except RuntimeError as error:
            self._refuse(coro, name, str(error))
        except Exception:
            # asyncio says TypeError, or what the object's `__repr__` raises into its message.
            self._refuse_type(coro, name)
        except BaseException:
            close_coroutine(coro)
            raise
        spawner = _current_task(loop)
        if spawner in born_s:
            self._spawner[task] = spawner
        born_s[task] = monotonic()
        if self._creators is not None:
            self._creators.note(task)
        self._total += 1
        task.add_done_callback(self._on_done if awaited else self._on_forgotten_done, context=context)
        return task

    def fire_and_forget(self, coro: AnyCoroutine, name: str | None = None) -> None:
        """Run `coro` to its end for its effect; its failure or refusal is reported, never raised.

        May be called from any thread, signal handler or finaliser; away from the loop the coroutine is handed over.
        """
        loop = _running_loop()
        try:
            if loop is None:
                self._hand_over(coro, name)
            else:
                self.create_task(coro, name, awaited=False)
                if self._waking is not loop and _current_task(loop) is None:
                    # A signal handler may run while the loop sleeps in its selector: make it look at its queue.
                    self._waking = loop
                    loop.call_soon_threadsafe(self._woken)
        except Exception as refusal:
            # Besides our own: what an object that is no coroutine raises when it is asked.
            self.report(refusal, _name_of(coro, name))

    def offer(self, work: Callable[[], AnyCoroutine], name: str) -> None:
        """Run `work()` as `fire_and_forget` would if a task can be had; drop `work`, and tell nobody, if not.

        For work that is about refusals and failures itself, and must not cause more of them.
        """
        self._use_running_loop()
        here, loop = _running_loop(), self._loop
        if self._closing:
            return
        if here is not None and here is loop:
            if len(self._born_s) < self.max_tasks:
                self.fire_and_forget(work(), name)
        elif loop is not None and loop.is_running():
            with contextlib.suppress(RuntimeError):  # the loop has ended since
                loop.call_soon_threadsafe(self.offer, work, name, context=self._context)

    def exclusive(self, group: str, coro: Coroutine[Any, Any, T], name: str | None = None) -> asyncio.Task[T]:
        """Start `coro` in place of the tasks of `group`, which are cancelled and end their clean-up first."""
        if not asyncio.iscoroutine(cast(object, coro)):
            self._refuse_type(coro, name or group)
        # All that have not ended: one cancelled before its first step does not wait for those before it.
        previous = tuple(task for task in self._exclusive.get(group, ()) if not task.done())

        async def after_previous(inner: Coroutine[Any, Any, T]) -> T:
            if previous:
                await asyncio.wait(previous)
            return await inner

        task = self.create_task(OwnedCoroutine(after_previous, coro), name or group)
        for replaced in previous:
            self.cancel(replaced, f"replaced in group {group!r}")
        self._exclusive[group] = (*previous, task)
        context = self._context_on(task.get_loop())
        task.add_done_callback(lambda done: self._leave_group(group, done), context=context)
        return task

    @contextlib.asynccontextmanager
    async def scope(self, name: str, parent: Scope | None = None) -> AsyncIterator[Scope]:
        """`async with manager.scope("plate A") as scope`: leaving it cancels and awaits its tasks, newest first."""
        scope = Scope(self, name, parent)
        try:
            yield scope
        finally:
            scope._closed = True
            here = asyncio.current_task()
            members = [task for task in scope.tasks() if task is not here]
            for task in reversed(members):
                self.cancel(task, f"scope {scope.path!r} was left")
            late = await wait_through_cancel(members, _SCOPE_EXIT_S) if members else ()
            if late:
                self._report_late(f"scope {scope.path!r} was left but tasks in it go on", late)

    # -- what is there -------------------------------------------------------------------------------------------

    @property
    def active_task_count(self) -> int:
        """Tasks alive now."""
        return len(self._born_s)

    @property
    def total_task_count(self) -> int:
        """Tasks ever started."""
        return self._total

    @property
    def completed_task_count(self) -> int:
        """Tasks that ended, whichever way."""
        return self._total - len(self._born_s)

    @property
    def is_shut_down(self) -> bool:
        """Whether this manager refuses new tasks because it is shutting down or has been."""
        return self._closing

    def get_task_stats(self) -> Mapping[str, int]:
        """The counters by name: active, total, completed, failed, refused, and the limit."""
        return {
            "active": self.active_task_count,
            "total": self.total_task_count,
            "completed": self.completed_task_count,
            "failed": self._failed,
            "refused": self._refused,
            "max": self.max_tasks,
        }

    def tasks(self) -> tuple[asyncio.Task[Any], ...]:
        """The live tasks, oldest first."""
        return tuple(self._born_s)

    def snapshot(self) -> tuple[TaskSnapshot, ...]:
        """Every live task as it stands, oldest first; from any thread, also while the loop is blocked."""
        loop = self._loop
        return take_snapshot(
            self._born_s.copy(),  # in one step: seen from another thread, it changes at any moment
            spawner_of=self._spawner.get,
            scope_of=lambda task: scope.path if (scope := self._scope_of.get(task)) is not None else "",
            cancelled_by=self._why_cancelled,
            creator_of=self._creators.of if self._creators is not None else lambda task: None,
            running=asyncio.current_task(loop) if loop is not None else None,
            loop_thread=self._loop_thread,
        )

    @contextlib.contextmanager
    def creators_recorded(self) -> Iterator[None]:
        """Let `snapshot` say of each task started within the block which line created it; it makes tasks dearer."""
        before, self._creators = self._creators, TaskCreators()
        try:
            yield
        finally:
            self._creators = before

    def _why_cancelled(self, task: asyncio.Task[Any]) -> str | None:
        why = self._cancelled_by.get(task)
        return _SHUTS_DOWN if why is None and self._closing and task.cancelling() else why

    def set_error_handler(self, callback: ErrorHandler | None) -> None:
        """Let `callback(exception, context)` have every unclaimed failure; None writes them to the log."""
        self._error_handler = callback

    # -- ending --------------------------------------------------------------------------------------------------

    def cancel(self, task: asyncio.Task[Any], reason: str) -> None:
        """Cancel `task`, from any thread, and let `snapshot` say why; one that has ended or is not ours is let be."""
        loop = task.get_loop()
        if loop is _running_loop():
            # Cancelling one that has just failed would make asyncio forget the failure.
            if task in self._born_s and not task.done():
                self._cancelled_by[task] = reason
                task.cancel(reason)
        elif not loop.is_closed():
            with contextlib.suppress(RuntimeError):  # the loop was closed since
                loop.call_soon_threadsafe(self.cancel, task, reason)

    async def shutdown(self, timeout: float = 5.0) -> tuple[TaskSnapshot, ...]:
        """Refuse new tasks, end all tasks within `timeout` seconds, and return those that would not end.

        Tasks that were spawned by tasks are cancelled and awaited before their spawners, newest first. The calling task
        is left alone. Calls that come while one is under way wait for the same end; later calls return at once.
        """
        self._closing = True
        self._use_running_loop()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        if self._shutdown is None or (self._shutdown.done() and self._born_s):
            ended = self._shutdown = loop.create_future()
            try:
                late = await self._end_all(timeout)
            except BaseException:
                # Whoever else waits goes on with the work that this caller had to leave.
                if self._shutdown is ended:
                    self._shutdown = None
                if not loop.is_closed():
                    ended.set_result(())
                raise
            ended.set_result(late)
            return late
        waited_for = self._shutdown
        if not waited_for.done():
            await asyncio.wait((waited_for,), timeout=timeout)
        if self._shutdown is not waited_for:
            return await self.shutdown(max(0.0, deadline - loop.time()))
        return waited_for.result() if waited_for.done() else self._stragglers(self._born_s)

    async def _end_all(self, timeout: float) -> tuple[TaskSnapshot, ...]:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        here = asyncio.current_task()
        generations = spawned_generations([task for task in self._born_s if task is not here], self._spawner)
        cleaning_up: list[asyncio.Task[Any]] = []
        while generations:
            generation = generations.pop()
            for task in reversed(generation):
                if task.done():
                    # Cancelling one that has just failed would make asyncio forget the failure.
                    continue
                if task.cancelling():
                    # A second cancellation would cut its clean-up short; it comes only if the first is ignored.
                    cleaning_up.append(task)
                elif task.get_loop() is loop:
                    # Without a reason, which would cost more than all the rest; `snapshot` knows it.
                    task.cancel()
                else:
                    self.cancel(task, _SHUTS_DOWN)
            # Each generation gets an equal share of what is left, so that a stubborn child cannot keep its
            # spawner from being cancelled in time.
            share = max(0.0, deadline - loop.time()) / (len(generations) + 1 + bool(cleaning_up))
            await wait_gone(generation, self._born_s, share)
        for task in cleaning_up:
            if task in self._born_s:
                self.cancel(task, _SHUTS_DOWN)
        others = [task for task in self._born_s if task is not here]
        await wait_gone(others, self._born_s, deadline - loop.time())
        self._unclaimed.report_all()
        late = [task for task in self._born_s if task is not here]
        if late:
            self._report_late(f"tasks went on for {timeout:g} s after being cancelled: {len(late)}", late)
        return self._stragglers(late)

    def _stragglers(self, tasks: Collection[asyncio.Task[Any]]) -> tuple[TaskSnapshot, ...]:
        if not tasks:
            return ()
        late = set(tasks) - {asyncio.current_task()}
        return tuple(snapshot for snapshot in self.snapshot() if snapshot.task() in late)

    def _report_late(self, message: str, tasks: Collection[asyncio.Task[Any]]) -> None:
        self.report(StuckTask(message, self._stragglers(tasks)), "ending tasks")

    # -- the life of one task ------------------------------------------------------------------------------------

    def _admit(
        self, loop: asyncio.AbstractEventLoop | None, coro: object, name: str | None
    ) -> asyncio.AbstractEventLoop:
        """Let a task in where something is not as it was for the last one, or refuse it."""
        if loop is None:
            self._refuse(coro, name, "no event loop runs in this thread; fire_and_forget works from any thread")
        self._use_running_loop()
        if self._closing:
            self._refuse(coro, name, "the task manager is shut down")
        if len(self._born_s) >= self.max_tasks:
            self._refuse(coro, name, f"{self.max_tasks} tasks are alive, which is the limit")
        return loop

    def _context_on(self, loop: asyncio.AbstractEventLoop) -> contextvars.Context:
        """The context for callbacks on `loop`; one for itself where it is not ours: two threads cannot share one."""
        return self._context if loop is self._loop else contextvars.copy_context()

    def _use_running_loop(self) -> None:
        """Belong to the loop that runs here, if one does; what is left of a dead one is closed and told.

        Not while its own goes on in another thread: that thread's tasks, and what is handed over, belong there.
        """
        loop = _running_loop()
        if loop is None or loop is self._loop or (self._loop is not None and self._loop.is_running()):
            return
        if self._loop is not None and self._loop.is_closed():
            abandon(self._born_s, self._unclaimed.tasks, self.report)
            self._spawner.clear()
            self._scope_of.clear()
            self._cancelled_by.clear()
            self._exclusive.clear()
            self._shutdown = None
        self._loop = loop
        self._loop_thread = threading.get_ident()
        self._context = contextvars.copy_context()

    def _hand_over(self, coro: AnyCoroutine, name: str | None) -> None:
        loop = self._loop
        if not asyncio.iscoroutine(cast(object, coro)):
            self._refuse_type(coro, name)
        if loop is None or loop.is_closed() or not loop.is_running():
            self._refuse(coro, name, "no event loop runs that could take it")
        parcel = Parcel(coro, lambda lost: self._report_lost(lost, name))
        creators = self._creators
        asked_at = calling_place() if creators is not None else None

        def unpack() -> None:
            if creators is None:
                self.fire_and_forget(parcel.take(), name)
                return
            creators.handed_over_at = asked_at
            try:
                self.fire_and_forget(parcel.take(), name)
            finally:
                creators.handed_over_at = None

        try:
            loop.call_soon_threadsafe(unpack, context=self._context)
        except RuntimeError as error:
            self._refuse(parcel.take(), name, str(error))

    def _woken(self) -> None:
        self._waking = None

    def _report_lost(self, coro: AnyCoroutine, name: str | None) -> None:
        try:
            self._refuse(coro, name, "the event loop ended before it could take it")
        except TaskRefused as refusal:
            self.report(refusal, refusal.name)

    def _done(self, task: asyncio.Task[Any]) -> None:
        del self._born_s[task]
        if self._spawner or self._scope_of or self._cancelled_by:
            self._forget_relations(task)
        # Reading `exception()` would count as claiming it.
        if task._exception is not None:
            self._failed += 1
            if isinstance(task._exception, Exception):
                self._unclaimed.watch(task, self._born_s)
            else:
                # An exit goes up through the loop: nobody will be there to claim it.
                self.report(claim_failure(task), task.get_name())

    def _forgotten_done(self, task: asyncio.Task[Any]) -> None:
        del self._born_s[task]
        if self._spawner or self._scope_of or self._cancelled_by:
            self._forget_relations(task)
        if task._exception is not None:
            self._failed += 1
            self.report(claim_failure(task), task.get_name())

    def _forget_relations(self, task: asyncio.Task[Any]) -> None:
        self._spawner.pop(task, None)
        self._scope_of.pop(task, None)
        self._cancelled_by.pop(task, None)

    def report(self, exception: BaseException, context: str) -> None:
        """Give `exception` to the error handler, or to the log where there is none; never raises."""
        handler = self._error_handler
        if handler is None:
            _log_failure(exception, context)
            return
        try:
            handler(exception, context)
        except (Exception, asyncio.CancelledError) as second:
            _log_failure(second, f"the error handler, called for {context},")
            _log_failure(exception, context)

    def _leave_group(self, group: str, task: asyncio.Task[Any]) -> None:
        rest = tuple(member for member in self._exclusive.get(group, ()) if member is not task)
        if rest:
            self._exclusive[group] = rest
        else:
            self._exclusive.pop(group, None)

    # -- refusing ------------------------------------------------------------------------------------------------

    def _refuse(self, coro: object, name: str | None, reason: str) -> NoReturn:
        self._count_refusal(coro, name, reason)
        raise TaskRefused(_name_of(coro, name), reason)

    def _refuse_type(self, coro: object, name: str | None) -> NoReturn:
        self._count_refusal(coro, name, "it is not a coroutine")
        raise TypeError(f"task {_name_of(coro, name)!r} refused: {type(coro).__name__}; expected a coroutine")

    def _count_refusal(self, coro: object, name: str | None, reason: str) -> None:
        self._refused += 1
        if not is_under_way(coro):
            close_coroutine(coro)
        name, reason = visible(_name_of(coro, name), 200), visible(reason, 500)
        log_safely(logger, logging.WARNING, "task %r refused: %s", name, reason)


def _log_failure(exception: BaseException, context: str) -> None:
    log_safely(logger, logging.ERROR, "%s failed", visible(context, 200), exc_info=exception)


def _name_of(coro: object, name: str | None) -> str:
    try:
        return name or str(getattr(coro, "__qualname__", type(coro).__name__))
    except Exception:  # what is no coroutine may raise when it is asked
        return type(coro).__name__


# -- the one for the whole program -------------------------------------------------------------------------------

_global_task_manager: UnifiedTaskManager | None = None
# Re-entrant: a finaliser or a signal handler may ask while this thread is in here.
_global_lock = lock_free_in_child()


def get_task_manager() -> UnifiedTaskManager:
    """The program's task manager; a new one where the old one's loop is dead."""
    global _global_task_manager
    with _global_lock:
        manager = _global_task_manager
        if manager is None or (manager._loop is not None and manager._loop.is_closed()):
            old, manager = manager, UnifiedTaskManager()
            _global_task_manager = manager
            if old is not None:
                manager.set_error_handler(old._error_handler)
                abandon(old._born_s, old._unclaimed.tasks, old.report)
        manager._use_running_loop()
        return manager


def initialize_task_manager(manager: UnifiedTaskManager | None = None) -> UnifiedTaskManager:
    """Make `manager`, or a new one, the program's task manager; it belongs to the loop that runs here, if one does."""
    global _global_task_manager
    with _global_lock:
        _global_task_manager = manager if manager is not None else UnifiedTaskManager()
        _global_task_manager._use_running_loop()
        return _global_task_manager


def _leave_to_parent() -> None:
    """In a forked child: the manager and its loop are the parent's, and what their tasks hold is kept, not ended."""
    global _global_task_manager, _of_the_parent
    _of_the_parent, _global_task_manager = _global_task_manager, None
    if _of_the_parent is not None:
        _global_task_manager = UnifiedTaskManager()
        _global_task_manager.set_error_handler(_of_the_parent._error_handler)


_of_the_parent: UnifiedTaskManager | None = None
in_forked_child(_leave_to_parent)


async def shutdown_task_manager(timeout: float = 5.0) -> tuple[TaskSnapshot, ...]:
    """Shut the program's task manager down and forget it; the next `get_task_manager` makes a new one."""
    global _global_task_manager
    manager = _global_task_manager
    if manager is None:
        return ()
    # Forgotten last: what its tasks spawn as they end must meet it, and not start a new one that nobody shuts down.
    late = await manager.shutdown(timeout)
    with _global_lock:
        if _global_task_manager is manager:
            _global_task_manager = None
    return late
