"""The error dialog on a screen: pages, details, keys, mouse, and text that cannot drive the terminal."""

from __future__ import annotations

import asyncio
import re
import shutil
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from prompt_toolkit.clipboard import InMemoryClipboard

from openhcs.tui.utils.error_dialog import ErrorDialog, show_scrollable_error_dialog
from openhcs.tui.utils.error_journal import Ledger
from openhcs.tui.utils.error_pages import ErrorPage, ErrorPages
from tests.tui.utils.kit import AnsweringHost, Stage, broken_logging, logged, raised, stage, turns

ESCAPE = "\x1b"


async def open_error(here: Stage, message: object, context: str = "the job") -> None:
    here.handler.handle_error_sync(raised(ValueError(message)), context)
    await here.shows("ValueError")


async def test_a_message_is_shown_until_escape() -> None:
    """`show_scrollable_error_dialog` shows title and message, and returns when Escape closes it."""
    async with stage() as here:
        here.tasks.fire_and_forget(
            show_scrollable_error_dialog("It broke", "the reason", raised(ValueError("why")), here.host), "show"
        )
        await here.shows("the reason")
        assert "It broke" in here.text
        here.press(ESCAPE)
        await here.shows_no("the reason")


@pytest.mark.parametrize("key", [ESCAPE, "\r", "q"])
async def test_keys_that_close(key: str) -> None:
    """Escape, Enter and q close it."""
    async with stage() as here:
        await open_error(here, "x")
        here.press(key)
        await here.shows_no("ValueError")


async def test_details_are_folded_out() -> None:
    """`d` shows the traceback, and hides it again."""
    async with stage() as here:
        await open_error(here, "x")
        assert "Traceback" not in here.text
        here.press("d")
        await here.shows("Traceback")
        assert "raise exception" in here.text
        here.press("d")
        await here.shows_no("Traceback")


async def test_pages_are_turned() -> None:
    """Several errors are pages; only what was before the user counts as shown until the dialog is closed."""
    async with stage() as here:
        for number in range(3):
            here.handler.handle_error_sync(raised(ValueError(f"number {number}")), "the job")
        await here.shows("1 of 3")
        here.press("n")
        await here.shows("number 1")
        assert "2 of 3" in here.text
        assert here.handler.journal.ledger == Ledger(received=3, shown=2, logged_only=1)
        here.press("nnn")
        await here.shows("3 of 3")
        here.press("p\x1b[D")
        await here.shows("1 of 3")
        here.press("q")
        await here.shows_no("of 3")
        assert here.handler.journal.ledger == Ledger(received=3, shown=3)


async def test_a_count_grows_while_it_is_read() -> None:
    """Repeats of the error on the screen are counted on it."""
    async with stage() as here:
        await open_error(here, "x")
        for _ in range(1_233):
            here.handler.handle_error_sync(raised(ValueError("x")), "the job")
        await here.frame()
        await here.shows("1,234 times")


async def test_it_can_be_clicked() -> None:
    """The words of the last line are buttons."""
    async with stage() as here:
        await open_error(here, "x")
        row = next(number for number, line in enumerate(here.text.split("\n")) if "Close" in line)
        column = here.text.split("\n")[row].index("Close")
        here.press(f"\x1b[<0;{column + 1};{row + 1}M\x1b[<0;{column + 1};{row + 1}m")
        await here.shows_no("ValueError")


async def test_copy() -> None:
    """`c` copies title, message and traceback."""
    async with stage() as here:
        here.app.clipboard = InMemoryClipboard()
        await open_error(here, "x")
        here.press("c")
        await here.shows("copied")
        text = here.app.clipboard.get_data().text
        assert "Error in the job" in text
        assert "Traceback" in text


async def test_a_long_copy_says_what_the_terminal_gets() -> None:
    """Terminals take no more than so much; the notice tells how much that was."""
    async with stage(columns=100) as here:
        showing = asyncio.ensure_future(show_scrollable_error_dialog("long", "x" * 60_000, None, here.host))
        await here.shows("Copy")
        here.press("c")
        await here.shows("of that the first 50,000 characters to the terminal's clipboard")
        here.press(ESCAPE)
        await showing


