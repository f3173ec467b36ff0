"""The error handler as the plan drafted it, retyped: not shipped, and wrong in the ways that test_drafts.py names."""

# ruff: noqa: G004, G201, SIM105, T201 - as drafted

from __future__ import annotations

import logging
from typing import Any

from openhcs.tui.utils.error_dialog import show_scrollable_error_dialog
from openhcs.tui.utils.unified_task_manager import get_task_manager

logger = logging.getLogger("openhcs.drafts")


class SafeErrorHandler:
    """Circuit breaker pattern for error display."""

    def __init__(self) -> None:
        self._showing_dialog: bool = False
        self._error_queue: list[Any] = []
        self._circuit_breaker_active: bool = False

    async def handle_error(self, exception: Exception, context: str = "operation", app_state: Any = None) -> None:
        if self._showing_dialog:
            logger.error(f"Error during error handling in {context}: {exception}", exc_info=True)
            return

        if self._circuit_breaker_active:
            logger.error(f"Circuit breaker active - logging error in {context}: {exception}", exc_info=True)
            return

        self._showing_dialog = True
        try:
            await show_scrollable_error_dialog(title=f"Error in {context}", message=str(exception), app_state=app_state)
        except Exception as dialog_error:
            self._circuit_breaker_active = True
            logger.error(f"Error dialog failed: {dialog_error}", exc_info=True)
            logger.error(f"Original error in {context}: {exception}", exc_info=True)
            try:
                print(f"CRITICAL ERROR in {context}: {exception}")
            except Exception:
                pass
        finally:
            self._showing_dialog = False

    def handle_error_sync(self, exception: Exception, context: str = "operation", app_state: Any = None) -> None:
        get_task_manager().fire_and_forget(
            self.handle_error(exception, context, app_state), f"error_handling_{context}"
        )

    def reset_circuit_breaker(self) -> None:
        self._circuit_breaker_active = False
        logger.info("Error handling circuit breaker reset")
