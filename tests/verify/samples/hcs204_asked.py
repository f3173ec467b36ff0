"""Those who may refuse, and callers who ask before."""

import asyncio


class Queue:
    def __init__(self):
        self.closed = False
        self.tasks = set()

    def start(self, coro):
        if self.closed:
            raise RuntimeError("closed")
        self.tasks.add(asyncio.create_task(coro))

    async def work(self):
        await asyncio.sleep(1)

    def go(self):
        self.start(self.work())  # expect: HCS204

    def go_checked(self):
        if not self.closed:
            self.start(self.work())

    def go_or_leave(self):
        if self.closed:
            return
        self.start(self.work())

    def go_if(self, wanted):
        if wanted:
            self.start(self.work())  # expect: HCS204
