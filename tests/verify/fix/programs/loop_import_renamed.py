# fixes: HCS303 safe 2
from asyncio import (
    get_event_loop,
    run,
    sleep,
)


class Clock:
    async def started(self):
        await sleep(0)
        return get_event_loop().time() > 0


async def main():
    print(await Clock().started(), get_event_loop().is_running())


run(main())
