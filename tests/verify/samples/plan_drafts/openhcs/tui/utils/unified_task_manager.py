"""A task manager as the plan takes it for granted, retyped."""

import asyncio
from typing import Coroutine, Optional, Set


class UnifiedTaskManager:
    def __init__(self, max_tasks: int = 1000):
        self._tasks: Set[asyncio.Task] = set()
        self._shutting_down = False
        self._error_handler = None

    def set_error_handler(self, handler):
        self._error_handler = handler

    def create_task(self, coro: Coroutine, name: Optional[str] = None) -> asyncio.Task:
        if self._shutting_down:
            raise RuntimeError("shutting down")
        task = asyncio.create_task(self._managed(coro), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def fire_and_forget(self, coro: Coroutine, name: Optional[str] = None) -> None:
        self.create_task(coro, name)

    async def _managed(self, coro):
        try:
            return await coro
        except asyncio.CancelledError:
            raise
        except Exception as e:
            if self._error_handler:
                self._error_handler(e, "task")

    async def shutdown(self, timeout: float = 5.0):
        self._shutting_down = True
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


_manager: Optional[UnifiedTaskManager] = None


def get_task_manager() -> UnifiedTaskManager:
    global _manager
    if _manager is None:
        _manager = UnifiedTaskManager()
    return _manager