async def test_save(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`s` writes a new file each time, and says where, or why not."""
    monkeypatch.chdir(tmp_path)
    async with stage(columns=160) as here:
        await open_error(here, "x\x1b[2J")
        here.press("s")
        await here.shows("openhcs-error-1.txt")
        here.press("s")
        await here.shows("openhcs-error-2.txt")
        assert "ValueError: x␛[2J" in (tmp_path / "openhcs-error-1.txt").read_text()
        shutil.rmtree(tmp_path)
        here.press("s")
        await here.shows("not saved")
        assert not here.handler._circuit_breaker_active


HOSTILE = [
    "\x1b[2J\x1b]0;title\x07",
    "\x9b2J\x90q\x9c",
    "a\rb\bc\x00d\x7f",
    "\u202eright to left\u2066",
    "\ud800\udfff",
    "\u2028\u2029",
    "tab\there",
    "x" * 1_000_000,
    "大" * 1_000,
    "e\u0301" * 1_000,
    "\n" * 10_000,
    "",
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
async def test_untrusted_text_cannot_drive_the_terminal(text: str) -> None:
    """What an error says reaches the terminal as characters to look at, in message, context and traceback."""
    async with stage() as here:
        here.terminal.truncate(0)
        here.handler.handle_error_sync(raised(ValueError(text + "END")), f"job {text[:50]}")
        here.tasks.fire_and_forget(show_scrollable_error_dialog(text, text, raised(KeyError(text)), here.host))
        await here.shows("Close")
        here.press("d")
        await here.frame()
        here.press("\x1b[F")
        await here.frame()
        written = here.terminal.getvalue()
        here.press("q")
        await here.shows("Close")
        here.press("q")
        await here.shows_no("Close")
    # What prompt_toolkit itself sends is taken away: the rest must be printable.
    rest = re.sub(r"\x1b\[[0-9;?<]*[A-Za-z]|\x1b[78]|[\r\n\b\0]", "", written)
    assert rest.isprintable(), sorted({char for char in rest if not char.isprintable()})
    assert "\x1b[2J" not in written[10:]
    assert "\x1b]" not in rest


async def test_a_hundred_thousand_lines() -> None:
    """A very long message opens, shows its end, and costs little."""
    async with stage() as here:
        page = ErrorPage("long", "\n".join(f"line {number}" for number in range(100_000)))
        result: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        tracemalloc.start()
        showing = asyncio.ensure_future(here.host.show_dialog(ErrorDialog(ErrorPages([page]), result), result))
        await here.shows("line 3")
        here.press("G")
        await here.shows("line 99999")
        here.press("g")
        await here.shows("line 0")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 40_000_000
        result.set_result(None)
        await showing


async def test_groups_and_causes() -> None:
    """The details hold the whole tree of an exception group and its cause."""
    async with stage(rows=60) as here:
        try:
            try:
                raise OSError("the cause")
            except OSError as cause:
                raise ExceptionGroup(
                    "several", [ValueError("one"), ExceptionGroup("inner", [KeyError("two")])]
                ) from cause
        except ExceptionGroup as group:
            here.handler.handle_error_sync(group, "the job")
        await here.shows("several")
        here.press("d\x1b[F")
        await here.shows("two")
        here.press("\x1b[H")
        await here.shows("the cause")


# -- faults of the dialog itself -------------------------------------------------------------------------------------


async def test_a_fault_on_a_later_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dialog that fails to draw, on whatever frame, is closed, the breaker opens, and the screen goes on."""
    async with stage() as here:
        await open_error(here, "x")
        monkeypatch.setattr(ErrorDialog, "_mark_seen", lambda self: 1 / 0)
        here.app.invalidate()
        await here.shows_no("Close")
        await here.shows("the pane beneath")
        assert here.handler._circuit_breaker_active
        assert here.host.depth == 0
        here.handler.handle_error_sync(raised(ValueError("next")), "the job")
        await turns(10)
        assert any("next" in line for line in here.status)
        messages = [entry.message for entry in here.handler.journal.entries()]
        assert messages.count("division by zero") == 1


async def test_a_fault_on_its_first_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dialog that cannot be drawn at all is told of in the status line."""
    async with stage() as here:
        monkeypatch.setattr(ErrorDialog, "_title", lambda self: 1 / 0)
        here.handler.handle_error_sync(raised(ValueError("x")), "the job")
        await here.frame()
        await turns(20)
        assert here.handler._circuit_breaker_active
        assert here.host.depth == 0
        assert any("ValueError: x" in line for line in here.status)
        assert here.app.is_running


async def test_a_fault_in_its_constructor(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dialog that cannot be built opens the breaker."""

    def broken(self: Any) -> Any:
        raise RuntimeError("cannot be built")

    async with stage() as here:
        monkeypatch.setattr(ErrorDialog, "__init__", lambda self, pages, result: broken(self))
        here.handler.handle_error_sync(raised(ValueError("x")), "the job")
        await turns(20)
        assert here.handler._circuit_breaker_active
        assert any("ValueError: x" in line for line in here.status)


@pytest.mark.parametrize(("method", "key"), [("_copy", "c"), ("_save", "s"), ("_toggle_details", "d")])
async def test_a_fault_in_one_of_its_keys(monkeypatch: pytest.MonkeyPatch, method: str, key: str) -> None:
    """A key of the dialog that fails closes it and opens the breaker; it does not open another dialog."""

    def broken(self: Any) -> None:
        raise RuntimeError(f"{method} broke")

    monkeypatch.setattr(ErrorDialog, method, broken)
    async with stage() as here:
        await open_error(here, "x")
        here.press(key)
        await here.shows_no("Close")
        assert here.handler._circuit_breaker_active
        assert here.host.depth == 0
        assert [entry.message for entry in here.handler.journal.entries()].count(f"{method} broke") == 1


# -- without a screen ------------------------------------------------------------------------------------------------


async def test_without_a_host_it_is_logged() -> None:
    """With nowhere to show it a message goes to the log, and a broken log is not the caller's concern."""
    error = raised(ValueError("why"))
    with logged() as records:
        await show_scrollable_error_dialog("title", "message \x1b[2J", error)
    (record,) = records.errors()
    assert record.exc_info is not None
    assert record.exc_info[1] is error
    assert "\x1b" not in record.getMessage()
    with broken_logging():
        await show_scrollable_error_dialog("title", "message")


@pytest.mark.parametrize("wrong", [None, 3, ValueError("x"), b"bytes", object()])
async def test_titles_and_messages_of_any_type(wrong: Any) -> None:
    """What is not text is made text."""
    async with stage() as here:
        here.tasks.fire_and_forget(show_scrollable_error_dialog(wrong, wrong, None, here.host))
        await here.shows("Close")
        assert not here.handler.journal.entries()
        here.press("q")
        await here.shows_no("Close")


async def test_a_timeout_closes_it() -> None:
    """Cancelling the caller takes the dialog away."""
    async with stage() as here:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await show_scrollable_error_dialog("t", "message", None, here.host)
        assert here.host.depth == 0


async def test_a_host_that_answers() -> None:
    """The call returns as soon as the host has an answer."""
    host = AnsweringHost()
    await show_scrollable_error_dialog("t", "m", None, host)
    assert len(host.shown) == 1
