"""The plan's draft of a focus manager, retyped."""

import asyncio
import logging
from typing import Any, Coroutine, Optional

from prompt_toolkit.application import get_app

logger = logging.getLogger(__name__)


class FocusManager:
    def __init__(self):
        self._focusing_active: bool = False
        self._active_focus_task: Optional[asyncio.Task] = None

    async def set_focus_after_delay(self, target: Any, delay: float = 0.1) -> bool:
        if self._focusing_active:
            return False
        self._focusing_active = True
        try:
            await asyncio.sleep(delay)
            get_app().layout.focus(target)  # expect: HCS501
            return True
        except asyncio.CancelledError:
            return False
        except Exception as e:
            logger.warning(f"Focus operation failed: {e}")
            return False
        finally:
            self._focusing_active = False

    async def managed_focus_during_dialog(self, target: Any, dialog_coro: Coroutine, delay: float = 0.1):
        from openhcs.tui.utils.unified_task_manager import get_task_manager

        focus_task = None
        try:
            focus_task = get_task_manager().create_task(
                self.set_focus_after_delay(target, delay), name=f"focus_{target.__class__.__name__}"  # expect: HCS204
            )
            result = await dialog_coro
            return result
        finally:
            if focus_task and not focus_task.done():
                focus_task.cancel()
                try:
                    await focus_task
                except asyncio.CancelledError:  # expect: HCS102
                    pass


_global_focus_manager: Optional[FocusManager] = None


def get_focus_manager() -> FocusManager:
    global _global_focus_manager
    if _global_focus_manager is None:
        _global_focus_manager = FocusManager()
    return _global_focus_manager


async def focus_after_delay(target: Any, delay: float = 0.1) -> bool:
    return await get_focus_manager().set_focus_after_delay(target, delay)
