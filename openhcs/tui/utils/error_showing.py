"""What the error handler shows with: the dialog that is up, and the work that shows what waits for one.

Part of the error handler; checked by tests/tui/utils/test_safe_error_handler.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from prompt_toolkit.application import get_app_or_none

from openhcs.tui.utils.error_entry import ErrorEntry
from openhcs.tui.utils.error_pages import ErrorPage, ErrorPages

__all__ = ["WAITING_LIMIT", "ErrorDrain", "OpenErrorDialog"]

WAITING_LIMIT = 200
"""Entries that wait to be shown, or are in one dialog; what comes beyond stays in the journal and the log."""


class ErrorDrain:
    """Work for the loop that shows what waits; it degrades that instead if it is dropped before it starts.

    It may be dropped by a task manager that takes no more, by a loop that ends, and by a cancellation.
    """

    def __init__(self, show_waiting: Callable[[], Coroutine[Any, Any, None]], degrade_waiting: Callable[[], None]):
        self._show_waiting = show_waiting
        self._degrade_waiting = degrade_waiting
        self._started = False

    async def run(self) -> None:
        """Show what waits."""
        self._started = True
        await self._show_waiting()

    def __del__(self) -> None:
        if not self._started:
            self._degrade_waiting()


class OpenErrorDialog:
    """The dialog that is up: its pages, and the entries they are of."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.pages = ErrorPages()
        self.entries: list[ErrorEntry] = []
        self.late: list[tuple[ErrorEntry, Any]] = []
        """What came, with the host to show it, after the user had closed the dialog and before that was gone."""
        self._loop = loop
        # Looked up now: those who add pages may be in a context that knows no application.
        self._app = get_app_or_none()

    @property
    def is_of_a_dead_loop(self) -> bool:
        """Whether nobody can close it now: its loop is over, or was left in the middle."""
        return not self._loop.is_running()

    def add(self, entry: ErrorEntry, page: ErrorPage) -> bool:
        """Take `entry` in; False when the dialog is full."""
        if len(self.entries) >= WAITING_LIMIT:
            return False
        self.pages.add(page)
        self.entries.append(entry)
        if self._app is not None:
            self._app.invalidate()
        return True

    def unshown(self) -> list[ErrorEntry]:
        """Its entries that the user has not had before their eyes."""
        return [entry for entry in self.entries if not entry.shown]
