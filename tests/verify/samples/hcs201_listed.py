import asyncio


async def work():
    pass


async def listed(loop: asyncio.AbstractEventLoop, factories):
    tasks = [loop.create_task(work()), loop.create_task(work())]  # expect: HCS201, HCS201
    more = [asyncio.create_task(factory()) for factory in factories]  # expect: HCS201


async def kept(loop: asyncio.AbstractEventLoop):
    tasks = [loop.create_task(work())]
    await asyncio.wait(tasks)


async def given(loop: asyncio.AbstractEventLoop):
    return [loop.create_task(work())]
