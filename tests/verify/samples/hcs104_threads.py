"""Time limits around work in threads, which no cancellation reaches."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

pool = ThreadPoolExecutor()


def crunch(n=0):
    return n


async def in_thread(function, *args):
    return await asyncio.get_running_loop().run_in_executor(pool, function, *args)


async def read(queue: asyncio.Queue):
    await asyncio.to_thread(crunch)
    return await asyncio.wait_for(queue.get(), 1)


async def limited(queue: asyncio.Queue):
    loop = asyncio.get_running_loop()
    await asyncio.wait_for(asyncio.to_thread(crunch), 2)  # expect: HCS104
    job = loop.run_in_executor(pool, crunch, 2)
    await asyncio.wait_for(job, timeout=2)  # expect: HCS104
    await asyncio.wait_for(in_thread(crunch, 3), 2)  # expect: HCS104
    async with asyncio.timeout(3):
        await asyncio.to_thread(crunch)  # expect: HCS104
    kept = asyncio.create_task(asyncio.to_thread(crunch))
    await asyncio.wait([kept], timeout=2)
    await asyncio.wait_for(asyncio.shield(kept), 2)
    await asyncio.wait_for(queue.get(), 2)
    await asyncio.to_thread(crunch)
