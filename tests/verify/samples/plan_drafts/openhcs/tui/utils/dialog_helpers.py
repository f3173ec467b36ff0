"""The code before the plan, and what the plan made of its handler, retyped."""

import asyncio
import logging
import sys
from typing import Any, Optional

from prompt_toolkit.application import Application, get_app
from prompt_toolkit.layout.containers import HSplit
from prompt_toolkit.widgets import Button, Dialog, TextArea

logger = logging.getLogger(__name__)


async def show_scrollable_error_dialog(title: str, message: str, exception=None, app_state: Any = None):
    future = asyncio.Future()
    close = Button("OK", handler=lambda: future.set_result(True))  # expect: HCS302
    dialog = Dialog(title=title, body=HSplit([TextArea(message)]), buttons=[close])
    await app_state.show_dialog(dialog, result_future=future)


async def prompt_for_file_dialog(title: str, app_state: Any, file_browser: Any):
    future = asyncio.Future()

    def handle_cancel():
        future.set_result(None)  # expect: HCS302

    def handle_ok():
        if not future.done():
            future.set_result(file_browser.selected)

    dialog = Dialog(
        title=title,
        body=file_browser,
        buttons=[Button("OK", handler=handle_ok), Button("Cancel", handler=handle_cancel)],
    )

    async def set_focus_after_delay():
        await asyncio.sleep(0.1)
        try:
            get_app().layout.focus(file_browser.item_list_control)  # expect: HCS501
        except Exception as e:
            logger.warning(f"Could not set focus to file browser: {e}")

    focus_task = asyncio.create_task(set_focus_after_delay())
    await app_state.show_dialog(dialog, result_future=future)
    if not focus_task.done():
        focus_task.cancel()  # expect: HCS101
    return future.result()


async def focus_text_area(text_area: TextArea) -> None:
    await asyncio.sleep(0.1)
    get_app().layout.focus(text_area)  # expect: HCS501


async def show_global_error(exception: Exception, context: str = "operation", app_state: Any = None) -> None:
    try:
        await show_scrollable_error_dialog(f"Error in {context}", str(exception), exception, app_state)
    except Exception as dialog_error:
        show_global_error_sync(dialog_error, "error dialog", app_state)  # expect: HCS401


def show_global_error_sync(exception: Exception, context: str = "operation", app_state: Optional[Any] = None) -> None:
    from openhcs.tui.utils.unified_task_manager import get_task_manager

    get_task_manager().fire_and_forget(show_global_error(exception, context, app_state), "global_error")  # expect: HCS204


def setup_global_exception_handler(app_state):
    def global_exception_handler(exc_type, exc_value, exc_traceback):
        show_global_error_sync(exc_value, "main_thread", app_state)

    def async_exception_handler(loop, context):
        exception = context.get("exception")
        if exception:
            show_global_error_sync(exception, "async_task", app_state)

    original_run_async = Application.run_async

    async def patched_run_async(self, *args, **kwargs):
        try:
            return await original_run_async(self, *args, **kwargs)
        except Exception as e:
            show_global_error_sync(e, "application", app_state)
            raise

    Application.run_async = patched_run_async  # expect: HCS403
    sys.excepthook = global_exception_handler
    asyncio.get_event_loop().set_exception_handler(async_exception_handler)  # expect: HCS304
