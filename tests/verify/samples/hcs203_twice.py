import asyncio
from collections.abc import Coroutine


async def work(n=0):
    return n


async def awaited_twice():
    coro = work()
    await coro
    await coro  # expect: HCS203


async def scheduled_and_awaited():
    coro = work()
    task = asyncio.create_task(coro)
    await coro  # expect: HCS203
    await task


async def gathered_twice():
    coro = work()
    await asyncio.gather(coro, coro)  # expect: HCS203


async def retried():
    coro = work()
    for _ in range(3):
        try:
            return await asyncio.wait_for(coro, 1)  # expect: HCS203
        except TimeoutError:
            continue


async def polled(stop):
    coro = work()
    while not stop():
        await coro  # expect: HCS203


async def retry(coro: Coroutine, times: int):
    for _ in range(times):
        try:
            return await coro  # expect: HCS203
        except OSError:
            await asyncio.sleep(1)


async def again():
    coro = work()
    try:
        await coro
    except OSError:
        await coro  # expect: HCS203


async def multiplied():
    await asyncio.gather(*[work()] * 3)  # expect: HCS203
    many = [work()] * 3  # expect: HCS203
    await asyncio.gather(*many)


async def task_again():
    task = asyncio.create_task(work())
    other = asyncio.create_task(task)  # expect: HCS203
    await other


# What follows is right.


async def branches(yes):
    coro = work()
    if yes:
        await coro
    else:
        asyncio.run(coro)


async def early(yes):
    coro = work()
    if yes:
        return await coro
    return await asyncio.wait_for(coro, 1)


async def anew():
    for n in range(3):
        coro = work(n)
        await coro
    coro = work()
    await coro


async def tasks_may_be_awaited_twice():
    task = asyncio.create_task(work())
    await task
    await task
    future = asyncio.get_running_loop().create_future()
    await asyncio.gather(future, future)


async def leaves():
    coro = work()
    while True:
        await coro
        break


async def made_each_turn(names):
    for name in names:
        coro = work(name)
        try:
            await coro
        except OSError:
            continue


async def run_once(coro: Coroutine):
    try:
        return await coro
    finally:
        print("done")


async def collection_twice():
    works = [work(n) for n in range(3)]
    await asyncio.gather(*works)
    await asyncio.gather(*works)  # expect: HCS203


async def collection_scheduled_and_gathered():
    works = [work(1), work(2)]
    tasks = [asyncio.create_task(one) for one in works]
    await asyncio.gather(*works)  # expect: HCS203
    await asyncio.gather(*tasks)


async def collection_once():
    works = [work(n) for n in range(3)]
    tasks = [asyncio.create_task(one) for one in works]
    await asyncio.gather(*tasks)
    await asyncio.gather(*tasks)
