import asyncio
import concurrent.futures
from contextlib import suppress
from functools import partial

from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.widgets import Button, TextArea

kb = KeyBindings()


async def dialog():
    future = asyncio.get_running_loop().create_future()

    def ok():
        future.set_result(True)  # expect: HCS302

    def cancel():
        if not future.done():
            future.set_result(False)

    def fails():
        future.set_exception(ValueError())  # expect: HCS302

    @kb.add("escape")
    def _leave(event):
        future.set_result(None)  # expect: HCS302

    Button("ok", handler=ok)
    Button("cancel", handler=cancel)
    Button("fails", handler=fails)
    Button("no", handler=lambda: future.set_result(None))  # expect: HCS302
    Button("yes", handler=lambda: future.done() or future.set_result(1))
    Button("set", handler=partial(future.set_result, 1))  # expect: HCS302
    Button("direct", future.set_result)  # expect: HCS302
    TextArea(accept_handler=lambda buffer: future.set_result(buffer.text))  # expect: HCS302
    loop = asyncio.get_running_loop()
    loop.call_later(1, future.set_result, None)  # expect: HCS302
    loop.call_soon_threadsafe(future.set_result, None)  # expect: HCS302
    return await future


class Prompt:
    def __init__(self):
        self.result_future = asyncio.Future()
        self.box = TextArea(accept_handler=self.accept)
        Button("x", handler=self.close)
        Button("y", handler=self.try_)
        Button("z", handler=self.quiet)
        Button("q", handler=self.early)

    def accept(self, buffer):
        self.result_future.set_result(buffer.text)  # expect: HCS302
        return True

    def close(self):
        if not self.result_future.done():
            self.result_future.set_result(None)

    def try_(self):
        try:
            self.result_future.set_result(None)
        except asyncio.InvalidStateError:
            pass

    def quiet(self):
        with suppress(asyncio.InvalidStateError):
            self.result_future.set_result(None)

    def early(self):
        if self.result_future is None or self.result_future.done():
            return
        self.result_future.set_result(None)


class FileBrowser:
    def __init__(self, on_selected):
        self.on_selected = on_selected


async def browse(result_future):
    def selected(path):
        result_future.set_result(path)  # expect: HCS302

    FileBrowser(on_selected=selected)


class Echo(asyncio.Protocol):
    def __init__(self, answer: asyncio.Future):
        self.answer = answer

    def data_received(self, data):
        self.answer.set_result(data)  # expect: HCS302


def not_a_callback(future: asyncio.Future):
    future.set_result(1)


def made_here():
    future = asyncio.get_running_loop().create_future()
    future.set_result(1)
    return future


def threads():
    future = concurrent.futures.Future()

    def run():
        future.set_result(1)

    Button("ok", handler=run)
