# fixes: HCS501 unsafe 2
# before: second first
# after: second first
import asyncio

from prompt_toolkit.application import Application, get_app
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.layout import HSplit, Layout
from prompt_toolkit.output import DummyOutput
from prompt_toolkit.widgets import TextArea

import openhcs.tui.utils.focus_manager

first, second = TextArea("first"), TextArea("second")


async def focus_soon(target):
    # The layout does not know it yet.
    await asyncio.sleep(0.05)
    try:
        get_app().layout.focus(target)
    except ValueError as error:
        print(error)


async def focus_quietly(target):
    try:
        await asyncio.sleep(0.01)
        get_app().layout.focus(target)
    except (asyncio.CancelledError, ValueError):
        pass


async def watch(app):
    await focus_soon(second)
    seen = [app.current_buffer.text]
    await focus_quietly(first)
    print(*seen, app.current_buffer.text)
    app.exit()


async def main():
    with create_pipe_input() as keys:
        app = Application(layout=Layout(HSplit([first, second])), input=keys, output=DummyOutput())
        await app.run_async(pre_run=lambda: app.create_background_task(watch(app)))


asyncio.run(main())
