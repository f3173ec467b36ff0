"""Tells when runs have begun or ended on this machine, whoever began them: `openhcs run` in another shell, say.

Every run has a ticket (`core.turns`), so the names of those are all there is to look at. A thread of its own does,
since they may lie on a disk that does not answer. Checked by tests/tui/effects/test_run_watch.py.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from openhcs.core.turns import Turns, turns_here

__all__ = ["RunWatch"]

LOOK_EVERY_S: Final = 1.0


class RunWatch:
    """Calls `on_change` in the loop when there are other tickets than before; also for those there are at first."""

    def __init__(
        self,
        on_change: Callable[[], None],
        turns: Callable[[], Turns] = turns_here,
        *,
        every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._on_change = on_change
        self._turns = turns
        self._every_s = every_s
        self._seen: frozenset[str] = frozenset()
        self._stopping = threading.Event()

    def start(self) -> None:
        """Watch from the loop that runs here, until `stop`."""
        self._stopping = threading.Event()
        look = (self._turns(), asyncio.get_running_loop(), self._stopping)
        threading.Thread(target=self._look, args=look, name="watch for runs", daemon=True).start()

    def stop(self) -> None:
        """Stop watching; may be called twice."""
        self._stopping.set()

    def look_again(self) -> None:
        """Call `on_change` soon once more, if there are any tickets."""
        self._seen = frozenset()

    def _look(self, turns: Turns, loop: asyncio.AbstractEventLoop, stopping: threading.Event) -> None:
        while not stopping.wait(self._every_s):
            now = turns.mark()
            if now == self._seen:
                continue
            self._seen = now
            with suppress(RuntimeError):  # the loop was closed meanwhile
                loop.call_soon_threadsafe(self._tell, stopping)

    def _tell(self, stopping: threading.Event) -> None:
        if not stopping.is_set():
            self._on_change()
