"""How things are, for the status bar: errors, jobs, where wells are processed, the workbench's own memory."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Final

from openhcs.tui.effects.errors import ErrorHistory
from openhcs.tui.layout.status_bar import StatusEntry, jobs_text
from openhcs.tui.run_text import count_of
from openhcs.tui.state import AppState
from openhcs.tui.utils.circuit_breaker import BreakerState
from openhcs.tui.utils.safe_error_handler import SafeErrorHandler
from openhcs.tui.utils.screen_output import is_plain
from openhcs.tui.widgets.bindings import Binding

__all__ = ["Vitals"]

_BREAKER_WORDS: Final = {
    BreakerState.CLOSED: "",
    BreakerState.OPEN: "error dialogs off, see Errors",
    BreakerState.HALF_OPEN: "error dialogs on trial",
}
"""The breaker opens when an error dialog could not be shown."""

_MEMORY_EVERY_S: Final = 5.0


class Vitals:
    """Entries for the status bar, the most important first; a click on them runs the rows given."""

    def __init__(
        self,
        state: AppState,
        handler: SafeErrorHandler,
        history: ErrorHistory,
        *,
        errors: Binding,
        plates: Binding,
        tasks: Binding,
    ) -> None:
        self._state = state
        self._history = history
        self._handler = handler
        self._errors = errors
        self._plates = plates
        self._tasks = tasks
        self._memory = ""
        self._memory_until_s = 0.0

    def entries(self) -> Sequence[StatusEntry]:
        """How things are now; cheap enough for every frame."""
        return (
            StatusEntry(_BREAKER_WORDS[self._handler.breaker.state], "class:warning", self._errors),
            StatusEntry(self._unseen_text(), "class:error", self._errors),
            # On a plain screen a change is told once: in the plate's own line, and at its end by the message.
            StatusEntry("" if is_plain() else jobs_text(self._state.workbench), "class:busy", self._plates),
            StatusEntry(self._memory_text(), "class:muted", self._tasks),
        )

    def _unseen_text(self) -> str:
        unseen = self._history.unseen
        return f"! {count_of(unseen, 'error')}" if unseen else ""

    def _memory_text(self) -> str:
        if is_plain():  # a number that changes every few seconds would be read out each time
            return ""
        now_s = time.monotonic()
        if now_s >= self._memory_until_s:
            self._memory, self._memory_until_s = _memory_text(), now_s + _MEMORY_EVERY_S
        return self._memory


def _memory_text() -> str:
    """The memory that this process holds, `94 MiB`; nothing where the system does not tell it as Linux does."""
    try:
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 - a path object for one line every five seconds
            pages = int(file.read().split()[1])
    except (OSError, ValueError, IndexError):
        return ""
    return f"{pages * os.sysconf('SC_PAGE_SIZE') // 2**20} MiB"
