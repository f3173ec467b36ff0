import asyncio


def handler(loop, context):
    print(context)


def set_up():
    asyncio.get_event_loop().set_exception_handler(handler)  # expect: HCS304


def set_up_named():
    loop = asyncio.get_event_loop()
    loop.set_exception_handler(handler)  # expect: HCS304


def set_up_in_loop():
    asyncio.get_event_loop().set_exception_handler(handler)


async def main():
    set_up_in_loop()
    asyncio.get_running_loop().set_exception_handler(handler)


def own_loop():
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(handler)
    loop.run_until_complete(main())


def same_loop():
    loop = asyncio.get_event_loop()
    loop.set_exception_handler(handler)
    loop.run_until_complete(main())


if __name__ == "__main__":
    set_up()
    asyncio.run(main())
