# fixes: HCS301 unsafe 6
# before: []
# after: ['a method', 'a task', 'an event', 'lambda', 'soon', 'with 1']
# ignore warnings
import asyncio

import owner
from prompt_toolkit.buffer import Buffer

done = []


async def work(what):
    done.append(what)


class Host:
    async def save(self):
        done.append("a method")

    async def changed(self, buffer):
        done.append(buffer.text)


async def soon():
    done.append("soon")


async def ended(task):
    done.append("a task")


async def nothing():
    pass


async def main():
    loop = asyncio.get_running_loop()
    host = Host()
    loop.call_soon(host.save)
    loop.call_soon(soon)
    loop.call_soon(work, "with 1")
    loop.call_later(0, lambda: work("lambda"))
    task = asyncio.create_task(nothing())
    task.add_done_callback(ended)
    await task
    buffer = Buffer()
    buffer.on_text_changed += host.changed
    buffer.text = "an event"
    await asyncio.sleep(0.01)
    await owner.settle()
    print(sorted(done))


asyncio.run(main())
