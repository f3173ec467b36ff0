# fixes: HCS304 unsafe 1
# before: lost
# after: told
import asyncio

from prompt_toolkit.application import Application
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

told = []


def on_error(loop, context):
    told.append(context["message"])


async def main(keys):
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(on_error)
    app = Application(
        input=keys,
        output=DummyOutput(),
    )

    def look():
        handler = asyncio.get_running_loop().get_exception_handler()
        print("told" if handler is on_error else "lost")
        app.exit()

    await app.run_async(
        pre_run=lambda: asyncio.get_running_loop().call_soon(look),
    )


with create_pipe_input() as keys:
    asyncio.run(main(keys))
