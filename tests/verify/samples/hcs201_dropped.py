import asyncio
import threading
from functools import partial

from prompt_toolkit.application import get_app
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.widgets import Button

kb = KeyBindings()


async def work():
    pass


class Host:
    def __init__(self, loop):
        self.loop = loop
        self._kept = None
        self.on_close = lambda: asyncio.create_task(work())  # expect: HCS201

    def attribute_loop(self):
        self.loop.create_task(work())  # expect: HCS201

    def start(self):
        return asyncio.create_task(work())

    def begin(self):
        self.start()  # expect: HCS201
        self._kept = self.start()


def chained():
    asyncio.get_running_loop().create_task(work())  # expect: HCS201
    asyncio.create_task(work()).add_done_callback(print)  # expect: HCS201


def conditional(yes):
    asyncio.create_task(work()) if yes else None  # expect: HCS201
    yes and asyncio.ensure_future(work())  # expect: HCS201
    [asyncio.create_task(work()) for _ in range(3)]  # expect: HCS201


def parameter(loop: asyncio.AbstractEventLoop):
    loop.create_task(work())  # expect: HCS201


def lambdas(loop: asyncio.AbstractEventLoop, task: asyncio.Task):
    Button("ok", handler=lambda: asyncio.create_task(work()))  # expect: HCS201
    Button("ok", lambda: get_app().loop.create_task(work()))  # expect: HCS201
    loop.call_later(1, lambda: asyncio.ensure_future(work()))  # expect: HCS201
    task.add_done_callback(lambda _: loop.create_task(work()))  # expect: HCS201
    kb.add("x")(lambda event: event.app.loop.create_task(work()))
    return [("class:x", "text", lambda mouse: asyncio.create_task(work()))]  # expect: HCS201


def callbacks(loop: asyncio.AbstractEventLoop):
    loop.call_soon(asyncio.create_task, work())  # expect: HCS201
    loop.call_soon_threadsafe(asyncio.ensure_future, work())  # expect: HCS201
    loop.call_later(1, partial(asyncio.create_task, work()))  # expect: HCS201
    loop.call_soon_threadsafe(loop.create_task, work())  # expect: HCS201


def unread(self):
    task = self.loop.create_task(work())  # expect: HCS201


# Where ruff's RUF006 sees it already, nothing is said twice.


def seen_by_ruff():
    asyncio.create_task(work())
    loop = asyncio.get_running_loop()
    loop.create_task(work())
    task = asyncio.create_task(work())


# What follows is right.


async def kept(tasks: set):
    task = asyncio.create_task(work())
    tasks.add(task)
    other = asyncio.get_running_loop().create_task(work())
    await other
    make = lambda: asyncio.create_task(work())
    tasks.add(make())
    async with asyncio.TaskGroup() as group:
        group.create_task(work())
    threading.Thread(target=print).start()
    await asyncio.gather(*[asyncio.create_task(work()) for _ in range(3)])
    return sorted(tasks, key=lambda item: id(item))


class Later:
    def __init__(self):
        self._loop = asyncio.get_running_loop()

    def start(self):
        self._loop.create_task(work())  # expect: HCS201
        asyncio.Task(work())  # expect: HCS201
        asyncio.tasks.ensure_future(work()).add_done_callback(print)  # expect: HCS201
