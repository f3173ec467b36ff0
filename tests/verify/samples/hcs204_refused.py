import asyncio


async def work():
    pass


class Manager:
    def __init__(self):
        self._closed = False
        self._tasks = set()

    def submit(self, coro, name=None):
        if self._closed:
            raise RuntimeError("closed")
        self._tasks.add(asyncio.create_task(coro))

    def offer(self, coro):
        if len(self._tasks) > 3:
            return None
        task = asyncio.create_task(coro)
        self._tasks.add(task)
        return task

    def careful(self, coro):
        if self._closed:
            coro.close()
            raise RuntimeError("closed")
        self._tasks.add(asyncio.create_task(coro))

    def lazy(self, make):
        if not self._closed:
            self._tasks.add(asyncio.create_task(make()))


manager = Manager()


async def hands_over(target: Manager):
    manager.submit(work(), name="x")  # expect: HCS204
    target.offer(coro=work())  # expect: HCS204
    manager.careful(work())
    manager.lazy(work)


async def too_early(ready):
    coro = work()  # expect: HCS204
    if not ready:
        return
    await coro


async def in_time(ready):
    if not ready:
        return
    coro = work()
    await coro


async def closes(ready):
    coro = work()
    if not ready:
        coro.close()
        return
    await coro


def without_loop():
    try:
        return asyncio.create_task(work())  # expect: HCS204
    except RuntimeError:
        print("no loop")


def asks_first():
    try:
        return asyncio.get_running_loop().create_task(work())
    except RuntimeError:
        print("no loop")


async def conditionally(yes):
    coro = work() if yes else None
    if coro is None:
        return
    await coro


class Locked(Manager):
    async def enqueue(self, coro):
        async with asyncio.Lock():
            if self._closed:
                return
            await coro

    def forward(self, coro):
        self.submit(coro)


async def hands_over_to_locked(locked: Locked):
    await locked.enqueue(work())  # expect: HCS204
    locked.forward(work())  # expect: HCS204


class Single(Manager):
    instance = None

    @classmethod
    def get(cls):
        if cls.instance is None:
            cls.instance = cls()
        return cls.instance


async def hands_over_to_the_one():
    Single.get().submit(work())  # expect: HCS204
