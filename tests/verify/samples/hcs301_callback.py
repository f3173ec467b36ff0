import asyncio
import atexit
import signal
import sys
import threading
import unittest
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from prompt_toolkit.application import Application, run_in_terminal
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.filters import Condition
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.layout.controls import FormattedTextControl
from prompt_toolkit.widgets import Button, MenuItem, TextArea

kb = KeyBindings()


async def work(*args):
    pass


@kb.add("x")
async def _asynchronous_keys_are_fine(event):
    await work()


kb.add("y")(work)


class Host:
    def __init__(self, loop):
        self.loop = loop
        self.button = Button(text="ok", handler=self.save)  # expect: HCS301

    async def save(self):
        pass

    def buttons(self):
        Button("ok", self.save)  # expect: HCS301
        Button("ok", handler=lambda: self.save())  # expect: HCS301
        Button("ok", handler=partial(self.save))  # expect: HCS301
        MenuItem("save", handler=self.save)  # expect: HCS301
        TextArea(accept_handler=self.accept)  # expect: HCS301
        Buffer(on_text_changed=self.accept)  # expect: HCS301
        self.loop.call_soon(self.save)  # expect: HCS301

    async def accept(self, buffer):
        return True


def loops(loop: asyncio.AbstractEventLoop, task: asyncio.Task):
    loop.call_soon(work)  # expect: HCS301
    loop.call_later(1, work, 1)  # expect: HCS301
    loop.call_soon_threadsafe(callback=work)  # expect: HCS301
    loop.add_signal_handler(signal.SIGINT, lambda: work())  # expect: HCS301
    loop.set_exception_handler(work)  # expect: HCS301
    loop.run_in_executor(None, work)  # expect: HCS301
    task.add_done_callback(work)  # expect: HCS301
    task.add_done_callback(partial(work, 1))  # expect: HCS301
    signal.signal(signal.SIGTERM, work)  # expect: HCS301
    atexit.register(work)  # expect: HCS301
    threading.Thread(target=work).start()  # expect: HCS301
    ThreadPoolExecutor().submit(work)  # expect: HCS301
    sys.excepthook = work  # expect: HCS301


async def executors():
    await asyncio.to_thread(work)  # expect: HCS301
    await asyncio.to_thread(print)
    await run_in_terminal(work)  # expect: HCS301


def screens(buffer: Buffer):
    Application(before_render=work)  # expect: HCS301
    Application().run(pre_run=work)  # expect: HCS301
    FormattedTextControl(work)  # expect: HCS301
    Condition(work)  # expect: HCS301
    buffer.on_text_changed += work  # expect: HCS301
    return [("class:button", "[ok]", work)]  # expect: HCS301


class Picker:
    def __init__(self, on_choice=None):
        self.on_choice = on_choice

    def choose(self):
        if self.on_choice:
            self.on_choice("x")


class CarefulPicker:
    def __init__(self, on_choice=None):
        self.on_choice = on_choice

    def choose(self):
        result = self.on_choice("x")
        if asyncio.iscoroutine(result):
            asyncio.ensure_future(result)


def each(items, callback):
    for item in items:
        callback(item)


async def own_callbacks():
    Picker(on_choice=work)  # expect: HCS301
    CarefulPicker(on_choice=work)
    each([1], work)  # expect: HCS301
    each([1], callback=lambda item: work(item))  # expect: HCS301
    each([1], print)


class Protocol(asyncio.Protocol):
    async def data_received(self, data):  # expect: HCS301
        pass

    def connection_made(self, transport):
        pass


class Odd:
    async def __init__(self):  # expect: HCS301
        pass

    async def __aenter__(self):
        pass

    async def __aexit__(self, *exc):
        pass


class Worker(threading.Thread):
    async def run(self):  # expect: HCS301
        pass


class Cases(unittest.TestCase):
    async def test_nothing(self):  # expect: HCS301
        pass


class AsyncCases(unittest.IsolatedAsyncioTestCase):
    async def test_something(self):
        pass


def logged(function):
    def wrapper(*args):
        asyncio.ensure_future(function(*args))

    return wrapper


@logged
async def made_synchronous():
    pass


def fine(loop: asyncio.AbstractEventLoop):
    loop.call_soon(made_synchronous)
    Button("ok", handler=made_synchronous)
    Button("ok", handler=lambda: loop.create_task(work()).get_name())
    threading.Thread(target=asyncio.run, args=(work(),)).start()


@atexit.register  # expect: HCS301
async def at_the_end():
    pass


@Condition  # expect: HCS301
async def is_ready():
    return True
