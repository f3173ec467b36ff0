"""Calls of our own workers, straight from the runner to their processes, and what they tell of their wells' steps.

Our workers have nothing but our wells, and `dispatch` decides which has which. So a well is no task of Dask's: of the
runner's and the worker's processor time a task takes three times as much, since scheduler and client hear of it too.
See docs/decisions/0025-our-own-workers-are-called.md.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from distributed import LocalCluster, rpc
from distributed.core import clean_exception
from distributed.diagnostics.plugin import SchedulerPlugin
from distributed.protocol.pickle import dumps

from openhcs.core.cluster import ClusterEvents
from openhcs.core.worker_answers import Answers, WorkerLost

__all__ = ["WorkerCalls"]

Result = TypeVar("Result")


class WorkerCalls:
    """Calls coroutine functions on the workers of an embedded cluster, by address; in their event loops."""

    def __init__(self, local: LocalCluster, topic: str, events: ClusterEvents) -> None:
        self._connection = local.security.get_connection_args("client")
        self._lines: dict[str, rpc] = {}
        self._answers = Answers()
        local.scheduler.add_plugin(_Listener(topic, events), name=topic)

    async def call(
        self, address: str, function: Callable[..., Coroutine[Any, Any, Result]], *arguments: object
    ) -> Result:
        """What a function returns on the worker at an address, or raises there.

        Raises:
            WorkerLost: the worker went.
        """
        return await self._answers.wait_for(address, self._ask(address, function, arguments))

    def lose(self, address: str) -> None:
        """Say that the worker at an address is gone: nothing is waited for there."""
        self._answers.lose(address)
        if (line := self._lines.pop(address, None)) is not None:
            line.close_rpc()

    def close(self) -> None:
        """Call nobody any more."""
        for address in [*self._lines]:
            self.lose(address)

    async def _ask(
        self, address: str, function: Callable[..., Coroutine[Any, Any, Result]], arguments: tuple[object, ...]
    ) -> Result:
        if address not in self._lines:
            self._lines[address] = rpc(address, connection_args=self._connection)
        try:
            answer = await self._lines[address].run(function=dumps(function), args=dumps(arguments))
        except OSError as error:  # the connection broke
            raise WorkerLost from error
        if answer["status"] != "OK":
            _, exception, trace = clean_exception(**answer)
            raise exception.with_traceback(trace)
        result: Result = answer["result"]
        return result


class _Listener(SchedulerPlugin):  # type: ignore[misc]  # distributed has no types
    """Hears in the scheduler, which is in this process, what workers tell of their wells."""

    def __init__(self, topic: str, events: ClusterEvents) -> None:
        self._topic = topic
        self._events = events

    def log_event(self, topic: str, msg: Any) -> None:
        if topic == self._topic:
            self._events.step_began(*msg)
