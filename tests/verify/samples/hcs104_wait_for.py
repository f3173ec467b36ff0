import asyncio
from asyncio import shield, timeout, wait_for


async def stubborn():
    while True:
        try:
            await asyncio.sleep(1)
        except asyncio.CancelledError:
            pass


async def stubborn_bare():
    for _ in range(3):
        try:
            await asyncio.sleep(1)
        except:
            continue


async def goes_on():
    try:
        await asyncio.sleep(1)
    except asyncio.CancelledError:
        print("not now")
    await asyncio.sleep(10)


async def polite():
    try:
        await asyncio.sleep(1)
    except asyncio.CancelledError:
        print("leaving")
        raise


async def cleans_up():
    try:
        await asyncio.sleep(1)
    finally:
        print("done")


async def limited():
    await wait_for(stubborn(), 3)  # expect: HCS104
    await asyncio.wait_for(stubborn_bare(), timeout=3)  # expect: HCS104
    task = asyncio.create_task(goes_on())
    await asyncio.wait_for(task, 3)  # expect: HCS104
    await wait_for(shield(polite()), 3)  # expect: HCS104
    async with timeout(3):
        await stubborn()  # expect: HCS104
    async with asyncio.timeout(3):
        await polite()
    await wait_for(polite(), 3)
    await wait_for(cleans_up(), 3)
    kept = asyncio.create_task(polite())
    await wait_for(shield(kept), 3)
    await stubborn()


class Reader:
    async def _read(self):
        while True:
            try:
                await asyncio.sleep(1)
            except (asyncio.CancelledError, OSError):
                print("again")

    async def read(self):
        return await asyncio.wait_for(self._read(), 1)  # expect: HCS104


async def caught_inside(read):
    async with asyncio.timeout(3):
        while True:
            try:
                await read()
            except asyncio.CancelledError:  # expect: HCS104
                continue


class Outer(Reader):
    async def poll(self):
        await self._read()

    async def poll_longer(self):
        await self.poll()

    async def bounded(self):
        await wait_for(self.poll_longer(), 1)  # expect: HCS104
        async with timeout(1):
            await self.poll()  # expect: HCS104
