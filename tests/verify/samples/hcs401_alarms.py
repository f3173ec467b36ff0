"""Those who tell of errors under other names, and what a failure comes back by."""

import asyncio


class Pager:
    def __init__(self, send):
        self._send = send
        self._tasks = set()

    async def alarm(self, error):
        try:
            await self._send(str(error))
        except Exception as failure:
            self.alarm_soon(failure)  # expect: HCS401

    def alarm_soon(self, error):
        task = asyncio.get_running_loop().create_task(self.alarm(error))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class Reporter:
    def __init__(self, loop, post):
        self.loop = loop
        self.post = post
        self.tasks = []

    async def report_exception(self, exc):
        try:
            await self.post(str(exc))
        except OSError as e:
            await self.failed(e)  # expect: HCS401

    async def failed(self, e):
        self.tasks.append(self.loop.create_task(self.report_exception(e)))


class Presenter:
    def __init__(self):
        self.tasks = set()

    def handle_failure(self, error):
        task = asyncio.ensure_future(self.present(error))
        self.tasks.add(task)
        task.add_done_callback(self._presented)

    async def present(self, error):
        await asyncio.sleep(0)

    def _presented(self, task):
        self.tasks.discard(task)
        if not task.cancelled() and task.exception():
            self.handle_failure(task.exception())  # expect: HCS401


class Limited:
    async def report(self, error, depth=0):
        try:
            await asyncio.sleep(0)
        except OSError as e:
            if depth < 3:
                await self.report(e, depth + 1)


class Client:
    """Tries again: nothing is told."""

    async def connect(self):
        try:
            await asyncio.sleep(0)
        except OSError as e:
            await self.reconnect(e)

    async def reconnect(self, reason):
        await asyncio.sleep(1)
        await self.connect()
