"""The line in which plates wait for their turn to run, as the workbench shows and changes it.

A plate takes its place when it is asked to run, and holds it here while it is read and compiled. From then on it is a
run that waits in a process of its own, and its place is that of its ticket (`core.turns`): the workbench may be left.
So the line is what lies in tickets, with runs that were asked for elsewhere, and the plates that have none yet. Who
begins is decided by the runs themselves. Checked by tests/tui/effects/test_run_queue.py.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from openhcs.core.turns import Ticket, Turns, moved, turns_here
from openhcs.tui.utils.daemon_thread import in_daemon_thread

__all__ = ["RunQueue"]

LOOK_EVERY_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class _Entry:
    """A plate that waits; `run_id` is of its run, once it has one."""

    order: int
    folder: Path
    run_id: str | None


class RunQueue:
    """The places of plates. `on_change` is told who waits, in order, and which of our plates have their turn."""

    def __init__(
        self,
        on_change: Callable[[tuple[Path, ...], frozenset[Path]], None],
        turns: Callable[[], Turns] = turns_here,
    ) -> None:
        self._on_change = on_change
        self._turns = turns
        self._orders: dict[Path, int] = {}
        self._runs: dict[Path, str] = {}
        self._running: set[Path] = set()
        self._tickets: tuple[Ticket, ...] = ()
        self._looked_s = 0.0
        self._changes = 0
        self._changing = asyncio.Lock()
        self._moved_on = asyncio.Event()

    def __contains__(self, folder: Path) -> bool:
        return folder in self._orders

    @contextmanager
    def place(self, folder: Path) -> Iterator[None]:
        """Take the last place, and give it up in the end, or the turn that came of it."""
        self._orders[folder] = time.time_ns()
        self._tell()
        try:
            yield
        finally:
            del self._orders[folder]
            self._runs.pop(folder, None)
            self._running.discard(folder)
            self._tell()
            self._move_on()

    async def wait_for_earlier(self, folder: Path) -> None:
        """Wait until every plate that was asked for before has its run, or none: who is alone has its turn at once."""
        while any(order < self._orders[folder] and one not in self._runs for one, order in self._orders.items()):
            await self._moved_on.wait()

    def _move_on(self) -> None:
        self._moved_on.set()
        self._moved_on = asyncio.Event()

    def order_of(self, folder: Path) -> int:
        """The order that a run of the plate is to have, see `Turns.take`."""
        return self._orders[folder]

    def enter(self, folder: Path, run_id: str) -> None:
        """From now on the plate is where the ticket of its run is."""
        self._runs[folder] = run_id
        self._move_on()

    def take_turn(self, folder: Path) -> None:
        """The plate's run has begun."""
        self._running.add(folder)
        self._tell()

    async def look(self) -> None:
        """Look how the line is now, if that was not done just now.

        Raises:
            StoreError: it cannot be read.
        """
        if time.monotonic() - self._looked_s < LOOK_EVERY_S or self._changing.locked():
            return
        self._looked_s, before = time.monotonic(), self._changes
        tickets = await in_daemon_thread(self._turns().look, "look who waits")
        if before == self._changes:  # else it may be older than what the user has changed meanwhile
            self._tickets = tickets
            self._tell()

    async def move(self, folders: Collection[Path], by: int) -> None:
        """Let those of `folders` that wait go one place ahead (-1) or back (1), past those that are not of them.

        Raises:
            StoreError: the line cannot be changed.
        """
        line = self._line()
        there = moved([entry.folder for entry in line], folders, by)
        orders = {folder: entry.order for folder, entry in zip(there, line, strict=True)}
        self._orders |= {folder: order for folder, order in orders.items() if folder in self._orders}
        of_runs = {entry.run_id: orders[entry.folder] for entry in line if entry.run_id is not None}
        # Shown at once; the disk is asked behind the user's next key.
        self._tickets = tuple(replace(one, order=of_runs.get(one.run_id, one.order)) for one in self._tickets)
        self._changes += 1
        self._tell()
        self._move_on()
        async with self._changing:
            await in_daemon_thread(partial(self._turns().reorder, of_runs), "change who is next")

    def _line(self) -> list[_Entry]:
        ours = {run_id: folder for folder, run_id in self._runs.items()}
        begun = self._having_turn()
        entries = {
            folder: _Entry(ticket.order, folder, ticket.run_id)
            for ticket in self._tickets
            if not ticket.has_turn and (folder := ours.get(ticket.run_id, ticket.plate)) not in begun
        }
        for folder, order in self._orders.items():
            if folder not in begun and folder not in entries:
                entries[folder] = _Entry(order, folder, self._runs.get(folder))
        return sorted(entries.values(), key=lambda entry: entry.order)

    def _having_turn(self) -> frozenset[Path]:
        with_turn = {ticket.run_id for ticket in self._tickets if ticket.has_turn}
        return frozenset(self._running | {folder for folder, run_id in self._runs.items() if run_id in with_turn})

    def _tell(self) -> None:
        line = [entry.folder for entry in self._line()]
        # Nobody looks any more once none of ours waits, so of others nothing is known then.
        is_ours = any(folder in self._orders for folder in line)
        self._on_change(tuple(line) if is_ours else (), self._having_turn())
