"""The plan's draft of an error handler, retyped."""

import logging
from typing import Any, Optional

from openhcs.tui.utils.dialog_helpers import show_scrollable_error_dialog

logger = logging.getLogger(__name__)


class SafeErrorHandler:
    def __init__(self):
        self._showing_dialog: bool = False
        self._circuit_breaker_active: bool = False

    async def handle_error(self, exception: Exception, context: str = "operation", app_state: Any = None) -> None:
        if self._showing_dialog:
            logger.error(f"Error during error handling in {context}: {exception}", exc_info=True)  # expect: HCS402
            return
        if self._circuit_breaker_active:
            logger.error(f"Circuit breaker active - {context}: {exception}", exc_info=True)  # expect: HCS402
            return
        self._showing_dialog = True
        try:
            await show_scrollable_error_dialog(
                title=f"Error in {context}", message=str(exception), app_state=app_state
            )
        except Exception as dialog_error:
            self._circuit_breaker_active = True
            logger.error(f"Error dialog failed: {dialog_error}", exc_info=True)
            try:
                print(f"CRITICAL ERROR in {context}: {exception}")  # expect: HCS502
            except Exception:
                pass
        finally:
            self._showing_dialog = False

    def handle_error_sync(self, exception: Exception, context: str = "operation", app_state: Any = None) -> None:
        from openhcs.tui.utils.unified_task_manager import get_task_manager

        get_task_manager().fire_and_forget(
            self.handle_error(exception, context, app_state), f"error_handling_{context}"  # expect: HCS204
        )


_global_error_handler: Optional[SafeErrorHandler] = None


def get_error_handler() -> SafeErrorHandler:
    global _global_error_handler
    if _global_error_handler is None:
        _global_error_handler = SafeErrorHandler()
    return _global_error_handler


def safe_show_error_sync(exception: Exception, context: str = "operation", app_state: Any = None) -> None:
    get_error_handler().handle_error_sync(exception, context, app_state)
