"""An owner of tasks, as the programs beside it use it."""

import asyncio

_tasks = set()


def spawn(coroutine, name=None):
    task = asyncio.get_running_loop().create_task(coroutine, name=name)
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


async def settle():
    for _ in range(20):
        await asyncio.sleep(0)
    while _tasks:
        await asyncio.wait(set(_tasks))
