import asyncio


async def work():
    pass


class Focus:
    def __init__(self):
        self._task = None

    def restart(self):
        self._task = asyncio.create_task(work())

    async def read_again(self):
        self._task.cancel()
        await asyncio.sleep(0)
        await asyncio.wait({self._task})  # expect: HCS103

    async def replaced(self):
        self._task.cancel()
        self._task = asyncio.create_task(work())
        await asyncio.wait({self._task})  # expect: HCS103

    async def forgotten(self):
        self._task.cancel()
        self._task = None
        await asyncio.gather(self._task, return_exceptions=True)  # expect: HCS103

    async def right(self):
        task = self._task
        task.cancel()
        await asyncio.sleep(0)
        await asyncio.wait({task})

    async def right_at_once(self):
        self._task.cancel()
        await asyncio.wait({self._task})
        self._task = None

    async def right_loop(self):
        while True:
            if self._task is not None:
                self._task.cancel()
                await asyncio.wait({self._task})
            self._task = asyncio.create_task(work())
            await asyncio.sleep(1)


async def local_replaced():
    task = asyncio.create_task(work())
    task.cancel()
    task = asyncio.create_task(work())
    await task  # expect: HCS103


async def unbound(prepare):
    try:
        await prepare()
        task = asyncio.create_task(work())
        await work()
    finally:
        task.cancel()  # expect: HCS103
        await asyncio.wait({task})


async def bound_before(prepare):
    task = None
    try:
        await prepare()
        task = asyncio.create_task(work())
        await work()
    finally:
        if task is not None:
            task.cancel()
            await asyncio.wait({task})


async def only_the_last(items):
    task = None
    try:
        for item in items:
            task = asyncio.create_task(work())
            await asyncio.sleep(item)
    finally:
        if task:
            task.cancel()  # expect: HCS103
            await asyncio.wait({task})


async def captured(names, stack):
    for _ in names:
        task = asyncio.create_task(work())

        async def clean_up():
            task.cancel()  # expect: HCS103
            await asyncio.wait({task})

        stack.push_async_callback(clean_up)


async def captured_variable(tasks: list[asyncio.Task], cleanups):
    for task in tasks:

        async def clean_up():
            task.cancel()  # expect: HCS103
            return await asyncio.gather(task, return_exceptions=True)

        cleanups.append(clean_up)


async def captured_by_value(tasks: list[asyncio.Task], cleanups):
    for task in tasks:

        async def clean_up(task=task):
            task.cancel()
            await asyncio.wait({task})

        cleanups.append(clean_up)


async def used_at_once(tasks: list[asyncio.Task]):
    for task in tasks:

        async def clean_up():
            task.cancel()
            await asyncio.wait({task})

        await clean_up()
