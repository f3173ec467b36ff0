"""The errors of this session, and those the last one could not show, to read at leisure."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from openhcs.tui import actions
from openhcs.tui.effects.text_dialog import show_text
from openhcs.tui.ports import TaskSpawner
from openhcs.tui.run_text import count_of
from openhcs.tui.state import AppState
from openhcs.tui.utils.daemon_thread import in_daemon_thread
from openhcs.tui.utils.error_journal import ErrorEntry, ErrorJournal, read_unseen
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.workbench import Severity

__all__ = ["ErrorHistory"]


_TRACEBACK_LINES = 12


class ErrorHistory:
    """What `journal` holds, and what an earlier session left in its file without having shown it."""

    def __init__(self, journal: ErrorJournal, state: AppState, tasks: TaskSpawner) -> None:
        self._journal = journal
        self._state = state
        self._tasks = tasks
        self._left: tuple[ErrorEntry, ...] = ()

    def why_empty(self) -> str | None:
        """Why there is nothing to show, or None."""
        return None if self._left or self._journal.entries() else "The program itself has had no errors"

    async def offer_what_was_left(self, file: Path) -> None:
        """Tell of errors that the last session entered in `file` and could not show."""
        self._left = await in_daemon_thread(lambda: read_unseen(file), "read the error journal")
        if self._left:
            text = f"{count_of(len(self._left), 'error')} of the last session could not be shown: Help, Errors has them"
            self._state.dispatch(actions.MessageShown(text, Severity.WARNING))

    async def show(self) -> None:
        """Show all of them, the newest first."""
        lines: list[str] = []
        for title, entries in (("This session", self._journal.entries()), ("The last session", self._left)):
            if entries:
                lines += [title, *(line for entry in reversed(entries) for line in _lines(entry)), ""]
        for entry in self._journal.entries():
            self._journal.mark_shown(entry)
        await show_text("Errors", lines[:-1], app_state=self._state, tasks=self._tasks)


def _lines(entry: ErrorEntry) -> Sequence[str]:
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(entry.time_s))
    times = f" ({entry.count} times)" if entry.count > 1 else ""
    lines = [f"  {when}  {entry.context}: {entry.type_name}{times}"]
    lines += [f"      {line}" for line in entry.message.splitlines()]
    # The dialog that had the whole of it is closed; what raised the error is at its end.
    lines += [f"        {line}" for line in entry.traceback.splitlines()[-_TRACEBACK_LINES:]]
    return [visible(line) for line in lines]
