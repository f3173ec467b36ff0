"""Cancelled tasks that somebody looks after in another way than by awaiting them, and those that get out of reach."""

import asyncio


async def work():
    pass


class Group:
    """Waits by a done-callback, as `asyncio.TaskGroup` does."""

    def __init__(self):
        self._tasks = set()
        self._ended = None

    def start(self):
        task = asyncio.create_task(work())
        self._tasks.add(task)
        task.add_done_callback(self._on_done)

    def _on_done(self, task):
        self._tasks.discard(task)
        if not task.cancelled() and task.exception():
            self.abort()

    def abort(self):
        for task in self._tasks:
            task.cancel()


class Starter:
    def start(self):
        task = asyncio.ensure_future(work())
        task.add_done_callback(self.ended)
        return task

    def ended(self, task):
        try:
            task.result()
        except BaseException:
            print("ended")

    def replace(self):
        task = self.start()
        task.cancel()


class Forgetful:
    """The callback does not ask how the task ended."""

    def __init__(self):
        self._tasks = set()

    def start(self):
        task = asyncio.create_task(work())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def abort(self):
        for task in self._tasks:
            task.cancel()  # expect: HCS101


class Registry:
    """Awaits the tasks it still has: those taken out are not among them."""

    def __init__(self):
        self._tasks: dict[str, asyncio.Task] = {}

    def drop(self, name):
        task = self._tasks.pop(name, None)
        if task is not None:
            task.cancel()  # expect: HCS101

    def drop_later(self, name):
        self._tasks[name].cancel()  # expect: HCS101
        self._tasks.pop(name)

    def stop(self, name):
        self._tasks[name].cancel()

    async def remove(self, name):
        task = self._tasks.pop(name)
        task.cancel()
        await asyncio.wait([task])

    async def close(self):
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)


class Jobs:
    """Who asks for a job awaits it: it may be taken out meanwhile."""

    def __init__(self):
        self._jobs: dict[str, asyncio.Task] = {}

    async def result(self, name):
        return await self._jobs[name]

    def drop(self, name):
        self._jobs.pop(name).cancel()


async def race(first, second):
    one, two = asyncio.ensure_future(first), asyncio.ensure_future(second)
    try:
        await asyncio.wait({one, two}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (one, two):
            task.cancel()
        await asyncio.gather(one, two, return_exceptions=True)


async def staggered():
    running = []

    async def run(number):
        running.append(asyncio.create_task(work()))
        for index, task in enumerate(running):
            if index != number:
                task.cancel()

    running.append(asyncio.create_task(run(0)))
    await asyncio.wait(running)
