"""Services: started again as often as their policy says, and given up in the end."""

from __future__ import annotations

import asyncio

from openhcs.tui.utils.supervision import Restart, supervise
from openhcs.tui.utils.unified_task_manager import UnifiedTaskManager
from tests.tui.utils.kit import Failures


async def test_a_transient_service_is_started_again_after_a_failure_only() -> None:
    """One failure, one report, one restart; an orderly end is the end."""
    failures = Failures()
    tasks = UnifiedTaskManager()
    tasks.set_error_handler(failures)
    runs = 0

    async def service() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise OSError("first run")

    async with asyncio.timeout(10):
        await supervise(tasks, service, "follower", Restart.TRANSIENT)
    assert runs == 2
    assert failures.messages == ["first run"]
