# fixes: HCS101 unsafe 5
# before: left left cleaned left cleaned left cleaned left cleaned cleaned cleaned
# after: cleaned left cleaned left cleaned left cleaned cleaned left cleaned left
from asyncio import Task, create_task, run, sleep

events = []


async def child():
    try:
        await sleep(10)
    finally:
        await sleep(0)
        events.append("cleaned")


async def plain():
    task = create_task(child())
    await sleep(0)
    task.cancel()


async def guarded(with_task=True):
    task = create_task(child()) if with_task else None
    await sleep(0)
    if task is not None:
        # It would go on for ever.
        task.cancel()


async def behind_a_colon(with_task=True):
    task = create_task(child()) if with_task else None
    await sleep(0)
    if task: task.cancel()  # it may be None


async def many():
    tasks = [create_task(child()) for _ in range(2)]
    await sleep(0)
    for task in tasks:
        if not task.done():
            task.cancel()


async def given(task: Task):
    await sleep(0)
    task.cancel()


async def main():
    for stop in (plain, guarded, behind_a_colon, many):
        await stop()
        events.append("left")
    task = create_task(child())
    await given(task)
    events.append("left")
    await guarded(False)
    await behind_a_colon(False)
    await sleep(0.01)
    print(*events)


run(main())
