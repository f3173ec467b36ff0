import asyncio

own = asyncio.new_event_loop()


def handler(loop, context):
    pass


async def work():
    asyncio.get_running_loop().set_exception_handler(handler)


def main():
    own.set_exception_handler(handler)  # expect: HCS304
    asyncio.run(work())


def main_local():
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(handler)  # expect: HCS304
    asyncio.run(work())
