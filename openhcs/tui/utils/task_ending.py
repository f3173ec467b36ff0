"""How tasks come to their end: in which order they are cancelled, how long one waits, what becomes of a dead loop's.

Part of the task manager, which decides when; checked by its tests (tests/tui/utils/test_task_manager.py,
`TestShutdown`, `TestAnyThreadAnyLoop`). Standard library only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Container, Iterable, Mapping
from typing import Any, TypeAlias, cast

from openhcs.tui.utils.owned_coroutine import close_coroutine

__all__ = ["abandon", "is_being_cancelled", "spawned_generations", "wait_gone", "wait_through_cancel"]

AnyTask: TypeAlias = "asyncio.Task[Any]"

_FOREIGN_LOOK_S = 0.01
"""How often a task of another loop is looked at: nothing of that loop may be touched from here."""


def is_being_cancelled() -> bool:
    """Whether a CancelledError here is of the running task's own; else something that it awaited was cancelled."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def spawned_generations(tasks: Iterable[AnyTask], spawner: Mapping[AnyTask, AnyTask]) -> list[list[AnyTask]]:
    """`tasks` by how many spawners stand above them, those with none first; each list in the order given."""
    if not spawner:
        return [list(tasks)]
    depths: dict[AnyTask, int] = {}

    def depth(task: AnyTask) -> int:
        chain = []
        while task not in depths and task in spawner:
            chain.append(task)
            task = spawner[task]
        found = depths.setdefault(task, 0)
        for child in reversed(chain):
            found += 1
            depths[child] = found
        return found

    generations: list[list[AnyTask]] = []
    for task in tasks:
        level = depth(task)
        while len(generations) <= level:
            generations.append([])
        generations[level].append(task)
    return [generation for generation in generations if generation]


async def wait_gone(tasks: Iterable[AnyTask], alive: Container[AnyTask], timeout: float) -> None:
    """Wait until none of `tasks` is in `alive`, from which each takes itself when it is done, or `timeout` s are over.

    Given oldest first and cancelled newest first, all have gone when the first has: then one wait does for them all.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    for task in tasks:
        while task in alive:
            left = deadline - loop.time()
            if left <= 0:
                return
            if task.get_loop() is loop:
                await asyncio.wait((task,), timeout=left)
            else:
                await asyncio.sleep(min(left, _FOREIGN_LOOK_S))


async def wait_through_cancel(tasks: Collection[AnyTask], timeout: float) -> Collection[AnyTask]:
    """Wait for `tasks`, at most `timeout` seconds; a first cancellation waits with us, a second ends the wait.

    Returns the tasks that are not done; a cancellation is raised again once the wait is over.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    try:
        return (await asyncio.wait(tasks, timeout=timeout))[1]
    except asyncio.CancelledError:
        await asyncio.wait(tasks, timeout=max(0.0, deadline - loop.time()))
        raise


def abandon(
    born_s: dict[AnyTask, float], unclaimed: dict[AnyTask, None], report: Callable[[BaseException, str], object]
) -> None:
    """Close what tasks of dead loops still hold, and report those that failed when nobody could be told any more."""
    for task in [*born_s, *unclaimed]:
        if not task.get_loop().is_closed():
            continue
        born_s.pop(task, None)
        unclaimed.pop(task, None)
        if not task.done():
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            close_coroutine(task.get_coro())
        elif task._log_traceback:
            report(cast(BaseException, task.exception()), task.get_name())
