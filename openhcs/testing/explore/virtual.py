"""The loop as a program sees it: virtual time, reproducible tasks, threads that end when the world says so.

What runs when is decided in `loop`; here is what may be asked of it.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import itertools
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

from openhcs.testing.explore.numbered import Future, Task
from openhcs.testing.explore.oracles import Oracles
from openhcs.testing.explore.outside import Outside
from openhcs.testing.explore.unsupported import RefusesTheRealWorld

__all__ = ["VirtualLoop"]


class VirtualLoop(RefusesTheRealWorld, asyncio.BaseEventLoop):
    """An event loop without a selector and without a clock."""

    # What BaseEventLoop has and the stubs do not tell.
    _ready: deque[asyncio.Handle]
    _asyncgens: weakref.WeakSet[Any]
    _task_factory: object
    _check_closed: Callable[[], None]

    def __init__(self) -> None:
        super().__init__()
        self.set_debug(False)
        self.oracles = Oracles()
        self.outside = Outside()
        self.turn = 0
        """The number of the iteration."""
        self.signal_handlers: dict[int, asyncio.Handle] = {}
        self._now = 0.0
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._numbers = itertools.count(1)
        self._task_names = itertools.count(1)

    def time(self) -> float:
        """Virtual seconds since the run began."""
        return self._now

    def spend(self, seconds: float) -> None:
        """Let virtual time pass within a callback, as a blocking call does."""
        self._now += max(0.0, seconds)

    def next_number(self) -> int:
        """Numbers for what must be told apart in the same way in every run."""
        return next(self._numbers)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        """As asyncio's; timers that are due at the same time run in the order in which they were set."""
        self._check_closed()
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, (when, next(self._numbers), timer))
        return timer

    def create_future(self) -> asyncio.Future[Any]:
        """A future with a reproducible hash."""
        return Future(loop=self)

    def create_task(self, coro: Any, *, name: object = None, **kwargs: Any) -> asyncio.Task[Any]:
        """A task with a reproducible hash and name, watched by the oracles."""
        self._check_closed()
        task: asyncio.Task[Any]
        name = f"Task-{next(self._task_names)}" if name is None else str(name)
        if self._task_factory is None:
            task = Task(coro, loop=self, name=name, **kwargs)
        else:
            task = super().create_task(coro, name=name, **kwargs)
        self.oracles.tasks.append(task)
        return task

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> Any:
        """A thread that runs `func` and ends when the schedule says so."""
        self._check_closed()
        future = self.outside.start_thread(func, args, self.turn, len(self._ready))
        return asyncio.wrap_future(future, loop=self)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """An oracle: reported, then given to the program's own handler if it has one."""
        handled = self.get_exception_handler() is not None
        self.oracles.hear_loop(context, handled)
        if handled and not self.oracles.muted:
            super().call_exception_handler(context)

    def add_signal_handler(  # type: ignore[override]
        self, sig: int, callback: Callable[..., object], *args: Any
    ) -> None:
        """Keep the handler; `World.signal` calls it."""
        self.signal_handlers[sig] = asyncio.Handle(callback, args, self, None)

    def remove_signal_handler(self, sig: int) -> bool:
        """Forget the handler; whether there was one."""
        return self.signal_handlers.pop(sig, None) is not None

    def _write_to_self(self) -> None:
        """There is no selector to wake."""

    def _process_events(self, event_list: Any) -> None:
        """There is no selector."""
