"""Faults that no machine mends, each with the code it is found by. Never run."""

import asyncio
import atexit
import logging

from prompt_toolkit.application import get_app
from prompt_toolkit.widgets import TextArea

loop_at_import = asyncio.get_event_loop()  # left: HCS303


async def work(*args):
    pass


# HCS101: in a synchronous function, one after the other, some of many, where the wait would be swallowed, oneself.


class Clock:
    def __init__(self):
        self.task = asyncio.create_task(work())

    def stop(self):
        self.task.cancel()  # left: HCS101


async def one_by_one(tasks: list[asyncio.Task]):
    for task in tasks:
        print(task)
        task.cancel()  # left: HCS101


async def some(tasks: list[asyncio.Task]):
    for task in tasks:
        if task.get_name() == "x":
            task.cancel()  # left: HCS101


async def swallowed():
    task = asyncio.create_task(work())
    try:
        task.cancel()  # left: HCS101
    except BaseException:
        pass


async def beside_another():
    task = asyncio.create_task(work())
    task.cancel(); print("stopped")  # left: HCS101


class Runner:
    async def start(self):
        self.runner = asyncio.create_task(self.run())

    async def run(self):
        await self.stop()

    async def stop(self):
        self.runner.cancel()  # left: HCS101


# HCS102: more than the wait is in it, something is told, or the task may be None.


async def more(task):
    task.cancel()
    try:
        await task
        print("ended")
    except asyncio.CancelledError:  # left: HCS102
        pass


async def told(task):
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:  # left: HCS102
        print("cancelled")


async def perhaps_none(task=None):
    if task:
        task.cancel()
    try:
        await task
    except BaseException:  # left: HCS102
        pass


# HCS201: what a spawner need not understand, what counts as true, what a callback wants.


def dropped(loop: asyncio.AbstractEventLoop, yes):
    loop.create_task(work(), context=None)  # left: HCS201
    yes and loop.create_task(work()) and print("started")  # left: HCS201
    loop.create_task(work()).add_done_callback(print)  # left: HCS201


# HCS301: whose result is used, which is called away from the loop, which is another one by then.


def callbacks(loop: asyncio.AbstractEventLoop):
    loop.run_in_executor(None, work)  # left: HCS301
    atexit.register(work)  # left: HCS301
    TextArea(accept_handler=work)  # left: HCS301
    loop.call_soon(work(1))  # left: HCS301
    for function in (work, work):
        loop.call_soon(function)  # left: HCS301


# HCS302: the value would be looked up later.


async def handed_on():
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    loop.call_later(1, future.set_result, None)  # left: HCS302
    await future


# HCS304: where the loop comes from nobody can tell.


def outside():
    asyncio.get_event_loop().set_exception_handler(print)  # left: HCS304


# HCS402: a parameter that is no exception.


def ended(error: str, task):
    if task.done():
        logging.warning("%s", error, exc_info=True)  # left: HCS402
        task = None
    return task


def renamed(task):
    error = task.get_name()
    if error:
        logging.warning("%s", error, exc_info=True)  # left: HCS402


# HCS403: what the patch is for.

asyncio.sleep = work  # left: HCS403


# HCS501: something happens between, or the target is not named.


async def between(target):
    await asyncio.sleep(1)
    print(target)
    get_app().layout.focus(target)  # left: HCS501


async def next_one():
    await asyncio.sleep(1)
    get_app().layout.focus_next()  # left: HCS501


if __name__ == "__main__":
    outside()
    asyncio.run(dropped(None, None))
