"""The line in which plates wait: in order, never more turns than allowed, and nothing that goes wrong holds it up."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhcs.tui.effects.run_queue import RunQueue

A, B, C, D = (Path(name) for name in "abcd")


class Kitchen:
    """Plates that take a place, wait for their turn, and keep it until they are told to end."""

    def __init__(self, at_once: int = 1) -> None:
        self.waiting: tuple[Path, ...] = ()
        self.running: frozenset[Path] = frozenset()
        self.began: list[Path] = []
        self.queue = RunQueue(self._hear)
        self.queue.allow(at_once)
        self.jobs: dict[Path, asyncio.Task[None]] = {}
        self._ready: dict[Path, asyncio.Event] = {}
        self._done: dict[Path, asyncio.Event] = {}

    def _hear(self, waiting: tuple[Path, ...], running: frozenset[Path]) -> None:
        self.waiting, self.running = waiting, running

    async def _job(self, folder: Path) -> None:
        with self.queue.place(folder):
            await self._ready[folder].wait()
            await self.queue.wait_turn(folder)
            self.began.append(folder)
            await self._done[folder].wait()

    async def ask(self, *folders: Path, ready: bool = True) -> None:
        for folder in folders:
            self._ready[folder], self._done[folder] = asyncio.Event(), asyncio.Event()
            self.jobs[folder] = asyncio.create_task(self._job(folder))
            if ready:
                self._ready[folder].set()
            await settle()

    async def make_ready(self, folder: Path) -> None:
        self._ready[folder].set()
        await settle()

    async def end(self, folder: Path) -> None:
        self._done[folder].set()
        await settle()

    async def cancel(self, folder: Path) -> None:
        self.jobs[folder].cancel()
        await settle()

    async def close(self) -> None:
        for job in self.jobs.values():
            job.cancel()
        await asyncio.gather(*self.jobs.values(), return_exceptions=True)
        assert (self.waiting, self.running) == ((), frozenset())


async def settle() -> None:
    for _ in range(6):
        await asyncio.sleep(0)


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


def test_who_comes_first_goes_first() -> None:
    """The turn goes from one to the next as each ends."""

    async def test() -> None:
        kitchen = Kitchen()
        await kitchen.ask(A, B, C)
        assert (kitchen.running, kitchen.waiting) == ({A}, (B, C))
        await kitchen.end(A)
        assert (kitchen.running, kitchen.waiting) == ({B}, (C,))
        await kitchen.close()

    run(test())


def test_who_is_not_ready_holds_nobody_up_and_keeps_their_place() -> None:
    """A plate that is still compiled is passed, and goes next once it is ready."""

    async def test() -> None:
        kitchen = Kitchen()
        await kitchen.ask(A, ready=False)
        await kitchen.ask(B, C)
        assert (kitchen.running, kitchen.waiting) == ({B}, (A, C))
        await kitchen.make_ready(A)
        await kitchen.end(B)
        assert kitchen.began == [B, A]
        await kitchen.close()

    run(test())


def test_places_are_changed() -> None:
    """One goes ahead or back by a place, several keep their order, and the ends of the line are its ends."""

    async def test() -> None:
        kitchen = Kitchen()
        await kitchen.ask(Path("first"), A, B, C, D)
        kitchen.queue.move([C], -1)
        assert kitchen.waiting == (A, C, B, D)
        kitchen.queue.move([A], -1)
        assert kitchen.waiting == (A, C, B, D)
        kitchen.queue.move([B, D], -1)
        assert kitchen.waiting == (A, B, D, C)
        kitchen.queue.move([A, B], 1)
        assert kitchen.waiting == (D, A, B, C)
        await kitchen.end(Path("first"))
        assert kitchen.running == {D}
        await kitchen.close()

    run(test())


def test_more_turns_are_given_when_more_are_allowed() -> None:
    """Allowing two lets the next begin at once; allowing one again takes no turn away."""

    async def test() -> None:
        kitchen = Kitchen()
        await kitchen.ask(A, B, C)
        kitchen.queue.allow(2)
        await settle()
        assert kitchen.running == {A, B}
        kitchen.queue.allow(1)
        await kitchen.end(A)
        assert (kitchen.running, kitchen.waiting) == ({B}, (C,))
        await kitchen.close()

    run(test())


def test_what_goes_on_already_has_a_turn_beyond_those_allowed() -> None:
    """A run that was found going on takes its turn at once, and others wait for it too."""

    async def test() -> None:
        kitchen = Kitchen()
        await kitchen.ask(A, B)
        with kitchen.queue.place(C):
            kitchen.queue.take_turn(C)
            assert (kitchen.running, kitchen.waiting) == ({A, C}, (B,))
            await kitchen.end(A)
            assert (kitchen.running, kitchen.waiting) == ({C}, (B,))
        await settle()
        assert kitchen.running == {B}
        await kitchen.close()

    run(test())


@pytest.mark.parametrize("at_once", [1, 2])
def test_cancelling_gives_up_a_place_or_a_turn(at_once: int) -> None:
    """Whoever is cancelled, waiting or having the turn, the next goes on."""

    async def test() -> None:
        kitchen = Kitchen(at_once)
        await kitchen.ask(A, B, C, D)
        await kitchen.cancel(C)
        await kitchen.cancel(A)
        assert C not in kitchen.began
        assert kitchen.began == [A, B, D][: at_once + 1]
        await kitchen.close()

    run(test())


def test_a_turn_given_to_one_who_is_cancelled_at_that_moment_goes_on() -> None:
    """The turn is not lost between being given and being taken."""

    async def test() -> None:
        kitchen = Kitchen()
        await kitchen.ask(A, B, C)
        kitchen._done[A].set()
        await asyncio.sleep(0)
        while B not in kitchen.running:  # noqa: ASYNC110 - the very moment is wanted
            await asyncio.sleep(0)
        assert B not in kitchen.began
        await kitchen.cancel(B)
        assert kitchen.began == [A, C]
        await kitchen.close()

    run(test())


MOVES = st.lists(
    st.tuples(st.sampled_from(["ask", "ready", "end", "cancel", "move", "allow"]), st.integers(0, 5)), max_size=30
)


@given(MOVES)
def test_nobody_waits_while_a_turn_is_free(moves: list[tuple[str, int]]) -> None:
    """Whatever happens in whatever order: no turn is idle while somebody ready waits, none is given twice."""

    async def test() -> None:
        kitchen, allowed = Kitchen(), 1
        for what, number in moves:
            folder = Path(str(number))
            job = kitchen.jobs.get(folder)
            alive = job is not None and not job.done()
            if what == "ask" and not alive:
                await kitchen.ask(folder, ready=bool(number % 2))
            elif what == "ready" and alive:
                await kitchen.make_ready(folder)
            elif what == "end" and alive and folder in kitchen.running:
                await kitchen.end(folder)
            elif what == "cancel" and alive:
                await kitchen.cancel(folder)
            elif what == "move":
                kitchen.queue.move([folder], -1 if number % 2 else 1)
            elif what == "allow":
                allowed = 1 + number % 3
                kitchen.queue.allow(allowed)
                await settle()
            ready = [folder for folder in kitchen.waiting if kitchen._ready[folder].is_set()]
            assert not ready or len(kitchen.running) >= allowed
            assert not kitchen.running & set(kitchen.waiting)
            assert len(set(kitchen.waiting)) == len(kitchen.waiting)
        await kitchen.close()

    run(test())
