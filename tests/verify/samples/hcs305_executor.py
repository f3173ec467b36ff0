import asyncio
from asyncio import to_thread


def load(path):
    return path


async def run_blocking(function, *args):
    """Run a function in a thread."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(None, function, *args)


class Browser:
    def __init__(self, loop):
        self.loop = loop

    async def sizes(self, paths):
        found = []
        for path in paths:
            found.append(await self.loop.run_in_executor(None, load, path))  # expect: HCS305
        return found


async def loops(paths):
    for path in paths:
        await asyncio.to_thread(load, path)  # expect: HCS305
    for number, path in enumerate(paths):
        name = str(path)
        print(number, await to_thread(load, name))  # expect: HCS305
    found = [await to_thread(load, path) for path in paths]  # expect: HCS305
    for path in paths:
        if path:
            await run_blocking(load, path)  # expect: HCS305
    for path in paths:
        await asyncio.get_running_loop().run_in_executor(None, lambda path=path: load(path))  # expect: HCS305
    return found


async def right(paths, chunks):
    def load_all():
        return [load(path) for path in paths]

    await asyncio.to_thread(load_all)
    await asyncio.gather(*(to_thread(load, path) for path in paths))
    for _ in range(3):
        await asyncio.to_thread(load_all)
    async for chunk in chunks:
        await asyncio.to_thread(load, chunk)
    for path in paths:
        data = await asyncio.to_thread(load, path)
        await chunks.send(data)
    for path in paths:
        if await asyncio.to_thread(load, path):
            return path


async def with_pauses(paths):
    for path in paths:
        try:
            await asyncio.to_thread(load, path)  # expect: HCS305
        except OSError:
            pass
        await asyncio.sleep(0)
