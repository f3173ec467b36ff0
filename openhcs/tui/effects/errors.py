"""The errors of this session, and those the last one could not show: what the error history looks back on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from openhcs.tui import actions
from openhcs.tui.effects.run_errors import ErrorPlace
from openhcs.tui.run_text import count_of
from openhcs.tui.state import AppState
from openhcs.tui.utils.daemon_thread import in_daemon_thread
from openhcs.tui.utils.error_journal import ErrorEntry, ErrorJournal, read_unseen
from openhcs.tui.utils.lost_terminal import TerminalLost
from openhcs.tui.workbench import Severity

__all__ = ["ErrorHistory"]


class ErrorHistory:
    """What `journal` holds, and what an earlier session left in its file without having shown it.

    Clearing leaves the journal as it is: it only takes what there is out of sight. `place_of(context)` knows to which
    plate and well an error belongs.
    """

    def __init__(
        self,
        journal: ErrorJournal,
        state: AppState,
        place_of: Callable[[str], ErrorPlace | None] = lambda context: None,
    ) -> None:
        self._journal = journal
        self._state = state
        self._place_of = place_of
        self._left: tuple[ErrorEntry, ...] = ()
        self._cleared: list[frozenset[int]] = []

    @property
    def entries(self) -> Sequence[ErrorEntry]:
        """Those of this session, the newest first, then those of the last one."""
        cleared = self._cleared[-1] if self._cleared else frozenset()
        every = (*reversed(self._journal.entries()), *reversed(self._left))
        return [entry for entry in every if id(entry) not in cleared]

    @property
    def unseen(self) -> int:
        """How many of them nobody has had before their eyes; a refusal was told when it was made."""
        return sum(not entry.shown and not entry.is_refusal for entry in self.entries)

    @property
    def can_put_back(self) -> bool:
        """Whether something was cleared."""
        return bool(self._cleared)

    def place_of(self, entry: ErrorEntry) -> ErrorPlace | None:
        """To which plate and well an error belongs, where that is known."""
        return self._place_of(entry.context)

    def is_of_last_session(self, entry: ErrorEntry) -> bool:
        """Whether an error was left by the session before this one."""
        return any(entry is left for left in self._left)

    def mark_seen(self) -> None:
        """Note that a user has all of them before their eyes."""
        for entry in self._journal.entries():
            self._journal.mark_shown(entry)

    def clear(self) -> None:
        """Take all that there are now out of sight."""
        every = (*self._journal.entries(), *self._left)
        self._cleared.append(frozenset(map(id, every)))

    def put_back(self) -> None:
        """Undo the last `clear`."""
        if self._cleared:
            self._cleared.pop()

    def why_empty(self) -> str | None:
        """Why there is nothing to show, or None."""
        return None if self._left or self._journal.entries() else "The program itself has had no errors"

    async def offer_what_was_left(self, file: Path) -> None:
        """Tell of errors that the last session entered in `file` and could not show.

        That its terminal went away is no fault of the program, and whoever comes back knows of it.
        """
        left = await in_daemon_thread(lambda: read_unseen(file), "read the error journal")
        self._left = tuple(entry for entry in left if entry.type_name != TerminalLost.__name__)
        if self._left:
            text = f"{count_of(len(self._left), 'error')} of the last session could not be shown: Help, Errors has them"
            self._state.dispatch(actions.MessageShown(text, Severity.WARNING))
