import asyncio
import sys

from prompt_toolkit.application import Application, in_terminal, run_in_terminal
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.widgets import Button

kb = KeyBindings()
app = Application(full_screen=True, key_bindings=kb)


@kb.add("a")
def _key(event):
    print("pressed")  # expect: HCS502
    helper()


def helper():
    sys.stdout.write("helped")  # expect: HCS502
    print("quiet", file=open("log"))
    print("loud", file=sys.stderr)  # expect: HCS502


class Pane:
    def __init__(self):
        self.button = Button("ok", handler=self.save)

    def save(self):
        asyncio.ensure_future(self.save_later())

    async def save_later(self):
        print("saved")  # expect: HCS502


@kb.add("b")
async def _gives_back(event):
    async with in_terminal():
        print("fine")
    await run_in_terminal(lambda: print("fine"))


async def ticker():
    print("tick")  # expect: HCS502


async def main():
    print("starting")
    tick = asyncio.create_task(ticker())
    await app.run_async()
    print("over")
    await tick


def never_called():
    print("command line")
