"""The line in which plates wait for their turn to run: who comes first goes first, unless the user has it otherwise.

A run uses all the workers it may, so few run at a time. A plate takes its place when it is asked to run, and its turn
when it is ready to: one that is still being read or compiled does not hold up those behind it. Whatever becomes of a
plate, its place or its turn goes to the next. Knows nothing of runs; checked by tests/tui/effects/test_run_queue.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["RunQueue"]


class RunQueue:
    """Gives `at_once` turns at a time. `on_change` is told who waits, in order, and who has a turn."""

    def __init__(self, on_change: Callable[[tuple[Path, ...], frozenset[Path]], None]) -> None:
        self._on_change = on_change
        self._waiting: list[Path] = []
        self._ready: dict[Path, asyncio.Future[None]] = {}
        self._running: set[Path] = set()
        self._at_once = 1

    @property
    def waiting(self) -> tuple[Path, ...]:
        """Who waits; the first one that is ready is the next."""
        return tuple(self._waiting)

    def allow(self, at_once: int) -> None:
        """Give so many turns at a time from now on; turns that were given are not taken back."""
        self._at_once = at_once
        self._go_on()

    @contextmanager
    def place(self, folder: Path) -> Iterator[None]:
        """Take the last place, and give it up in the end, or the turn that came of it."""
        self._waiting.append(folder)
        self._tell()
        try:
            yield
        finally:
            self._ready.pop(folder, None)
            self._running.discard(folder)
            if folder in self._waiting:
                self._waiting.remove(folder)
            self._go_on()
            self._tell()

    async def wait_turn(self, folder: Path) -> None:
        """Be ready, and wait for the turn."""
        turn = self._ready[folder] = asyncio.get_running_loop().create_future()
        self._go_on()
        await turn

    def take_turn(self, folder: Path) -> None:
        """Have a turn now, whoever waits: what goes on already cannot be put off."""
        if folder in self._waiting:
            self._waiting.remove(folder)
        self._running.add(folder)
        self._tell()

    def move(self, folders: Collection[Path], by: int) -> None:
        """Let those of `folders` that wait go one place ahead (-1) or back (1), past those that are not of them."""
        line = self._waiting if by < 0 else self._waiting[::-1]
        for at in range(1, len(line)):
            if line[at] in folders and line[at - 1] not in folders:
                line[at - 1], line[at] = line[at], line[at - 1]
        self._waiting = line if by < 0 else line[::-1]
        self._tell()

    def _go_on(self) -> None:
        for folder in tuple(self._waiting):
            if len(self._running) >= self._at_once:
                return
            turn = self._ready.pop(folder, None)
            if turn is None or turn.done():
                continue
            turn.set_result(None)
            self._waiting.remove(folder)
            self._running.add(folder)
            self._tell()

    def _tell(self) -> None:
        self._on_change(self.waiting, frozenset(self._running))
