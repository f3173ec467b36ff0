"""The last line: what was told, and how things are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from prompt_toolkit.formatted_text import fragment_list_to_text

from openhcs.core.journal import Event, EventKind
from openhcs.core.model import Status
from openhcs.core.progress import RunProgress
from openhcs.testing.driver import workbench
from openhcs.tui.layout.status_bar import StatusBar, StatusEntry, jobs_text
from openhcs.tui.utils.unified_task_manager import UnifiedTaskManager
from openhcs.tui.widgets.bindings import Binding
from openhcs.tui.workbench import Activity, PlateRow, Severity, StatusMessage, Workbench

ROW = Binding(("x",), lambda: None, "Row", "A row.")


def running(name: str, done: int, total: int) -> PlateRow:
    wells = [f"A{number:02d}" for number in range(1, total + 1)]
    progress = RunProgress().apply(Event(0.0, EventKind.RUN_STARTED, data={"wells": list(wells)}))
    for well in wells[:done]:
        progress = progress.apply(Event(1.0, EventKind.WELL_FINISHED, well))
    return PlateRow(Path(name), Status.RUNNING, progress=progress)


def last_line(entries: Sequence[str], message: str, width: int) -> str:
    bar = StatusBar(
        lambda: Workbench(message=StatusMessage(message, Severity.WARNING)),
        lambda: (),
        lambda: (),
        lambda: "",
        lambda: [StatusEntry(text, "", ROW) for text in entries],
        tasks=UnifiedTaskManager(),
        refuse=lambda _: None,
    )
    return fragment_list_to_text(bar._status_line(width))


def test_one_plate_is_told_by_name_and_many_by_number() -> None:
    """One busy plate is told with its wells; of many, how many run and wait, and the wells of all that run."""
    assert jobs_text(Workbench()) == ""
    assert jobs_text(Workbench((running("demo", 2, 8),))) == "demo 2/8"
    assert jobs_text(Workbench((PlateRow(Path("demo"), activity=Activity.COMPILING),))) == "demo: compiling"
    waiting = PlateRow(Path("c"), activity=Activity.QUEUED)
    plates = (running("a", 2, 8), running("b", 1, 4), waiting, PlateRow(Path("d"), activity=Activity.COMPILING))
    assert jobs_text(Workbench(plates)) == "2 running 3/12, 1 busy, 1 waiting"


def test_the_line_is_full_and_the_message_comes_first() -> None:
    """Message at the left, entries at the right, over the whole width; an entry without text takes no room."""
    assert last_line(["", "demo 2/8", "94 MiB"], "told", 60) == " ! told" + " " * 32 + "   demo 2/8   94 MiB "


def test_where_there_is_no_room_the_least_important_goes_first() -> None:
    """Entries take half of the line at most, the first one in any case; a long message is cut."""
    line = last_line(["! 2 errors", "demo 2/8", "94 MiB"], "a long message that goes on and on", 40)
    assert "! 2 errors" in line
    assert "94 MiB" not in line
    assert len(line) == 40
    assert "…" in line


async def test_errors_that_nobody_has_seen_are_counted_and_opened_by_a_click() -> None:
    """The last line counts them until they are shown; the memory of the workbench stands beside it."""
    async with workbench() as wb:
        errors = wb.launcher.program.errors
        assert "MiB" in wb.screen()[-1]
        errors.note_error(ZeroDivisionError("behind the scenes"), "count")
        wb.launcher.program.invalidate()
        await wb.wait_for("! 1 error")
        await wb.click_text("! 1 error")
        await wb.wait_for("behind the scenes")
        await wb.press("escape")
        await wb.wait_gone("! 1 error")
        wb.take_errors()
