"""Waiting for news of a log, under every order of events."""

from __future__ import annotations

import asyncio

from openhcs.testing.explore import World, explore
from openhcs.tui.panes.run_log import POLL_S, wait_set


@explore(cancels=1)
async def test_a_cancellation_that_comes_with_the_timeout_is_not_taken_for_it(world: World) -> None:
    """Whoever closes the log just when it would look again ends the following of it."""
    waiting = world.operation("follow", wait_set(asyncio.Event(), POLL_S))
    await asyncio.wait({waiting})


async def test_news_end_the_wait() -> None:
    """A block that is asked for is read at once."""
    wake = asyncio.Event()
    wake.set()
    async with asyncio.timeout(10.0):
        await wait_set(wake, 3600.0)
