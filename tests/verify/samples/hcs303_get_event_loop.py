import asyncio
from asyncio import get_event_loop

loop = asyncio.get_event_loop()  # expect: HCS303


class Service:
    loop = get_event_loop()  # expect: HCS303

    async def run(self, loop=None):
        loop = loop or asyncio.get_event_loop()  # expect: HCS303
        return get_event_loop().time()  # expect: HCS303

    def start(self):
        asyncio.get_event_loop().stop()

    async def right(self):
        return asyncio.get_running_loop().time()


def default(loop=asyncio.get_event_loop()):  # expect: HCS303
    return loop


def later():
    return asyncio.get_event_loop()


if __name__ == "__main__":
    asyncio.get_event_loop().run_until_complete(Service().run())
