import asyncio
import builtins
import sys
import threading
import warnings
from functools import partial

import prompt_toolkit
import requests
from prompt_toolkit.application import Application, get_app
from prompt_toolkit.key_binding.key_processor import KeyProcessor

original = Application.run_async


async def patched(self, *args, **kwargs):
    return await original(self, *args, **kwargs)


def traced(function):
    return function


Application.run_async = patched  # expect: HCS403
setattr(Application, "run", patched)  # expect: HCS403
prompt_toolkit.application.Application.exit = lambda self: None  # expect: HCS403
asyncio.sleep = partial(asyncio.sleep, 0)  # expect: HCS403
asyncio.create_task = traced(asyncio.create_task)  # expect: HCS403
KeyProcessor.process_keys = traced(KeyProcessor.process_keys)  # expect: HCS403
builtins.print = patched  # expect: HCS403
requests.Session.send = patched  # expect: HCS403


def later():
    def quiet(*args):
        pass

    app = get_app()
    app.invalidate = quiet  # expect: HCS403
    asyncio.get_running_loop().call_exception_handler = quiet  # expect: HCS403


def nested():
    import nest_asyncio

    nest_asyncio.apply()  # expect: HCS403


# What follows is right.

sys.excepthook = traced
threading.excepthook = traced
warnings.showwarning = patched
requests.adapters.DEFAULT_RETRIES = 5
prompt_toolkit.enabled = True


class Own:
    pass


Own.run = patched
own = Own()
own.run = patched

if not hasattr(asyncio, "timeout"):
    asyncio.timeout = patched

if sys.version_info < (3, 9):
    asyncio.to_thread = patched


class Sub(Application):
    run_async = patched

    def __init__(self):
        super().__init__()
        self.timeoutlen = 0.1
        self.on_done = patched

Application.reset, Application.suspend_to_background = traced, traced  # expect: HCS403
for name in ("run", "run_async"):
    setattr(Application, name, patched)  # expect: HCS403
get_app().run_async = patched  # expect: HCS403
