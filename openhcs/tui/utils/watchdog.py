"""Notices when something blocks the event loop, and where.

The loop beats; a thread listens. When a beat is late by more than the threshold the thread takes the stack of the
loop's thread, which is the code that blocks. It costs a timer and a sleeping thread, and works while the loop does not.
Checked by tests/tui/utils/test_watchdog.py.

Standard library only.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from openhcs.tui.utils.safe_log import log_safely
from openhcs.tui.utils.task_snapshot import thread_stack

__all__ = ["BlockedLoop", "Watchdog"]

logger = logging.getLogger(__name__)

Listener = Callable[["BlockedLoop"], None]

_LIBRARY = os.path.dirname(os.__file__)  # noqa: PTH120 - compared with what code objects call their files, which is text


class BlockedLoop(NamedTuple):
    """The loop has not run for `seconds`, since `since_s` on the monotonic clock.

    `stack` is where its thread stood, `file:line in function`, outermost call first.
    """

    seconds: float
    stack: tuple[str, ...]
    since_s: float

    @property
    def where(self) -> str:
        """The innermost place outside the standard library of what the loop had called."""
        for place in reversed(self.stack):
            if place.startswith(_LIBRARY) and place.endswith(" in _run"):
                break  # what is further out called the loop
            if not _is_in_library(place):
                return place
        return self.stack[-1] if self.stack else "unknown code"

    def __str__(self) -> str:
        return f"the event loop has been blocked for {self.seconds:.1f} s by {self.where}"


class Watchdog:
    """Watches a loop from a thread of its own, in which it calls back; what a callback raises goes to the log.

    Args:
        on_blocked: called once for each time the loop is blocked longer than `threshold_s`.
        on_second: called then with each whole second that the same goes on.
    """

    def __init__(self, on_blocked: Listener, threshold_s: float = 0.5, *, on_second: Listener | None = None) -> None:
        self.last: BlockedLoop | None = None
        """What blocked the loop last and for how long in all, or what blocks it now and for how long so far."""
        self._on_blocked = on_blocked
        self._on_second = on_second
        self._threshold_s = threshold_s
        self._beat_s = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._loop_thread = 0
        self._timer: asyncio.TimerHandle | None = None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Watch the loop that runs here, until `stop`; instead of the one it has watched so far, if any."""
        self.stop()
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._stopping = threading.Event()
        self._beat()
        self._thread = threading.Thread(target=self._listen, args=(self._stopping,), name="watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop watching; call it in the loop, or when that is dead. May be called twice."""
        self._stopping.set()
        if self._timer is not None:
            self._timer.cancel()
        if self._thread not in (None, threading.current_thread()):
            self._thread.join(timeout=1.0)
        self._loop = self._timer = self._thread = None

    def blocked(self) -> BlockedLoop | None:
        """What blocks the loop at this moment, from any thread; None while it runs."""
        since_s = self._beat_s
        late_s = time.monotonic() - since_s
        if self._loop is None or late_s <= self._threshold_s:
            return None
        return BlockedLoop(late_s, thread_stack(self._loop_thread), since_s)

    def _beat(self) -> None:
        now_s, last = time.monotonic(), self.last
        if last is not None and last.since_s == self._beat_s:
            self.last = last._replace(seconds=now_s - last.since_s)
        self._beat_s = now_s
        if self._loop is not None and not self._stopping.is_set():
            self._timer = self._loop.call_later(self._threshold_s / 4, self._beat)

    def _listen(self, stopping: threading.Event) -> None:
        told_since_s, told_seconds = 0.0, 0
        interval_s = self._threshold_s / 2
        while True:
            asleep_s, used_s = time.monotonic(), time.process_time()
            if stopping.wait(interval_s):
                return
            overslept_s = time.monotonic() - asleep_s - interval_s
            if overslept_s > self._threshold_s and time.process_time() - used_s < overslept_s / 2:
                # The whole process was stopped, not the loop alone: a suspended terminal, a sleeping laptop. Had it
                # been at work all the while, then in native code that kept the interpreter from this thread too.
                continue
            blocked = self.blocked()
            if blocked is None:
                continue
            self.last = blocked
            if blocked.since_s != told_since_s:
                told_since_s, told_seconds = blocked.since_s, 0
                self._tell(self._on_blocked, blocked)
            if self._on_second is not None and int(blocked.seconds) > told_seconds:
                told_seconds = int(blocked.seconds)
                self._tell(self._on_second, blocked)

    def _tell(self, listener: Listener, blocked: BlockedLoop) -> None:
        try:
            listener(blocked)
        except Exception as failure:  # the boundary of the watching thread: a listener's fault must not end it
            log_safely(logger, logging.ERROR, "telling of a blocked event loop failed", exc_info=failure)


def _is_in_library(place: str) -> bool:
    return place.startswith("<frozen ") or (place.startswith(_LIBRARY) and "-packages" not in place)
