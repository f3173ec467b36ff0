"""A paste whose end does not come is ended, and keys are keys again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys
from prompt_toolkit.output import DummyOutput

from openhcs.tui.utils import paste_watch
from openhcs.tui.utils.application import GuardedApplication, GuardedLayout
from tests.tui.utils.kit import Failures, pane, turns, until

BEGIN, END = "\x1b[200~", "\x1b[201~"


class Typist:
    """An application that remembers its keys and pastes, and the pipe to type into."""

    def __init__(self, pipe: PipeInput) -> None:
        self.failures = Failures()
        self.heard: list[str] = []
        keys = KeyBindings()
        keys.add(Keys.Any)(lambda event: self.heard.append(event.data))
        keys.add(Keys.BracketedPaste)(self._hear_paste)
        keys.add("escape")(lambda event: self.heard.append("escape"))
        self.app: GuardedApplication[None] = GuardedApplication(
            GuardedLayout(pane()), on_error=self.failures, key_bindings=keys, full_screen=True
        )
        self.type = pipe.send_text

    def _hear_paste(self, event: KeyPressEvent) -> None:
        self.heard.append(f"paste: {event.data}")

    async def hears(self, *keys: str) -> None:
        await until(lambda: self.heard == list(keys), f"{keys}; heard was {self.heard}")


@asynccontextmanager
async def typing() -> AsyncIterator[Typist]:
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
        typist = Typist(pipe)
        running = asyncio.ensure_future(typist.app.run_async())
        await until(lambda: typist.app.render_counter > 0)
        yield typist
        typist.app.exit()
        await running
        assert typist.failures == []


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two seconds are a tenth of one."""
    monkeypatch.setattr(paste_watch, "_SILENCE_S", 0.1)


async def test_a_paste_that_ends_is_one_paste(quickly: None) -> None:
    """In however many parts it comes."""
    async with typing() as typist:
        for part in (f"{BEGIN}one ", "two ", f"three{END}x"):
            typist.type(part)
            await asyncio.sleep(0.02)
        await typist.hears("paste: one two three", "x")
        assert not typist.app._keys._pastes._mark_is_due


async def test_a_paste_without_an_end_is_given_after_a_while_and_keys_work_again(quickly: None) -> None:
    """What has come is the paste, once."""
    async with typing() as typist:
        typist.type(f"{BEGIN}half of it")
        await typist.hears("paste: half of it")
        typist.type("x")
        await typist.hears("paste: half of it", "x")


async def test_a_slow_paste_is_not_cut(quickly: None) -> None:
    """Only silence counts, not how long it takes in all."""
    async with typing() as typist:
        typist.type(BEGIN)
        for _ in range(6):
            typist.type("x")
            await asyncio.sleep(0.04)
        typist.type(END)
        await typist.hears("paste: xxxxxx")


async def test_a_rest_that_comes_late_is_a_paste(quickly: None) -> None:
    """Text before a late end mark is not taken for keys, nor is the mark, and the next paste is as ever."""
    async with typing() as typist:
        typist.type(f"{BEGIN}half")
        await typist.hears("paste: half")
        typist.type(f" of it{END}x")
        await typist.hears("paste: half", "paste:  of it", "x")
        typist.type(f"{BEGIN}whole{END}")
        await typist.hears("paste: half", "paste:  of it", "x", "paste: whole")


async def test_an_end_mark_alone_that_comes_late_is_no_key(quickly: None) -> None:
    """Nobody pressed Escape."""
    async with typing() as typist:
        typist.type(f"{BEGIN}all")
        await typist.hears("paste: all")
        typist.type(END)
        typist.type("x")
        await typist.hears("paste: all", "x")


async def test_after_a_stop_it_is_given_sooner() -> None:
    """What was not read when the program goes on went to the shell."""
    async with typing() as typist:
        typist.type(f"{BEGIN}half")
        await until(lambda: typist.app._keys._pastes._timer is not None)
        start_s = asyncio.get_running_loop().time()
        typist.app._keys.go_on_after_stop()
        await typist.hears("paste: half")
        assert asyncio.get_running_loop().time() - start_s < 1.5


async def test_leaving_in_the_middle_of_a_paste_leaves_nothing_behind() -> None:
    """The timer is not heard of again."""
    async with typing() as typist:
        typist.type(f"{BEGIN}half")
        await until(lambda: typist.app._keys._pastes._timer is not None)
    await turns()
    assert typist.heard == []
