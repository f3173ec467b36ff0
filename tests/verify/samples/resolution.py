"""Names are resolved, not matched."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from asyncio import *

if TYPE_CHECKING:
    from asyncio import Task

try:
    import uvloop
except ImportError:
    uvloop = None


class Trolley:
    """Not asyncio."""

    def create_task(self, work):
        return Trolley()

    def cancel(self):
        pass

    def focus(self, x):
        pass

    def set_exception_handler(self, handler):
        pass


asyncio_like = Trolley()


async def own_names(trolley: Trolley):
    task = trolley.create_task(print)
    task.cancel()
    asyncio_like.create_task(print)
    trolley.set_exception_handler(own_names)
    await sleep(1)
    trolley.focus(1)


async def star():
    job = create_task(sleep(1))
    job.cancel()  # expect: HCS101


async def annotated(job: Task[None]):
    job.cancel()  # expect: HCS101


async def shadowed(asyncio):
    task = asyncio.create_task(1)
    task.cancel()


def create_task_here():
    def create_task(coro):
        return Trolley()

    task = create_task(1)
    task.cancel()
