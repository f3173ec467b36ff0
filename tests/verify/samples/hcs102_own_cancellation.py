import asyncio
import contextlib
from asyncio import CancelledError
from contextlib import contextmanager, suppress

QUIET = (asyncio.CancelledError, Exception)


async def work():
    pass


async def idiom():
    task = asyncio.create_task(work())
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:  # expect: HCS102
        pass


async def with_suppress():
    task = asyncio.create_task(work())
    task.cancel()
    with suppress(asyncio.CancelledError):  # expect: HCS102
        await task


async def with_suppress_module():
    task = asyncio.create_task(work())
    task.cancel()
    with contextlib.suppress(CancelledError, Exception):  # expect: HCS102
        await task


async def bare():
    task = asyncio.create_task(work())
    task.cancel()
    try:
        await task
    except:  # expect: HCS102
        print("ended")


async def base():
    task = asyncio.create_task(work())
    task.cancel()
    try:
        await asyncio.wait_for(task, 1)
    except BaseException as error:  # expect: HCS102
        print(error)


async def tuple_():
    task = asyncio.create_task(work())
    task.cancel()
    try:
        await task
    except (CancelledError, Exception):  # expect: HCS102
        return


async def constant():
    task = asyncio.create_task(work())
    task.cancel()
    try:
        await task
    except QUIET:  # expect: HCS102
        pass


async def inside_try():
    task = asyncio.create_task(work())
    try:
        task.cancel()
        await task
    except asyncio.CancelledError:  # expect: HCS102
        pass


async def many():
    tasks = [asyncio.create_task(work()) for _ in range(3)]
    for task in tasks:
        task.cancel()
    for task in tasks:
        try:
            await task
        except asyncio.CancelledError:  # expect: HCS102
            continue


async def gathered():
    tasks = [asyncio.create_task(work()) for _ in range(3)]
    for task in tasks:
        task.cancel()
    try:
        await asyncio.gather(*tasks)
    except asyncio.CancelledError:  # expect: HCS102
        pass


async def draft(dialog):
    task = None
    try:
        task = asyncio.create_task(work())
        return await dialog
    finally:
        if task and not task.done():
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:  # expect: HCS102
                pass


async def cancel_and_wait(task):
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:  # expect: HCS102
        pass


async def wait_quietly(task):
    with suppress(asyncio.CancelledError):  # expect: HCS102
        await task


async def through_helper():
    task = asyncio.create_task(work())
    task.cancel()
    await wait_quietly(task)


@contextmanager
def ignoring_cancel():
    try:
        yield
    except asyncio.CancelledError:
        pass


async def with_own_manager():
    task = asyncio.create_task(work())
    task.cancel()
    with ignoring_cancel():  # expect: HCS102
        await task


class Owner:
    def __init__(self):
        self._task = asyncio.create_task(work())
        self.tasks = {}

    def _cancel(self):
        self._task.cancel()

    async def close(self):
        self._cancel()
        try:
            await self._task
        except asyncio.CancelledError:  # expect: HCS102
            pass

    async def close_one(self, name):
        task = self.tasks.pop(name)
        task.cancel()
        with suppress(asyncio.CancelledError):  # expect: HCS102
            await task

    async def close_attribute(self):
        if self._task:
            self._task.cancel()
            with suppress(BaseException):  # expect: HCS102
                await self._task


async def group_syntax():
    task = asyncio.create_task(work())
    task.cancel()
    try:
        await task
    except* asyncio.CancelledError:  # expect: HCS102
        pass


# What follows is right.


async def asks_whose():
    task = asyncio.create_task(work())
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        if asyncio.current_task().cancelling():
            raise


async def raises_unless_childs():
    task = asyncio.create_task(work())
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        if not task.cancelled():
            raise


async def waits():
    task = asyncio.create_task(work())
    task.cancel()
    await asyncio.wait({task})


async def gathers():
    task = asyncio.create_task(work())
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def narrower():
    task = asyncio.create_task(work())
    task.cancel()
    try:
        await task
    except Exception:
        pass


async def first_handler_raises():
    task = asyncio.create_task(work())
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        raise
    except BaseException:
        pass


async def already_leaving():
    task = asyncio.create_task(work())
    try:
        await work()
    except asyncio.CancelledError:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        raise


async def raises_in_the_end():
    tasks = {asyncio.create_task(work())}
    seen = None
    for task in tasks:
        task.cancel()
    try:
        await asyncio.wait(tasks)
    except asyncio.CancelledError as error:
        seen = error
    if seen is not None:
        raise seen


def from_outside(loop):
    task = loop.create_task(work())
    task.cancel()
    try:
        loop.run_until_complete(task)
    except asyncio.CancelledError:
        pass
