"""Coroutines that swallow their cancellation, each at the line marked so, and some that only look as if they did."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

Sleeper = Callable[[], Coroutine[Any, Any, object]]

ENDLESS_S = 1000.0


async def in_an_except_clause() -> None:
    try:
        await asyncio.sleep(ENDLESS_S)
    except ValueError:
        raise
    except (KeyError, asyncio.CancelledError):  # in_an_except_clause swallows
        pass
    await asyncio.sleep(0)


async def in_a_bare_clause_and_returns() -> str:
    try:
        await asyncio.sleep(ENDLESS_S)
    except:  # in_a_bare_clause_and_returns swallows # noqa: E722
        return "done"
    return ""


async def in_a_loop() -> None:
    turns = 2
    while turns:
        turns -= 1
        try:
            await asyncio.sleep(ENDLESS_S if turns else 0)
        except BaseException:  # in_a_loop swallows
            continue


async def after_clean_up() -> None:
    try:
        await asyncio.sleep(ENDLESS_S)
    except asyncio.CancelledError:  # after_clean_up swallows
        await asyncio.sleep(0)
        await asyncio.sleep(0)


async def by_suppress() -> None:
    with contextlib.suppress(asyncio.CancelledError):  # by_suppress swallows
        await asyncio.sleep(ENDLESS_S)


@contextlib.contextmanager
def forgiving() -> Iterator[None]:
    try:
        yield
    except asyncio.CancelledError:
        return


async def in_a_context_manager() -> None:
    with forgiving():  # in_a_context_manager swallows
        await asyncio.sleep(ENDLESS_S)


async def of_an_awaited_child() -> None:
    """The well-known idiom: it takes the cancellation of its own task for that of the child."""
    child = asyncio.ensure_future(asyncio.sleep(ENDLESS_S))
    await asyncio.sleep(0)
    try:
        await child
    except asyncio.CancelledError:  # of_an_awaited_child swallows
        return


SWALLOWING: tuple[Sleeper, ...] = (
    in_an_except_clause,
    in_a_bare_clause_and_returns,
    in_a_loop,
    after_clean_up,
    by_suppress,
    in_a_context_manager,
    of_an_awaited_child,
)


async def raises_again() -> None:
    try:
        await asyncio.sleep(ENDLESS_S)
    except asyncio.CancelledError:
        await asyncio.sleep(0)
        raise


async def cleans_up_in_finally() -> None:
    try:
        await asyncio.sleep(ENDLESS_S)
    finally:
        with contextlib.suppress(ValueError):
            await asyncio.sleep(0)
            raise ValueError


async def ends_a_child_in_clean_up() -> None:
    child = asyncio.ensure_future(asyncio.sleep(ENDLESS_S))
    try:
        await asyncio.sleep(ENDLESS_S)
    finally:
        child.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await child


async def bears_a_second_cancel_in_clean_up() -> None:
    here = asyncio.current_task()
    assert here is not None
    try:
        await asyncio.sleep(ENDLESS_S)
    except asyncio.CancelledError:
        asyncio.get_running_loop().call_soon(here.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(ENDLESS_S)
        raise


async def takes_it_back() -> None:
    here = asyncio.current_task()
    assert here is not None
    try:
        await asyncio.sleep(ENDLESS_S)
    except asyncio.CancelledError:
        here.uncancel()


async def is_closed_in_an_async_generator() -> None:
    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
            await asyncio.sleep(ENDLESS_S)
        finally:
            await asyncio.sleep(0)

    async with contextlib.aclosing(numbers()) as stream:  # type: ignore[type-var]
        async for _ in stream:
            pass


HARMLESS: tuple[Sleeper, ...] = (
    raises_again,
    cleans_up_in_finally,
    ends_a_child_in_clean_up,
    bears_a_second_cancel_in_clean_up,
    takes_it_back,
    is_closed_in_an_async_generator,
)


async def runs_into_a_timeout() -> None:
    try:
        async with asyncio.timeout(0):
            await asyncio.sleep(ENDLESS_S)
    except TimeoutError:
        await asyncio.sleep(0)


async def fails_in_a_group() -> None:
    async def fail() -> None:
        raise ValueError

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
            await asyncio.sleep(ENDLESS_S)
    except* ValueError:
        pass


async def awaits_a_child_it_cancelled() -> None:
    child = asyncio.ensure_future(asyncio.sleep(ENDLESS_S))
    await asyncio.sleep(0)
    child.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await child
    await asyncio.sleep(0)


async def awaits_a_child_that_somebody_cancelled() -> None:
    child = asyncio.ensure_future(raises_again())
    asyncio.get_running_loop().call_later(0, child.cancel)
    try:
        await child
    except asyncio.CancelledError:
        await asyncio.sleep(0)


UNDISTURBED: tuple[Sleeper, ...] = (
    runs_into_a_timeout,
    fails_in_a_group,
    awaits_a_child_it_cancelled,
    awaits_a_child_that_somebody_cancelled,
)


async def times_out_and_is_then_cancelled() -> None:
    await runs_into_a_timeout()
    await in_an_except_clause()


async def waits_too_long_and_is_then_cancelled() -> None:
    """Here the timeout ends in the library's own code."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(asyncio.sleep(ENDLESS_S), 0.001)
    await in_an_except_clause()


async def swallows_and_then_ends_a_child() -> None:
    await in_an_except_clause()
    await awaits_a_child_it_cancelled()
