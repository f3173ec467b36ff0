import asyncio
import sys

from prompt_toolkit.application import Application, get_app

from ..manager import get_task_manager


async def show_scrollable_error_dialog(title, message, app_state=None):
    future = asyncio.get_running_loop().create_future()
    await app_state.show_dialog(title, future)


async def show_global_error(exception, context="operation", app_state=None):
    try:
        await show_scrollable_error_dialog(context, str(exception), app_state)
    except Exception as error:
        show_global_error_sync(error, "dialog", app_state)  # expect: HCS401


def show_global_error_sync(exception, context="operation", app_state=None):
    get_task_manager().fire_and_forget(show_global_error(exception, context, app_state), "global_error")


def setup_global_exception_handler(app_state):
    original_run_async = Application.run_async

    async def patched_run_async(self, *args, **kwargs):
        try:
            return await original_run_async(self, *args, **kwargs)
        except Exception as e:
            show_global_error_sync(e, "application", app_state)

    Application.run_async = patched_run_async  # expect: HCS403

    def handler(loop, context):
        show_global_error_sync(context.get("exception"), "async", app_state)

    def hook(kind, value, trace):
        show_global_error_sync(value, "main", app_state)

    sys.excepthook = hook
    asyncio.get_event_loop().set_exception_handler(handler)  # expect: HCS304
    get_app().invalidate()
