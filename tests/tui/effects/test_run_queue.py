"""The line of plates that wait, as the workbench shows it: what lies in tickets, and plates that have none yet."""

from __future__ import annotations

import asyncio
import os
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from openhcs.core.turns import Ticket, Turns
from openhcs.errors import StoreError
from openhcs.tui.effects.run_queue import LOOK_EVERY_S, RunQueue
from tests.tui.screen import in_loop

A, B, C, D = (Path(name) for name in "abcd")


class SlowTurns(Turns):
    """Tells what it has seen when it may."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.has_looked, self.may_tell = threading.Event(), threading.Event()

    def look(self) -> tuple[Ticket, ...]:
        seen = super().look()
        self.has_looked.set()
        self.may_tell.wait()
        return seen


class Kitchen:
    """Plates that take a place and then have runs, which hold real tickets."""

    def __init__(self, folder: Path) -> None:
        self.waiting: tuple[Path, ...] = ()
        self.having_turn: frozenset[Path] = frozenset()
        self.turns = Turns(folder)
        self.queue = RunQueue(self._hear, lambda: self.turns)
        self._places: dict[Path, ExitStack] = {}
        self._locks: dict[Path, int] = {}

    def _hear(self, waiting: tuple[Path, ...], having_turn: frozenset[Path]) -> None:
        self.waiting, self.having_turn = waiting, having_turn

    def ask(self, *folders: Path) -> None:
        for folder in folders:
            self._places[folder] = ExitStack()
            self._places[folder].enter_context(self.queue.place(folder))

    def start(self, *folders: Path) -> None:
        """Have the runs of plates wait for their turn."""
        for folder in folders:
            self.start_elsewhere(folder, order=self.queue.order_of(folder))
            self.queue.enter(folder, folder.name)

    def start_elsewhere(self, folder: Path, order: int | None = None) -> None:
        self._locks[folder] = self.turns.take(folder.name, folder, folder, waits=True, order=order)

    def end(self, *folders: Path) -> None:
        for folder in folders:
            if folder in self._locks:
                os.close(self._locks.pop(folder))
            if folder in self._places:
                self._places.pop(folder).close()

    def go_on(self, folder: Path) -> None:
        assert self.turns.ask(folder.name, lambda: 1) == 0

    def line(self) -> tuple[Path, ...]:
        return self.waiting

    def seen(self) -> tuple[tuple[Path, ...], set[Path]]:
        return self.waiting, set(self.having_turn)

    async def look(self) -> tuple[Path, ...]:
        await asyncio.sleep(LOOK_EVERY_S)
        await self.queue.look()
        return self.waiting

    def tickets(self) -> list[str]:
        return [ticket.run_id for ticket in self.turns.look() if not ticket.has_turn]


@pytest.fixture
def kitchen(tmp_path: Path) -> Kitchen:
    return Kitchen(tmp_path / "turns")


@in_loop
async def test_the_order_is_that_of_asking_whoever_is_ready_first(kitchen: Kitchen) -> None:
    """A plate that takes long to compile keeps its place, and its run has it once it is there."""
    kitchen.ask(A, B, C, D)
    assert kitchen.seen() == ((A, B, C, D), set())
    kitchen.start(A, C, D)
    assert await kitchen.look() == (B, C, D)
    assert kitchen.having_turn == {A}
    kitchen.start(B)
    assert kitchen.tickets() == ["b", "c", "d"]
    assert await kitchen.look() == (B, C, D)
    kitchen.end(A)
    kitchen.go_on(B)
    kitchen.queue.take_turn(B)
    assert kitchen.seen() == ((C, D), {B})
    kitchen.end(B, C, D)
    assert kitchen.seen() == ((), set())


@in_loop
async def test_runs_begin_in_the_order_of_asking(kitchen: Kitchen) -> None:
    """Who is ready first waits for those before it, until each has its run, has given up, or was put behind it."""

    async def waits(folder: Path) -> asyncio.Task[None]:
        waiting = asyncio.create_task(kitchen.queue.wait_for_earlier(folder))
        await asyncio.sleep(0)
        return waiting

    kitchen.ask(A, B, C, D)
    last, third = await waits(D), await waits(C)
    await kitchen.queue.wait_for_earlier(A)
    kitchen.start(A)
    await asyncio.sleep(0)
    assert not third.done()
    kitchen.end(B)
    await third
    assert not last.done()
    await kitchen.queue.move([D], -1)
    await last
    kitchen.end(A, C, D)


@in_loop
async def test_places_are_changed_for_runs_and_for_plates_that_have_none_yet(kitchen: Kitchen) -> None:
    """It is seen at once, tickets follow, and a plate that gets its run later has the place that it was given."""
    kitchen.ask(A, B, C, D)
    kitchen.start(A, B, D)
    await kitchen.look()
    moving = asyncio.create_task(kitchen.queue.move([D], -1))
    await asyncio.sleep(0)
    assert kitchen.line() == (B, D, C)
    await kitchen.queue.look()
    assert kitchen.line() == (B, D, C)
    await moving
    await kitchen.queue.move([D], -1)
    await kitchen.queue.move([D], -1)
    await kitchen.queue.move([B], 1)
    assert kitchen.line() == (D, C, B)
    kitchen.start(C)
    assert kitchen.tickets() == ["d", "c", "b"]
    assert await kitchen.look() == (D, C, B)
    kitchen.end(A, B, C, D)


@in_loop
async def test_what_was_looked_at_before_a_change_does_not_undo_it(kitchen: Kitchen, tmp_path: Path) -> None:
    """A slow disk tells how the line was; it is shown as the user has it by now."""
    kitchen.ask(A, B, C)
    kitchen.start(A, B, C)
    await kitchen.look()
    slow = kitchen.turns = SlowTurns(tmp_path / "turns")
    looking = asyncio.create_task(kitchen.look())
    while not slow.has_looked.is_set():  # noqa: ASYNC110 - set in a thread
        await asyncio.sleep(0.01)
    await kitchen.queue.move([C], -1)
    slow.may_tell.set()
    assert await looking == (C, B)
    kitchen.end(A, B, C)


@in_loop
async def test_runs_that_were_asked_for_elsewhere_have_their_place_in_the_line(kitchen: Kitchen) -> None:
    """They count while one of ours waits; afterwards nobody looks, so nothing is said of them."""
    kitchen.ask(A, B)
    kitchen.start(A)
    kitchen.start_elsewhere(C)
    kitchen.start_elsewhere(D)
    assert await kitchen.look() == (B, C, D)
    kitchen.start(B)
    await kitchen.look()
    await kitchen.queue.move([B], 1)
    assert kitchen.line() == (C, B, D)
    assert kitchen.tickets() == ["c", "b", "d"]
    kitchen.end(B)
    assert kitchen.line() == ()
    kitchen.end(A, C, D)


@in_loop
async def test_a_line_that_cannot_be_looked_at_is_told(tmp_path: Path) -> None:
    """Whoever asks decides what becomes of that; the places stay as they were."""
    (tmp_path / "turns" / "lock").mkdir(parents=True)
    kitchen = Kitchen(tmp_path / "turns")
    kitchen.ask(A, B)
    with pytest.raises(StoreError):
        await kitchen.queue.look()
    with pytest.raises(StoreError):
        await kitchen.queue.move([B], -1)
    kitchen.end(A, B)
