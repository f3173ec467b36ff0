"""A coroutine that was given a coroutine closes it in every case in which its body does not."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Coroutine
from typing import Any

import pytest

from openhcs.tui.utils.owned_coroutine import OwnedCoroutine, close_coroutine, is_under_way


async def inner(result: object = "result") -> Any:
    await asyncio.sleep(0)
    return result


async def awaiting(owned: Coroutine[Any, Any, Any]) -> Any:
    return await owned


async def ignoring(owned: Coroutine[Any, Any, Any]) -> str:
    await asyncio.sleep(0)
    return "ignored"


async def raising(owned: Coroutine[Any, Any, Any]) -> str:
    raise ValueError("before it began")


def is_closed(coroutine: Any) -> bool:
    return coroutine.cr_frame is None


async def test_awaited_it_runs_the_body() -> None:
    """Awaited directly or as a task, it gives the body's result."""
    assert await OwnedCoroutine(awaiting, inner(1)) == 1
    assert await asyncio.create_task(OwnedCoroutine(awaiting, inner(2))) == 2


@pytest.mark.parametrize("end", ["thrown away", "closed", "thrown into"])
def test_never_started(end: str) -> None:
    """Thrown away, closed or thrown into before its first step, it closes what it was given."""
    given = inner()
    owned = OwnedCoroutine(awaiting, given)
    if end == "closed":
        owned.close()
        owned.close()
    elif end == "thrown into":
        with pytest.raises(KeyError):
            owned.throw(KeyError("x"))
    del owned
    gc.collect()
    assert is_closed(given)


async def test_cancelled_before_its_first_step() -> None:
    """A task cancelled before it starts closes both."""
    given = inner()
    task = asyncio.create_task(OwnedCoroutine(awaiting, given))
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert is_closed(given)


@pytest.mark.parametrize("body", [ignoring, raising])
async def test_a_body_that_ends_without_awaiting(body: Any) -> None:
    """A body that returns or raises before it awaits leaves nothing open."""
    for run in (asyncio.create_task, lambda owned: owned):
        given = inner()
        try:
            await run(OwnedCoroutine(body, given))
        except ValueError:
            assert body is raising
        assert is_closed(given)


async def test_cancelled_between_its_first_step_and_the_await() -> None:
    """A body cancelled while it waits for something else closes what it has not begun."""
    given = inner()
    task = asyncio.create_task(OwnedCoroutine(ignoring, given))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert is_closed(given)


async def test_owned_in_owned() -> None:
    """Ownership goes through any number of layers."""
    given = inner()
    OwnedCoroutine(awaiting, OwnedCoroutine(awaiting, given)).close()
    assert is_closed(given)
    assert await OwnedCoroutine(awaiting, OwnedCoroutine(awaiting, inner(3))) == 3


async def test_a_body_may_hand_it_on() -> None:
    """What the body has started elsewhere is left to whoever runs it."""

    async def handing_on(owned: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.create_task(owned)
        await asyncio.sleep(0)
        return task

    assert await (await OwnedCoroutine(handing_on, inner(4))) == 4


async def test_an_exception_thrown_in_reaches_the_inner_one() -> None:
    """A cancellation arrives where the body stands, and what it raises comes out."""
    seen = []

    async def watching() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append(True)
            raise

    task = asyncio.create_task(OwnedCoroutine(awaiting, watching()))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert seen == [True]
    assert task.cancelled()


async def test_it_shows_where_it_stands() -> None:
    """A task's stack sees through it, and it is named after what it was given."""
    given = inner()
    owned = OwnedCoroutine(awaiting, given)
    assert owned.__name__ == "inner"
    task = asyncio.create_task(owned)
    await asyncio.sleep(0)
    assert any(frame.f_code is awaiting.__code__ for frame in task.get_stack())
    assert owned.cr_await is given
    assert not owned.cr_running
    await task


def test_closing_takes_anything() -> None:
    """`close_coroutine` closes coroutines and leaves everything else alone, whatever their clean-up does."""

    async def fails_to_close() -> None:
        try:
            await inner()
        finally:
            raise OSError

    started = fails_to_close()
    started.send(None)
    assert is_under_way(started)
    given = inner()
    for thing in (given, started, None, 3, inner, [], object()):
        close_coroutine(thing)
    assert is_closed(given)
    assert not is_under_way(started)
