import asyncio

from prompt_toolkit.application import Application

app = Application()


def handler(loop, context):
    print(context)


def install():
    asyncio.get_running_loop().set_exception_handler(handler)  # expect: HCS304


async def direct():
    asyncio.get_running_loop().set_exception_handler(handler)  # expect: HCS304
    await app.run_async()


async def through_functions():
    install()
    await show()


async def show():
    await app.run_async(handle_sigint=False)


async def kept():
    asyncio.get_running_loop().set_exception_handler(handler)
    await app.run_async(set_exception_handler=False)


async def inside():
    def pre_run():
        asyncio.get_running_loop().set_exception_handler(handler)

    await app.run_async(pre_run=pre_run)
