#!/usr/bin/env python3
# fixes: HCS206 safe 3
# owner: owner
from __future__ import annotations

from asyncio import create_task, run, sleep
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from owner import settle

done = []


async def work(what: str) -> None:
    await sleep(0)
    done.append(what)


def start(then=None) -> None:
    """Start some."""
    create_task(work("a statement"))
    create_task(work("another"), name="other")
    if then: create_task(work("behind a colon"))


async def main() -> None:
    start(then=True)
    import owner

    await owner.settle()
    print(done)


run(main())
