"""What a task does at one moment: its state, what it waits for, where its code stands.

Everything here only looks, from any thread, also while the event loop is blocked: then the running task's stack is that
of the loop's thread. Which tasks there are is the task manager's knowledge (`UnifiedTaskManager.snapshot`).
Checked by tests/tui/utils/test_task_snapshot.py.

Standard library only; anybody may import this.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
import sys
import weakref
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from time import monotonic
from types import FrameType
from typing import Any, NamedTuple, TypeAlias

__all__ = ["TaskSnapshot", "TaskState", "take_snapshot", "thread_stack"]

AnyTask: TypeAlias = "asyncio.Task[Any]"

_DEPTH_LIMIT = 100
"""How many frames of a stack are looked at; a chain of awaits may be as deep as the recursion limit."""


class TaskState(Enum):
    """How a task stands; a running one that was cancelled is running."""

    RUNNING = "running"
    WAITING = "waiting"
    CANCELLING = "cancelling"


class TaskSnapshot(NamedTuple):
    """One live task at one moment.

    Args:
        task: the task itself, as long as anybody else keeps it.
        scope: the path of the scope that owns it; empty for the manager's own.
        spawned_by: the name of the managed task that started it.
        parent: the position of that task in the same snapshot, None when it has ended.
        cancelled_by: why the manager cancelled it; None where it did not, whoever else may have.
        awaits: what it waits for in words, such as `sleep`, `Event.wait`, `task 'x'`; empty while it runs.
        stack: `file:line in function` of each frame, outermost first, down to what it awaits.
        creator: `file:line in function` of what created it; None where creators are not recorded.
    """

    task: weakref.ref[AnyTask]
    name: str
    scope: str
    age_s: float
    state: TaskState
    spawned_by: str | None
    parent: int | None
    cancelled_by: str | None
    awaits: str
    stack: tuple[str, ...]
    creator: str | None = None

    def __str__(self) -> str:
        where = self.stack[-1] if self.stack else "nowhere in Python code"
        created = f", created at {self.creator}" if self.creator is not None else ""
        return f"{self.name!r}, {self.age_s:.1f} s old, at {where}{created}"


def take_snapshot(
    born_s: Mapping[AnyTask, float],
    *,
    spawner_of: Callable[[AnyTask], AnyTask | None],
    scope_of: Callable[[AnyTask], str],
    cancelled_by: Callable[[AnyTask], str | None],
    creator_of: Callable[[AnyTask], str | None],
    running: AnyTask | None,
    loop_thread: int,
) -> tuple[TaskSnapshot, ...]:
    """Those tasks of `born_s` that have not ended, in its order; `running` is the one that runs now, in `loop_thread`.

    `born_s` maps each task to the monotonic time at which it was started.
    """
    alive = [task for task in born_s if not task.done()]
    position = {task: i for i, task in enumerate(alive)}
    now = monotonic()
    snapshots = []
    for task in alive:
        runs, spawner = task is running, spawner_of(task)
        waits = TaskState.CANCELLING if task.cancelling() else TaskState.WAITING
        snapshots.append(
            TaskSnapshot(
                task=weakref.ref(task),
                name=task.get_name(),
                scope=scope_of(task),
                age_s=now - born_s[task],
                state=TaskState.RUNNING if runs else waits,
                spawned_by=spawner.get_name() if spawner is not None else None,
                parent=position.get(spawner) if spawner is not None else None,
                cancelled_by=cancelled_by(task),
                awaits="" if runs else _awaited_by(task),
                stack=_running_stack(task, loop_thread) if runs else _suspended_stack(task),
                creator=creator_of(task),
            )
        )
    return tuple(snapshots)


def thread_stack(thread: int) -> tuple[str, ...]:
    """`file:line in function` of each frame of a thread, outermost first; `thread` is its ident."""
    return tuple(_place(frame) for frame in _thread_frames(thread))


def _running_stack(task: AnyTask, thread: int) -> tuple[str, ...]:
    first = getattr(task.get_coro(), "cr_frame", None)
    frames = _thread_frames(thread)
    if first in frames:
        return tuple(_place(frame) for frame in frames[frames.index(first) :])
    # It has stopped running since it was looked at.
    return _suspended_stack(task)


def _suspended_stack(task: AnyTask) -> tuple[str, ...]:
    return tuple(_place(frame) for frame in _suspended_frames(task))


def _awaited_by(task: AnyTask) -> str:
    """What a suspended task waits for, in words."""
    call = ""
    for frame in _suspended_frames(task):
        if not frame.f_globals.get("__name__", "").startswith("asyncio."):
            call = ""
        elif not call or not frame.f_code.co_name.startswith("_"):
            call = frame.f_code.co_qualname
    if call:
        return call
    future = getattr(task, "_fut_waiter", None)
    if future is None:
        return "its next turn" if getattr(task.get_coro(), "cr_suspended", True) else "its first turn"
    if isinstance(future, asyncio.Task):
        return f"task {future.get_name()!r}"
    gathered = getattr(future, "_children", None)
    return f"gather of {len(gathered)}" if gathered is not None else type(future).__name__


def _suspended_frames(task: AnyTask) -> Iterator[FrameType]:
    awaited: Any = task.get_coro()
    for _ in range(_DEPTH_LIMIT):
        frame = _attribute(awaited, "frame")
        if frame is not None:
            yield frame
            awaited = _attribute(awaited, "await") or getattr(awaited, "gi_yieldfrom", None)
        else:
            # The step of an asynchronous generator and the iterator of a coroutine tell only the collector whose
            # they are.
            inside = gc.get_referents(awaited)
            awaited = next((thing for thing in inside if inspect.isasyncgen(thing) or inspect.iscoroutine(thing)), None)
        if awaited is None:
            return


def _attribute(awaited: object, name: str) -> Any:
    for kind in ("cr", "gi", "ag"):
        found = getattr(awaited, f"{kind}_{name}", None)
        if found is not None:
            return found
    return None


def _thread_frames(thread: int) -> list[FrameType]:
    frames = []
    frame = sys._current_frames().get(thread)
    while frame is not None:
        frames.append(frame)
        frame = frame.f_back
    frames.reverse()
    return frames


def _place(frame: FrameType) -> str:
    code = frame.f_code
    return f"{code.co_filename}:{frame.f_lineno} in {code.co_name}"
