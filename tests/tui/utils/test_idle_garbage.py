"""Garbage is looked for while nobody types."""

from __future__ import annotations

import asyncio
import gc
import platform
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import psutil
import pytest
from prompt_toolkit.application import Application, create_app_session
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.layout import Layout
from prompt_toolkit.layout.containers import Window
from prompt_toolkit.layout.controls import FormattedTextControl
from prompt_toolkit.output import DummyOutput

from openhcs.tui.utils.idle_garbage import garbage_when_idle
from tests.tui.utils.kit import until

THRESHOLDS = (50, 2, 2)
ENOUGH = 50 * 3 * 3 * 4
"""New objects that make Python look through all of them more than once."""

BLOCK, BLOCKS = 60_000, 1000
"""Bytes that the allocator takes from its heap, not from the system for each."""


class Cycle:
    """Garbage that only a look through all objects finds."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def looks() -> Iterator[list[int]]:
    """The looks through all objects, each by how many it found; few new objects are enough to cause one."""
    found: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "stop" and info["generation"] == 2:
            found.append(info["collected"])

    before = gc.get_threshold()
    gc.freeze()
    gc.collect()  # Python looks once a quarter of what the last look left has been added: of nothing, now
    gc.set_threshold(*THRESHOLDS)
    gc.callbacks.append(note)
    yield found
    gc.callbacks.remove(note)
    gc.set_threshold(*before)
    gc.unfreeze()


@asynccontextmanager
async def typing(pause_s: float) -> AsyncIterator[tuple[Application[None], PipeInput]]:
    """An application to type into, inside the block under test."""
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        app = Application[None](Layout(Window(FormattedTextControl("a screen", focusable=True))))
        with garbage_when_idle(app, pause_s):
            running = asyncio.ensure_future(app.run_async())
            await until(lambda: app.render_counter > 0, "the first frame")
            yield app, keys
            app.exit()
            await running


def make_objects() -> list[list[int]]:
    """Enough objects, all at once alive."""
    return [[number] for number in range(ENOUGH)]


def test_python_looks_in_the_middle_of_anything(looks: list[int]) -> None:
    """Without the block the objects of these tests are enough."""
    assert make_objects()
    assert looks


async def test_nothing_is_looked_for_between_keys(looks: list[int]) -> None:
    """However many objects keys and frames make, Python does not look while the user goes on typing."""
    async with typing(pause_s=60.0) as (app, keys):
        gc.collect()
        looks.clear()
        assert make_objects()
        frames = app.render_counter
        keys.send_text("x")
        app.invalidate()
        await until(lambda: app.render_counter > frames, "a frame")
        assert looks == []


async def test_a_pause_is_used(looks: list[int]) -> None:
    """After a pause what was left is found, once."""
    async with typing(pause_s=0.05) as (app, _):
        looks.clear()
        Cycle()
        assert make_objects()
        app.invalidate()
        await until(lambda: bool(looks), "a look")
        assert looks[0] >= 1


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators have other ways")
async def test_memory_goes_back_to_the_system(looks: list[int]) -> None:
    """What was freed between things that are still there is the system's again after a pause."""
    async with typing(pause_s=0.05) as (app, _):
        blocks = [bytearray(BLOCK) for _ in range(BLOCKS)]
        for block in blocks:
            block[::1024] = b"x" * len(block[::1024])  # else the system has not given it yet
        kept = blocks[::50]
        del block, blocks
        held = psutil.Process().memory_info().rss
        looks.clear()
        assert make_objects()
        app.invalidate()
        await until(lambda: psutil.Process().memory_info().rss < held - BLOCK * BLOCKS / 2, "the memory")
        assert looks
        assert kept


async def test_python_is_left_as_it_was(looks: list[int]) -> None:
    """The thresholds come back, and nothing is left that would look later."""
    async with typing(pause_s=60.0) as (app, _):
        assert gc.get_threshold()[:2] == THRESHOLDS[:2]
        assert gc.get_threshold()[2] > THRESHOLDS[2]
    assert gc.get_threshold() == THRESHOLDS
    assert not list(app.after_render._handlers)


async def test_somebody_who_never_pauses_does_not_fill_the_memory(looks: list[int]) -> None:
    """Where there is no pause Python looks all the same, later."""
    async with typing(pause_s=60.0):
        looks.clear()
        kept = [make_objects() for _ in range(20)]
        assert looks
        assert kept
