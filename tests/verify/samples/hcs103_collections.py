"""Collections of tasks that are read again behind an await."""

import asyncio


class Pool:
    def __init__(self):
        self._tasks = set()
        self._fixed = [asyncio.create_task(self.work())]
        self._by_name = {}

    async def work(self):
        await asyncio.sleep(1)

    def add(self, name):
        task = asyncio.create_task(self.work())
        self._tasks.add(task)
        self._by_name[name] = task

    async def close(self):
        for task in self._tasks:
            task.cancel()
        await asyncio.sleep(0)
        await asyncio.gather(*self._tasks, return_exceptions=True)  # expect: HCS103

    async def close_values(self):
        for task in self._by_name.values():
            task.cancel()
        await asyncio.sleep(0)
        await asyncio.wait(self._by_name.values())  # expect: HCS103

    async def close_named(self, name):
        self._by_name[name].cancel()
        await asyncio.sleep(0)
        await asyncio.wait([self._by_name[name]])  # expect: HCS103

    async def close_at_once(self):
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def close_copy(self):
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.sleep(0)
        await asyncio.gather(*tasks, return_exceptions=True)

    async def close_fixed(self):
        for task in self._fixed:
            task.cancel()
        await asyncio.sleep(0)
        await asyncio.gather(*self._fixed, return_exceptions=True)
