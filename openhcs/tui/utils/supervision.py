"""Services that are started again when they end.

A service is a coroutine function that should run for as long as the program, such as a follower of a journal. Each of
its failures is reported once; past `restarts` restarts in `within_s` seconds it is given up, which is reported too.
Checked by tests/tui/utils/test_supervision.py; that a cancelled one stays down, by tests/proofs/test_g4_cancels.py.

Standard library only.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine
from enum import Enum
from typing import Any

from openhcs.tui.utils.task_ending import is_being_cancelled
from openhcs.tui.utils.unified_task_manager import UnifiedTaskManager

__all__ = ["Restart", "ServiceGivenUp", "supervise"]


class Restart(Enum):
    """When a service that ended is started again."""

    PERMANENT = "always"
    TRANSIENT = "after a failure"
    TEMPORARY = "never"


class ServiceGivenUp(RuntimeError):
    """A service ended too often; `__cause__` is its last failure, if it failed."""

    def __init__(self, name: str, restarts: int, within_s: float) -> None:
        self.name = name
        self.restarts = restarts
        self.within_s = within_s
        super().__init__(name, restarts, within_s)

    def __str__(self) -> str:
        spent = f"it ended again after {self.restarts} restarts within {self.within_s:g} s"
        return f"service {self.name!r} given up: {spent}"


def supervise(
    tasks: UnifiedTaskManager,
    service: Callable[[], Coroutine[Any, Any, object]],
    name: str,
    restart: Restart = Restart.TRANSIENT,
    *,
    restarts: int = 3,
    within_s: float = 5.0,
    clock: Callable[[], float] = time.monotonic,
) -> asyncio.Task[None]:
    """Run `service()` as a task of `tasks` and start it again as `restart` says; cancel the task to end it."""

    async def keep_running() -> None:
        restarted_s: deque[float] = deque()
        while True:
            failure: Exception | None = None
            try:
                await service()
            except asyncio.CancelledError:
                if is_being_cancelled():
                    raise
                # Something the service awaited was cancelled, and the service by that: it ended, and did not fail.
            except Exception as raised:
                failure = raised
                tasks.report(raised, name)
            if restart is Restart.TEMPORARY or (failure is None and restart is Restart.TRANSIENT):
                return
            now = clock()
            while restarted_s and now - restarted_s[0] > within_s:
                restarted_s.popleft()
            if len(restarted_s) >= restarts:
                raise ServiceGivenUp(name, restarts, within_s) from failure
            restarted_s.append(now)
            # A service that ends without ever waiting must not keep the loop from everybody else.
            await asyncio.sleep(0)

    return tasks.create_task(keep_running(), name)
