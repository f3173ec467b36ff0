"""A task manager as the plan presumes one: a set of tasks, a wrapper that logs, a done-callback that reports.

The plan takes it as finished and does not show it; this one has the shape that its words and its findings give it. Not
shipped, and wrong in the ways that test_drafts.py names.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

logger = logging.getLogger("openhcs.drafts")


class UnifiedTaskManager:
    """Tracks every task that is created through it."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def create_task(self, coro: Coroutine[Any, Any, Any], name: str | None = None) -> asyncio.Task[Any]:
        task = asyncio.create_task(self._run(coro, name), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _run(self, coro: Coroutine[Any, Any, Any], name: str | None) -> Any:
        try:
            return await coro
        except Exception as e:
            logger.error("Task %s failed: %s", name, e)
            raise

    def fire_and_forget(self, coro: Coroutine[Any, Any, Any], name: str | None = None) -> None:
        task = self.create_task(coro, name)
        task.add_done_callback(self._report)

    def _report(self, task: asyncio.Task[Any]) -> None:
        exception = task.exception()
        if exception is not None:
            logger.error("Background task failed: %s", exception)

    async def shutdown(self, timeout: float = 5.0) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), timeout)
