"""Answers of workers, and workers that go before they have answered: what both kinds of cluster have in common."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Coroutine
from typing import Any, TypeVar

from openhcs.core.progress import Failure, WellDone

__all__ = ["Answers", "WorkerLost", "outcome_of"]

Answer = TypeVar("Answer")


class WorkerLost(Exception):
    """The worker went before it had answered."""


class Answers:
    """Waits for answers, by the workers' addresses, as long as whoever watches the workers does not say one is lost."""

    def __init__(self) -> None:
        self._lost: dict[str, asyncio.Future[None]] = {}

    async def wait_for(self, address: str, answer: Coroutine[Any, Any, Answer]) -> Answer:
        """The answer of the worker at an address.

        Raises:
            WorkerLost: the worker went, or the scheduler did.
        """
        lost = self._lost.setdefault(address, asyncio.get_running_loop().create_future())
        answering = asyncio.create_task(answer, name=f"answer of {address}")
        either: set[asyncio.Future[Any]] = {answering, lost}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                raise WorkerLost
            return answering.result()
        finally:
            answering.cancel()  # noqa: HCS101 - it only waits

    def lose(self, address: str) -> None:
        """Say that the worker at an address is gone: nothing is waited for there."""
        lost = self._lost.pop(address, None)
        if lost is not None and not lost.done():
            lost.set_result(None)


async def outcome_of(answer: Awaitable[WellDone | Failure | None]) -> WellDone | Failure:
    """What became of a well; raises `WorkerLost`, also where another process has taken the place of the one meant."""
    try:
        outcome = await answer
    except WorkerLost:
        raise
    except Exception as error:  # Dask's own, such as a plan that does not arrive: the well's failure
        return Failure(f"{type(error).__name__}: {error}", type(error).__name__, traceback=traceback.format_exc())
    if outcome is None:
        raise WorkerLost
    return outcome
