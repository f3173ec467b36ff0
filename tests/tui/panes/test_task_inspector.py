"""The task inspector in the whole workbench: opened by keys, alive while it is open, and able to end a task."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from pathlib import Path

import pytest

from openhcs.testing.driver import WorkbenchDriver, workbench


async def endless() -> None:
    await asyncio.Event().wait()


async def deep(calls: int) -> None:
    await (deep(calls - 1) if calls else endless())


def hold_up_the_loop(seconds: float) -> None:
    time.sleep(seconds)


def start(wb: WorkbenchDriver, *names: str) -> list[asyncio.Task[None]]:
    """Start a task of each name, which does nothing for ever."""
    return [wb.launcher.program.tasks.create_task(endless(), name) for name in names]


def selected(wb: WorkbenchDriver) -> str:
    """The line of the inspector that the cursor is on."""
    [line] = [line for line in wb.screen() if line.startswith("║> ")]
    return line


async def end(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (200, 60)], ids=str)
async def test_f12_shows_every_task_over_the_whole_screen(size: tuple[int, int]) -> None:
    """Each task has a line with its age, its state and what it awaits; the stack of the selected one is below."""
    async with workbench(size=size) as wb:
        tasks = start(wb, "read plate", "evil \x1b[31m name")
        await wb.press("f12", "down")
        assert all(len(line) == size[0] for line in wb.screen())
        assert "alive" in wb.screen()[0]
        assert "x Cancel" in wb.screen()[-1]
        assert "waiting" in wb.line("├ read plate")
        assert "Event" in wb.line("├ read plate")
        assert "evil ␛[31m" in wb.text
        assert "read plate" in selected(wb)
        assert "test_task_inspector.py" in wb.text
        assert "in endless" in re.sub(r" *│?║\n║", "", wb.text)  # a long line wraps
        await wb.press("escape")
        assert "No plates yet" in wb.text
        await end(*tasks)


async def test_it_follows_the_tasks_and_keeps_the_selection() -> None:
    """What ends goes and what starts comes, without a key; the cursor stays on its task."""
    async with workbench() as wb:
        first, second = start(wb, "first", "second")
        await wb.press("f12", "down", "down")
        assert "second" in selected(wb)
        await end(first)
        [third] = start(wb, "third")
        await wb.wait_for("└ third")
        assert "first" not in wb.text
        assert "second" in selected(wb)
        await end(second)
        await wb.wait_until(lambda: "├ Tasks" in selected(wb), "the cursor to be on what came after")
        await end(third)
        await wb.press("escape")
        await wb.wait_idle()
        assert wb.launcher.program.tasks.active_task_count == 0


async def test_a_task_is_cancelled_after_asking() -> None:
    """`x` asks; Escape leaves the task alone, Enter cancels that very task."""
    async with workbench() as wb:
        first, second = start(wb, "first", "second")
        await wb.press("f12", "down", "down", "x")
        await wb.wait_for("Cancel the task?")
        await wb.press("escape")
        await wb.wait_gone("Cancel the task?")
        assert not second.cancelling()
        await wb.press("x")
        await wb.wait_for("Cancel the task?")
        await wb.press("enter")
        await wb.wait_for("second is told to end")
        with pytest.raises(asyncio.CancelledError, match="by hand, in the task inspector"):
            await second
        assert not first.done()
        await end(first)


async def test_a_task_that_ends_while_the_question_is_open_is_not_cancelled() -> None:
    """The answer comes too late, and the inspector says so."""
    async with workbench() as wb:
        [task] = start(wb, "short")
        await wb.press("f12", "down", "x")
        await wb.wait_for("Cancel the task?")
        await end(task)
        await wb.press("enter")
        await wb.wait_for("short has ended by itself")


async def test_what_is_no_task_cannot_be_cancelled() -> None:
    """On the line of the event loop `x` tells why it does nothing."""
    async with workbench() as wb:
        await wb.press("f12", "x")
        assert "No task is selected" in wb.text


async def test_it_tells_what_blocked_the_loop(caplog: pytest.LogCaptureFixture) -> None:
    """After the loop was blocked its line says for how long and by what, the stack is below, the log has a warning."""
    with caplog.at_level(logging.WARNING, "openhcs"):
        async with workbench(size=(200, 60)) as wb:
            await wb.press("f12")
            hold_up_the_loop(1.2)
            await wb.wait_for("The event loop was blocked for 1.")
            assert "in hold_up_the_loop" in wb.text
            assert "in test_it_tells_what_blocked_the_loop" in wb.text
    [warning] = [record for record in caplog.records if "hold_up_the_loop" in record.getMessage()]
    assert warning.levelno == logging.WARNING
    assert "test_it_tells_what_blocked_the_loop" in warning.getMessage()


async def test_it_opens_over_a_dialog_and_from_the_menu() -> None:
    """F12 works while a dialog is open, closes the inspector again, and stands in the Help menu and the help."""
    async with workbench() as wb:
        await wb.press("?")
        await wb.wait_for("the keys here")
        await wb.press("f12")
        await wb.wait_for("The event loop")
        await wb.press("f12")
        await wb.wait_gone("The event loop")
        assert "the keys here" in wb.text
        await wb.press("escape")
        await wb.press("escape h")
        assert "F12" in wb.line("Tasks")
        await wb.click_text("Tasks")
        await wb.wait_for("The event loop")


async def test_it_is_open_once() -> None:
    """F12 in a dialog over the inspector opens no second one, and says why."""
    async with workbench() as wb:
        [task] = start(wb, "a task")
        await wb.press("f12", "down", "x")
        await wb.wait_for("Cancel the task?")
        await wb.press("f12", "escape", "escape")
        assert "The task inspector is open already" in wb.screen()[-1]
        await end(task)


async def test_the_stack_can_be_scrolled() -> None:
    """Tab goes to the stack and back: there the arrows scroll it; another task is shown from its top."""
    async with workbench(size=(60, 16)) as wb:
        task = wb.launcher.program.tasks.create_task(deep(20), "deep")
        await wb.press("f12", "down")
        assert "It waits for" in wb.text
        await wb.press("tab", "down", "down")
        assert "It waits for" not in wb.text
        assert "├ deep" in selected(wb)
        await wb.press("tab", "down")
        assert " Tasks " in selected(wb)
        assert "║Tasks" in wb.text
        await end(task)


async def test_the_tasks_are_saved_as_a_file(home: Path) -> None:
    """`s` writes every task with its stack into the folder of logs, and tells where."""
    async with workbench(size=(200, 60)) as wb:
        [task] = start(wb, "read plate")
        await wb.press("f12", "s")
        await wb.wait_for("saved as ")
        [file] = (home / "home" / "logs").glob("tasks-*.txt")
        assert str(file) in wb.text
        text = file.read_text(encoding="utf-8")
        assert "read plate\nIt waits for Event.wait, at\n" in text
        assert "in endless" in text
        await end(task)


async def test_a_folder_that_cannot_be_written_is_told(home: Path) -> None:
    """Saving that fails says why, and the inspector goes on."""
    async with workbench() as wb:
        logs = home / "home" / "logs"
        if logs.exists():
            logs.rename(home / "moved")
        logs.parent.mkdir(exist_ok=True)
        logs.write_text("a file where the folder should be", encoding="utf-8")
        await wb.press("f12", "s")
        await wb.wait_for("not saved")
        logs.unlink()
