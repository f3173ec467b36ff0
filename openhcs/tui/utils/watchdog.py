"""Notices when something blocks the event loop, and where.

The loop beats; a thread listens. When a beat is late by more than the threshold the thread takes the stack of the
loop's thread, which is the code that blocks. It costs a timer and a sleeping thread, and works while the loop does not.
Checked by tests/tui/utils/test_watchdog.py.

Standard library only.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass

from openhcs.tui.utils.safe_log import log_safely

__all__ = ["BlockedLoop", "Watchdog"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BlockedLoop:
    """The loop has not run for `seconds`; `stack` is where its thread stood, outermost call first."""

    seconds: float
    stack: tuple[str, ...]

    def __str__(self) -> str:
        where = self.stack[-1].strip() if self.stack else "unknown code"
        return f"the event loop has been blocked for {self.seconds:.1f} s by {where}"


class Watchdog:
    """Calls `on_blocked` in its own thread, once for each time the loop is blocked longer than `threshold_s`.

    What `on_blocked` raises goes to the log; the watch goes on.
    """

    def __init__(self, on_blocked: Callable[[BlockedLoop], None], threshold_s: float = 0.5) -> None:
        self._on_blocked = on_blocked
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
        late_s = time.monotonic() - self._beat_s
        if self._loop is None or late_s <= self._threshold_s:
            return None
        return BlockedLoop(late_s, self._stack())

    def _beat(self) -> None:
        self._beat_s = time.monotonic()
        if self._loop is not None and not self._stopping.is_set():
            self._timer = self._loop.call_later(self._threshold_s / 4, self._beat)

    def _listen(self, stopping: threading.Event) -> None:
        told_of_beat_s = 0.0
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
            beat_s = self._beat_s
            if beat_s != told_of_beat_s and (blocked := self.blocked()) is not None:
                told_of_beat_s = beat_s
                self._tell(blocked)

    def _tell(self, blocked: BlockedLoop) -> None:
        try:
            self._on_blocked(blocked)
        except Exception as failure:
            log_safely(logger, logging.ERROR, "telling of a blocked event loop failed", exc_info=failure)

    def _stack(self) -> tuple[str, ...]:
        frame = sys._current_frames().get(self._loop_thread)
        if frame is None:
            return ()
        return tuple(f"{entry.filename}:{entry.lineno} in {entry.name}" for entry in traceback.extract_stack(frame))
