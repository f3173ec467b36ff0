"""The focus manager as the plan drafted it, retyped: not shipped, and wrong in the ways that test_drafts.py names."""

# ruff: noqa: RET504, SIM105 - as drafted

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from prompt_toolkit.application import get_app

from openhcs.tui.utils.unified_task_manager import get_task_manager

logger = logging.getLogger("openhcs.drafts")


class FocusManager:
    """Circuit breaker pattern for focus operations."""

    def __init__(self) -> None:
        self._focusing_active: bool = False
        self._active_focus_task: asyncio.Task[bool] | None = None

    async def set_focus_after_delay(self, target: Any, delay: float = 0.1) -> bool:
        if self._focusing_active:
            logger.debug("Focus operation skipped - already focusing")
            return False

        self._focusing_active = True
        try:
            await asyncio.sleep(delay)
            get_app().layout.focus(target)
            logger.debug("Focus set to: %s", target)
            return True
        except asyncio.CancelledError:
            logger.debug("Focus operation cancelled")
            return False
        except Exception as e:
            logger.warning("Focus operation failed: %s", e)
            return False
        finally:
            self._focusing_active = False

    async def managed_focus_during_dialog(self, target: Any, dialog_coro: Coroutine[Any, Any, Any], delay: float = 0.1):
        focus_task = None
        try:
            focus_task = get_task_manager().create_task(
                self.set_focus_after_delay(target, delay), name=f"focus_{target.__class__.__name__}"
            )
            result = await dialog_coro
            return result
        finally:
            if focus_task and not focus_task.done():
                focus_task.cancel()
                try:
                    await focus_task
                except asyncio.CancelledError:
                    pass
