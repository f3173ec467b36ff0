# fixes: HCS303 safe 5
import asyncio
import asyncio as aio
import asyncio.events
from asyncio import get_event_loop as current


async def main():
    loops = [
        asyncio.get_event_loop(),
        aio.get_event_loop(),
        asyncio.events.get_event_loop(),
        current(),
    ]

    async def inner(é="é"):
        return é, asyncio.get_event_loop()  # é stands before it

    loops.append((await inner())[1])
    print(len(set(loops)), "loop")


asyncio.run(main())
