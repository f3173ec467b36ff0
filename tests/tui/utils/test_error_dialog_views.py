"""What the error dialog shows beyond the message: causes, locals, very long texts, where a file was saved."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from openhcs.tui.utils.error_dialog import show_scrollable_error_dialog
from openhcs.tui.utils.traceback_colours import highlight_traceback
from tests.tui.utils.kit import Stage, raised, stage


def fail_deeply(well: str) -> None:
    try:
        raise OSError("the disk is full")
    except OSError as cause:
        raise ExceptionGroup("two planes failed", [ValueError("plane 1"), KeyError("plane 2")]) from cause


async def open_deep_error(here: Stage) -> None:
    try:
        fail_deeply("B07")
    except ExceptionGroup as error:
        here.handler.handle_error_sync(error, "writing")
    await here.shows("two planes failed")


async def test_details_begin_with_the_tree_of_causes() -> None:
    """Members and causes are seen at a glance, above the traceback."""
    async with stage() as here:
        await open_deep_error(here)
        assert "plane 1" not in here.text
        here.press("d")
        await here.shows("├─ ValueError: plane 1")
        assert "└─ caused by OSError: the disk is full" in here.text
        here.press("d")
        await here.shows_no("plane 1")


async def test_locals_are_shown_on_demand() -> None:
    """`l` shows the variables where the error was raised, and hides them; turning the page leaves them."""
    async with stage() as here:
        await open_deep_error(here)
        here.press("l")
        await here.shows("well = 'B07'")
        assert "Hide locals" in here.text
        here.press("l")
        await here.shows_no("well = 'B07'")
        here.press("l")
        await here.shows("well = 'B07'")
        here.handler.handle_error_sync(raised(OSError("another")), "reading")
        here.press("n")
        await here.shows("OSError: another")
        await here.shows("Traceback")


@pytest.mark.parametrize(("columns", "in_border"), [(40, False), (80, True)])
async def test_keys_stand_in_the_border_or_above_it(columns: int, in_border: bool) -> None:
    """As in other dialogs; where the border has no room for all of them, in rows of their own."""
    async with stage(columns=columns) as here:
        await open_deep_error(here)
        lines = here.text.splitlines()
        below = next(line for line in lines if "╚" in line)
        assert ("Esc Close  d Details" in below) is in_border
        assert ("╚══" in below) is not in_border
        assert "s Save" in here.text


async def test_a_refusal_offers_no_locals() -> None:
    """What the user asked for cannot be done: that is told in words, and variables of the program say nothing more."""
    async with stage() as here:
        here.tasks.fire_and_forget(here.handler.handle_refusal(raised(ValueError("no such file")), "load it"), "refuse")
        await here.shows("Cannot load it")
        assert "Details" in here.text
        assert "Locals" not in here.text
        here.press("l")
        here.press("d")
        await here.shows("Traceback")
        assert "no such file" in here.text


async def test_locals_of_an_error_long_ago_are_not_kept() -> None:
    """The dialog says so where the exception is not kept any more."""
    async with stage() as here:
        await open_deep_error(here)
        here.handler.journal.entries()[0].exception = None
        here.press("l")
        await here.shows("not kept any more")
        here.press("d")
        await here.shows("Traceback")


async def test_saving_says_where_on_a_narrow_screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole path is on the screen, however long it is."""
    folder = tmp_path / "a-folder-with-a-long-name" / "and-another-one-in-it" / f"of-an-even-longer-{120 * 'o'}ne"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    async with stage(columns=60) as here:
        await open_deep_error(here)
        here.press("s")
        await here.shows("saved as")
        shown = "".join(line.strip("║ ") for line in here.text.split("\n"))
        assert str(folder / "openhcs-error-1.txt") in shown
        assert "Traceback" in (folder / "openhcs-error-1.txt").read_text()


async def test_a_folder_that_takes_no_file_sends_it_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the current folder is read-only the file goes to the home folder, and the dialog says so."""
    monkeypatch.setenv("HOME", str(tmp_path))

    def refuse(self: Path, mode: str = "r", **options: object) -> object:
        if self.parent != tmp_path:
            raise PermissionError(13, "Permission denied", str(self))
        return open(self, mode, encoding="utf-8")  # noqa: PTH123 - the method under test is replaced

    async with stage(columns=120) as here:
        await open_deep_error(here)
        with monkeypatch.context() as patched:
            patched.setattr(Path, "open", refuse)
            here.press("s")
            await here.shows("saved as")
        assert "saved as ~/openhcs-error-1.txt" in here.text
        assert (tmp_path / "openhcs-error-1.txt").exists()


async def test_a_message_of_a_hundred_megabytes_opens() -> None:
    """Only what is seen is made visible: opening and scrolling take a moment, whatever the lines hold."""
    text = "\n".join(["\x1b[2J" + "x" * 50_000_000, *(f"line {number}\t\x9b" for number in range(100_000)), "the end"])
    async with stage() as here:
        here.tasks.fire_and_forget(show_scrollable_error_dialog("long", text, None, here.host), "show")
        begun = time.process_time()
        await here.shows("␛[2Jxxx")
        here.press("G")
        await here.shows("the end")
        await here.shows("line 99999    \\x9b")
        assert time.process_time() - begun < 5
        here.press("q")
        await here.shows_no("the end")


@pytest.mark.parametrize(
    "line",
    ["^" * 10_000 + "x", " " * 10_000 + "x", "| " * 5_000 + "x", "a" * 10_000, 'File "' * 2_000, "~" * 499 + "x"],
)
def test_a_line_of_any_length_is_coloured_in_no_time(line: str) -> None:
    """Finding the colours never takes the square of a long line; nothing of it is lost."""
    begun = time.process_time()
    for _ in range(10):
        assert "".join(fragment[1] for fragment in highlight_traceback(line)) == line
    assert time.process_time() - begun < 0.5


@pytest.mark.parametrize(
    "line",
    [
        '  File "a.py", line 3, in main',
        "    raise ValueError('x')  # why",
        "    ~~~~^^^^",
        "Traceback (most recent call last):",
        "  + Exception Group Traceback (most recent call last):",
        "  | ValueError: one",
        "ValueError",
        "",
        "\t   ",
        "    x = '\"unclosed",
    ],
)
def test_colours_lose_nothing(line: str) -> None:
    """The coloured line is the line."""
    assert "".join(fragment[1] for fragment in highlight_traceback(line)) == line


def test_without_what_finds_the_colours_the_line_is_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error is told although nothing more can be imported."""
    monkeypatch.setitem(sys.modules, "pygments.lexers.python", None)
    assert highlight_traceback("    raise a_line_that_no_other_test_colours") == [
        ("", "    raise a_line_that_no_other_test_colours")
    ]
