import asyncio
from asyncio import sleep

from prompt_toolkit.application import get_app
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.layout import Layout

kb = KeyBindings()


async def plain(area):
    await asyncio.sleep(0.1)
    get_app().layout.focus(area)  # expect: HCS501


async def tried(area):
    await sleep(0.1)
    try:
        get_app().layout.focus(area)  # expect: HCS501
    except Exception:
        pass


async def named(area, layout: Layout):
    app = get_app()
    await asyncio.sleep(0)
    layout.focus(area)  # expect: HCS501
    app.layout.focus_next()  # expect: HCS501


async def pause():
    await asyncio.sleep(0.1)


async def through_helper(area):
    await pause()
    get_app().layout.focus(area)  # expect: HCS501


def set_focus(area):
    get_app().layout.focus(area)


async def through_function(area):
    await asyncio.sleep(0.1)
    set_focus(area)  # expect: HCS501


@kb.add("x")
async def _key(event):
    await asyncio.sleep(0.1)
    event.app.layout.focus("x")  # expect: HCS501


class Dialog:
    def __init__(self, app):
        self.app = app

    async def focus_soon(self, area):
        await asyncio.sleep(0.05)
        self.app.layout.focus(area)  # expect: HCS501


def timers(area):
    loop = asyncio.get_running_loop()
    loop.call_later(0.1, lambda: get_app().layout.focus(area))  # expect: HCS501
    loop.call_later(0.1, get_app().layout.focus, area)  # expect: HCS501
    loop.call_later(0.1, print, area)


async def right(area):
    get_app().layout.focus(area)
    await asyncio.sleep(0.1)


async def polls(area, layout: Layout):
    while not layout.has_focus(area):
        await asyncio.sleep(0.1)
    layout.focus(area)


async def other_focus(camera):
    await asyncio.sleep(1)
    camera.focus(3)
