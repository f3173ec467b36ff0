# fixes: HCS102 unsafe 4
# before: went on, went on, went on, went on
# after: ended, ended, ended, ended
import asyncio
import contextlib
from contextlib import suppress


async def child():
    try:
        await asyncio.sleep(10)
    finally:
        await asyncio.sleep(0.01)


async def by_except(task):
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        pass


async def by_two_handlers(task):
    if task is not None:
        task.cancel()
        # It is ours.
        try:
            await task  # to its end
        except asyncio.CancelledError:
            pass
        except Exception:
            pass


async def by_suppress(task):
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


class Owner:
    def __init__(self, task):
        self.task = task

    async def close(self):
        if self.task:
            self.task.cancel()
            with contextlib.suppress(BaseException):
                await self.task
            self.task = None


async def outcome(stop):
    async def outer():
        await stop(task)
        return "went on"

    task = asyncio.create_task(child())
    await asyncio.sleep(0)
    waiting = asyncio.create_task(outer())
    await asyncio.sleep(0.001)
    waiting.cancel()
    result = await asyncio.gather(waiting, return_exceptions=True)
    await asyncio.wait({task})
    return result[0] if isinstance(result[0], str) else "ended"


async def main():
    stops = [by_except, by_two_handlers, by_suppress, lambda task: Owner(task).close()]
    print(", ".join([await outcome(stop) for stop in stops]))


asyncio.run(main())
