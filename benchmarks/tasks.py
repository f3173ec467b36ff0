"""Managed tasks against what else there is: creating and finishing them, memory alive, cancelling at shutdown.

The measure is the usual idiom, `create_task`, keep it in a set, discard it when done. Peers that are not installed are
left out and named. Run it with `make bench`, or `python benchmarks/tasks.py --rounds 15`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import importlib.util
import time
import tracemalloc
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from _side_by_side import compare, print_ratios
from prompt_toolkit.application import Application
from prompt_toolkit.application.dummy import DummyApplication

from openhcs.tui.utils.unified_task_manager import UnifiedTaskManager

Body = Callable[[], Coroutine[Any, Any, None]]
Subject = Callable[[int], Coroutine[Any, Any, None]]

ALIVE = (1_000, 10_000, 100_000)


async def brief() -> None:
    await asyncio.sleep(0)


async def endless() -> None:
    await asyncio.get_running_loop().create_future()


async def idiom(count: int) -> None:
    tasks: set[asyncio.Task[None]] = set()
    for _ in range(count):
        task = asyncio.create_task(brief())
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    while tasks:
        await asyncio.sleep(0)


async def managed(count: int) -> None:
    manager = UnifiedTaskManager(max_tasks=count)
    for _ in range(count):
        manager.create_task(brief())
    while manager.active_task_count:
        await asyncio.sleep(0)


async def task_group(count: int) -> None:
    async with asyncio.TaskGroup() as group:
        for _ in range(count):
            group.create_task(brief())


# Built once: an application costs more than a thousand tasks.
app: Application[None] = DummyApplication()


async def prompt_toolkit_background(count: int) -> None:
    app.loop = asyncio.get_running_loop()
    app._background_tasks = set()
    for _ in range(count):
        app.create_background_task(brief())
    while app._background_tasks:
        await asyncio.sleep(0)


def _peers() -> dict[str, Subject]:
    peers: dict[str, Subject] = {}
    if importlib.util.find_spec("anyio"):
        import anyio

        async def anyio_group(count: int) -> None:
            async with anyio.create_task_group() as group:
                for _ in range(count):
                    group.start_soon(brief)

        peers["anyio task group"] = anyio_group
    if importlib.util.find_spec("aiojobs"):
        import aiojobs

        async def aiojobs_scheduler(count: int) -> None:
            scheduler = aiojobs.Scheduler(limit=None)
            for _ in range(count):
                await scheduler.spawn(brief())
            while len(scheduler):
                await asyncio.sleep(0)
            await scheduler.close()

        peers["aiojobs scheduler"] = aiojobs_scheduler
    if importlib.util.find_spec("aiotools"):
        import aiotools

        async def aiotools_group(count: int) -> None:
            async with aiotools.PersistentTaskGroup() as group:
                for _ in range(count):
                    group.create_task(brief())

        peers["aiotools PersistentTaskGroup"] = aiotools_group
    missing = [name for name in ("anyio", "aiojobs", "aiotools") if importlib.util.find_spec(name) is None]
    if missing:
        print(f"not installed, left out: {', '.join(missing)}\n")
    return peers


async def idiom_shutdown(count: int) -> float:
    tasks: set[asyncio.Task[None]] = set()
    for _ in range(count):
        task = asyncio.create_task(endless())
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.sleep(0)
    start = time.process_time()
    ending = list(tasks)
    for task in ending:
        task.cancel()
    await asyncio.gather(*ending, return_exceptions=True)
    return time.process_time() - start


async def managed_shutdown(count: int) -> float:
    manager = UnifiedTaskManager(max_tasks=count)
    for _ in range(count):
        manager.create_task(endless())
    await asyncio.sleep(0)
    start = time.process_time()
    await manager.shutdown()
    return time.process_time() - start


async def task_group_shutdown(count: int) -> float:
    async def group() -> None:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(count):
                tasks.create_task(endless())

    task = asyncio.create_task(group())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    start = time.process_time()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    return time.process_time() - start


def ending_seconds(subject: Callable[[int], Coroutine[Any, Any, float]], count: int) -> float:
    """CPU seconds that ending `count` live tasks takes, without what starting them took."""
    gc.collect()
    return asyncio.run(subject(count))


def alive_bytes(start: Callable[[int, list[Any]], None], count: int) -> float:
    """Bytes for each of `count` live tasks that `start` makes, what keeps them included."""

    async def measure() -> float:
        keep: list[Any] = []
        gc.collect()
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            start(count, keep)
            await asyncio.sleep(0)
            return (tracemalloc.get_traced_memory()[0] - before) / count
        finally:
            tracemalloc.stop()
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()

    return asyncio.run(measure())


def _start_idiom(count: int, keep: list[Any]) -> None:
    tasks: set[asyncio.Task[None]] = set()
    keep.append(tasks)
    for _ in range(count):
        task = asyncio.create_task(endless())
        tasks.add(task)
        task.add_done_callback(tasks.discard)


def _start_managed(count: int, keep: list[Any]) -> None:
    manager = UnifiedTaskManager(max_tasks=count)
    keep.append(manager)
    for _ in range(count):
        manager.create_task(endless())


def repeated(subject: Subject, count: int, times: int) -> Callable[[], None]:
    """`subject(count)`, `times` times over in one loop."""

    async def run() -> None:
        for _ in range(times):
            await subject(count)

    return lambda: asyncio.run(run())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=9, help="interleaved rounds (default 9)")
    rounds = parser.parse_args().rounds

    subjects: dict[str, Subject] = {
        "create_task + set + discard": idiom,
        "UnifiedTaskManager": managed,
        "asyncio.TaskGroup": task_group,
        "prompt_toolkit background tasks": prompt_toolkit_background,
        **_peers(),
    }
    for count in ALIVE:
        times = max(1, 20_000 // count)
        runs = {name: repeated(subject, count, times) for name, subject in subjects.items()}
        taken = compare(runs, rounds if count < 100_000 else max(3, rounds // 3))
        per_task = {name: seconds / count / times for name, seconds in taken.items()}
        print_ratios(f"create and finish, {count:,} alive at once, CPU a task", per_task, "µs", 1e6)

    ending = {
        "cancel all + gather": partial(ending_seconds, idiom_shutdown, 10_000),
        "UnifiedTaskManager.shutdown": partial(ending_seconds, managed_shutdown, 10_000),
        "cancel an asyncio.TaskGroup": partial(ending_seconds, task_group_shutdown, 10_000),
    }
    print_ratios("cancel and await 10,000 live tasks, CPU", compare(ending, rounds, lambda run: run()))

    memory = {
        "create_task + set + discard": partial(alive_bytes, _start_idiom),
        "UnifiedTaskManager": partial(alive_bytes, _start_managed),
    }
    print_ratios("memory of a live task", {name: bytes_of(10_000) for name, bytes_of in memory.items()}, "bytes", 1)


if __name__ == "__main__":
    main()
