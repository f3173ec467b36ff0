"""The task manager of the moment, as a `TaskSpawner`: for editors that were not given one."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from openhcs.tui.utils.unified_task_manager import get_task_manager

__all__ = ["CurrentTasks"]


class CurrentTasks:
    """Looks the task manager up at each use, so that it is never one whose loop has ended."""

    def fire_and_forget(self, coro: Coroutine[Any, Any, Any], name: str | None = None) -> None:
        get_task_manager().fire_and_forget(coro, name)
