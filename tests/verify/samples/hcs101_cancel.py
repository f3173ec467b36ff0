import asyncio
import asyncio as aio
from asyncio import create_task as ct
from contextlib import AsyncExitStack, suppress


async def work() -> int:
    return 1


async def plain():
    task = asyncio.create_task(work())
    await asyncio.sleep(1)
    if not task.done():
        task.cancel()  # expect: HCS101


async def aliased_module():
    task = aio.ensure_future(work())
    task.cancel("late")  # expect: HCS101


async def aliased_function(x):
    if (task := ct(work())) is not None:
        await x
        task.cancel()  # expect: HCS101


async def in_finally(dialog):
    task = asyncio.get_running_loop().create_task(work())
    try:
        await dialog
    finally:
        task.cancel()  # expect: HCS101


async def pending_after_wait(a, b):
    done, pending = await asyncio.wait({ct(a), ct(b)}, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()  # expect: HCS101
    return done.pop().result()


async def in_list():
    tasks = [asyncio.create_task(work()) for _ in range(3)]
    for task in tasks:
        task.cancel()  # expect: HCS101


async def in_comprehension():
    tasks = []
    tasks.append(asyncio.create_task(work()))
    [task.cancel() for task in tasks]  # expect: HCS101


async def in_dict(names):
    tasks = {name: asyncio.create_task(work()) for name in names}
    for name, task in tasks.items():
        print(name)
        task.cancel()  # expect: HCS101
    tasks.clear()


async def awaited_before_only():
    task = asyncio.create_task(work())
    try:
        await asyncio.wait_for(asyncio.shield(task), 1)
    except TimeoutError:
        task.cancel()  # expect: HCS101


async def helper(task: asyncio.Task[int]) -> None:
    task.cancel()  # expect: HCS101


class Ticker:
    def __init__(self):
        self._task = None
        self._jobs: dict[str, asyncio.Task] = {}
        self._all = set()

    def start(self, name):
        self._task = asyncio.create_task(work())
        self._jobs[name] = asyncio.create_task(work())
        job = asyncio.create_task(work())
        self._all.add(job)
        job.add_done_callback(self._all.discard)

    def stop(self):
        if self._task is not None:
            self._task.cancel()  # expect: HCS101
            self._task = None

    async def stop_one(self, name):
        job = self._jobs.pop(name, None)
        if job:
            job.cancel()  # expect: HCS101

    def stop_all(self):
        for job in self._all:
            job.cancel()  # expect: HCS101


class Debounced:
    _timer: "asyncio.Task[None] | None" = None

    def __call__(self):
        if self._timer:
            self._timer.cancel()  # expect: HCS101
        self._timer = asyncio.create_task(asyncio.sleep(1))


def make() -> asyncio.Task:
    return asyncio.create_task(work())


async def from_function():
    task = make()
    task.cancel()  # expect: HCS101


async def made_by_coroutine():
    async def begin():
        return asyncio.create_task(work())

    task = await begin()
    task.cancel()  # expect: HCS101


async def walks_all():
    for task in asyncio.all_tasks():
        if task is not asyncio.current_task():
            task.cancel()  # expect: HCS101


_task: asyncio.Task | None = None


async def set_global():
    global _task
    _task = asyncio.create_task(work())


def stop_global():
    if _task:
        _task.cancel()  # expect: HCS101


# What follows is right.


async def awaited():
    task = asyncio.create_task(work())
    task.cancel()
    await asyncio.wait({task})


async def gathered():
    tasks = [asyncio.create_task(work()) for _ in range(3)]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def gathered_copy(extra):
    tasks = {asyncio.create_task(work())}
    pending = [task for task in tasks if not task.done()] + [extra]
    for task in pending:
        task.cancel()
    if pending:
        await asyncio.wait(pending, timeout=1)


async def handed_on(finish):
    task = asyncio.create_task(work())
    task.cancel()
    await finish(task)


async def returned():
    task = asyncio.create_task(work())
    task.cancel()
    return task


async def in_group():
    async with asyncio.TaskGroup() as group:
        task = group.create_task(work())
        task.cancel()


async def timer():
    handle = asyncio.get_running_loop().call_later(1, print)
    handle.cancel()
    future = asyncio.get_running_loop().create_future()
    future.cancel()
    asyncio.current_task().cancel()


async def closure():
    task = asyncio.create_task(work())

    def stop():
        task.cancel()

    asyncio.get_running_loop().call_later(1, stop)
    with suppress(asyncio.CancelledError):
        return await task


async def polled():
    task = asyncio.create_task(work())
    task.cancel()
    while not task.done():
        await asyncio.sleep(0)


async def in_order():
    tasks = [asyncio.create_task(work())]
    for task in tasks:
        task.cancel()
    for task in tasks:
        await asyncio.wait([task])


async def stacked():
    async with AsyncExitStack() as stack:
        task = asyncio.create_task(work())
        task.cancel()
        stack.push_async_callback(asyncio.wait, {task})


class Service:
    def __init__(self):
        self._task = None
        self._tasks = set()

    async def run(self):
        self._task = asyncio.create_task(work())
        self._tasks.add(asyncio.create_task(work()))
        await self._task

    def stop(self):
        self._task.cancel()

    def _cancel_all(self):
        for task in self._tasks:
            task.cancel()

    async def close(self):
        self._cancel_all()
        await self._wait_all()

    async def _wait_all(self):
        tasks = list(self._tasks)
        await asyncio.gather(*tasks, return_exceptions=True)


def cancel_quietly(task):
    task.cancel()


async def through_helper():
    task = asyncio.create_task(work())
    cancel_quietly(task)
    await asyncio.wait([task])


class Job:
    def cancel(self):
        pass


def not_a_task(job: Job, other):
    job.cancel()
    other.cancel()


# Other ways to hold a task, and to cancel it.


class Holder:
    task: asyncio.Task | None = None

    def __init__(self):
        self.slots = [None, None]
        self.named = {}
        self.one = None
        self.two = None

    def begin(self):
        self.slots[0] = asyncio.create_task(work())
        self.named["x"] = asyncio.create_task(work())
        self.one = self.two = asyncio.create_task(work())

    def end(self):
        self.slots[0].cancel()  # expect: HCS101
        self.named["x"].cancel()  # expect: HCS101
        self.task and self.task.cancel()  # expect: HCS101
        for task in (self.one, self.two):
            if task:
                task.cancel()  # expect: HCS101

    async def __aexit__(self, *exc):
        if (task := self.task) is not None:
            task.cancel()  # expect: HCS101


class App:
    def __init__(self, holder: Holder):
        self.holder = holder

    def quit(self):
        self.holder.task.cancel()  # expect: HCS101


async def created_and_cancelled():
    asyncio.create_task(work()).cancel()  # expect: HCS101


async def mapped(tasks: list[asyncio.Task]):
    list(map(lambda task: task.cancel(), tasks))  # expect: HCS101


async def popped():
    tasks = [asyncio.create_task(work())]
    while tasks:
        tasks.pop().cancel()  # expect: HCS101


async def unpacked():
    first, second = asyncio.create_task(work()), asyncio.create_task(work())
    await first
    second.cancel()  # expect: HCS101
