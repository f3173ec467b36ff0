"""A program on the core: its parts are the accessors' while it runs, and nothing stays when it ends."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.layout.containers import Window
from prompt_toolkit.layout.controls import FormattedTextControl
from prompt_toolkit.layout.screen import _CHAR_CACHE
from prompt_toolkit.output import DummyOutput

from openhcs.tui.utils.dialog_helpers import confirm
from openhcs.tui.utils.focus_manager import get_focus_manager
from openhcs.tui.utils.program import Program
from openhcs.tui.utils.safe_error_handler import get_error_handler
from openhcs.tui.utils.unified_task_manager import get_task_manager
from tests.tui.utils.kit import until


@asynccontextmanager
async def running(program: Program, code: int = 0) -> AsyncIterator[PipeInput]:
    """`program` with a screen of one line, until it leaves with `code`."""
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        body = Window(FormattedTextControl("a screen", focusable=True))
        ended = asyncio.get_running_loop().create_task(program.run_async(body))
        await until(lambda: program.app is not None and program.app.render_counter > 0, "the first frame")
        try:
            yield keys
        finally:
            program.exit(code)
            assert await ended == code


async def test_the_accessors_return_its_parts_while_it_runs() -> None:
    """What the accessors returned before is what they return afterwards, and the hooks are as they were."""
    before = get_task_manager(), get_focus_manager(), get_error_handler(), sys.excepthook, threading.excepthook
    program = Program()
    async with running(program):
        assert (get_task_manager(), get_focus_manager(), get_error_handler()) == (
            program.tasks,
            program.focus,
            program.errors,
        )
        assert sys.excepthook != before[3]
    assert (
        get_task_manager(),
        get_focus_manager(),
        get_error_handler(),
        sys.excepthook,
        threading.excepthook,
    ) == before


async def test_what_prompt_toolkit_remembers_is_bounded_while_it_runs() -> None:
    """A program keeps prompt_toolkit's caches small, and gives them back as it found them."""
    before = _CHAR_CACHE.size
    async with running(Program()):
        assert _CHAR_CACHE.size < before
    assert _CHAR_CACHE.size == before


async def test_it_leaves_with_the_code_it_was_given() -> None:
    """`exit(code)` ends it with that code; once more is without effect."""
    program = Program()
    async with running(program, code=5):
        program.exit(5)
        program.exit(6)


async def test_it_is_an_app_state() -> None:
    """The dialog helpers show their dialogs through it."""
    program = Program()
    async with running(program) as keys:
        asked = program.tasks.create_task(confirm("Sure?", "Delete all?", program))
        await until(lambda: program.dialogs is not None and program.dialogs.depth == 1, "the dialog")
        keys.send_text("y")
        assert await asked is True


def test_the_start_imports_only_what_the_first_frame_takes() -> None:
    """What the error dialog and the journal's file need is imported behind the first frame, or when it is used."""
    program = """
import sys
before = set(sys.modules)
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.layout.containers import Window
from prompt_toolkit.layout.controls import FormattedTextControl
from prompt_toolkit.layout.screen import _CHAR_CACHE
from prompt_toolkit.output import DummyOutput
from openhcs.tui.utils.program import Program

LATE = ("openhcs.tui.utils.error_dialog", "dataclasses", "json", "pathlib", "pygments.lexers.python")
def draw():
    frames.append([name for name in LATE if name in sys.modules.keys() - before])
    return "a screen"

async def leave():
    program.exit()

frames, program = [], Program()
with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
    program.show(Window(FormattedTextControl(draw)), start=leave)
print(frames[0], LATE[0] in sys.modules, file=sys.stderr)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert ran.stderr.splitlines()[-1] == "[] True", ran.stderr


async def test_a_dialog_is_refused_when_it_does_not_run() -> None:
    """Showing a dialog before the start or after the end says what is wrong."""
    program = Program()
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    with pytest.raises(RuntimeError, match="does not run"):
        await program.show_dialog(Window(), future)


async def test_an_error_of_a_thread_is_shown_before_any_task_was_started() -> None:
    """A program that has started nothing yet shows what its threads raise."""
    program = Program()
    async with running(program) as keys:
        threading.Thread(target=lambda: {}["missing"]).start()
        await until(lambda: program.dialogs is not None and program.dialogs.depth == 1, "the error dialog")
        keys.send_text("q")
        await until(lambda: program.dialogs is not None and program.dialogs.depth == 0, "the error dialog to close")
    assert program.errors.journal.ledger.shown == 1


async def test_what_blocks_the_loop_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """The watchdog writes where the loop was blocked, and shows no dialog."""
    program = Program()
    with caplog.at_level(logging.WARNING):
        async with running(program):
            threading.Event().wait(1.2)
            await until(lambda: "blocked" in caplog.text, "the watchdog's record")
            assert program.dialogs is not None
            assert program.dialogs.depth == 0
    assert "test_program.py" in caplog.text
