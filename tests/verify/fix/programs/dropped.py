"""Tasks that nobody keeps."""
# fixes: HCS201 safe 11

import asyncio
from functools import partial

import owner

done = []


async def work(what, wait=0):
    await asyncio.sleep(wait)
    done.append((what, asyncio.current_task().get_name() if what.startswith("named") else ""))


class Host:
    def __init__(self, loop):
        self.loop = loop
        self.on_close = lambda: asyncio.create_task(work("attribute"))

    def start(self):
        self.loop.create_task(work("a loop kept"))
        self.loop.create_task(work("named"), name="its name")
        self.loop.create_task(work("named later")).set_name("later")
        unread = self.loop.create_task(
            work("unread"),  # a comment
            name="unread",
        )


async def main(yes=True):
    loop = asyncio.get_running_loop()
    host = Host(loop)
    host.start()
    host.on_close()
    loop.call_soon(lambda: asyncio.ensure_future(work("a timer")))
    loop.call_soon(asyncio.create_task, work("given"))
    loop.call_later(0, partial(asyncio.create_task, work("partial"), name="p"))
    yes and asyncio.create_task(work("and"))
    asyncio.create_task(work("if")) if yes else None
    [asyncio.create_task(work(f"each {number}")) for number in range(2)]
    await asyncio.sleep(0.05)
    await owner.settle()
    print(sorted(done))


asyncio.run(main())
