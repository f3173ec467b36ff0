"""One trip to a thread for each item, in other clothes."""

import asyncio


def load(path):
    return path


async def in_thread(function, *args):
    return await asyncio.to_thread(function, *args)


async def sizes(paths, loop):
    found = [len(await asyncio.to_thread(load, path)) for path in paths]  # expect: HCS305
    by_path = {path: await in_thread(load, path) for path in paths}  # expect: HCS305
    for path in paths:
        future = loop.run_in_executor(None, load, path)
        by_path[path] = await future  # expect: HCS305
    futures = {path: loop.run_in_executor(None, load, path) for path in paths}
    for path, future in futures.items():
        by_path[path] = await future
    return found, by_path
