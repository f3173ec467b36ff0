"""Errors are entered first, shown second, and showing them cannot make new ones.

- G2 (its part). Every error handed over is in the journal and in the log, once, before it is shown.
- G3. At most one error dialog; an error that comes while it is up joins it. What fails while showing opens the breaker
  and is itself only entered: dialog -> status line -> log -> stderr once the screen is restored -> silence. Nothing
  here raises, whatever the exception, the logging handlers, stderr or `app_state` do.
- G4 (its part). Cancelling the caller that shows the dialog closes it; the errors of others in it are shown anew.
- G8. The breaker heals by itself; `reset_circuit_breaker` closes it at once.
- G9 (its part). `handle_error_sync` may be called from any thread, signal handler or finaliser, with or without a loop.

Checked by tests/tui/utils/test_safe_error_handler.py.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import deque
from collections.abc import Callable
from typing import Any, cast

from prompt_toolkit.application import get_app_or_none

from openhcs.tui.utils.circuit_breaker import BreakerState, CircuitBreaker
from openhcs.tui.utils.error_dialog import ErrorPage, ErrorPages, show_error_pages
from openhcs.tui.utils.error_journal import Arrival, ErrorEntry, ErrorJournal
from openhcs.tui.utils.safe_text import visible, visible_lines
from openhcs.tui.utils.unified_task_manager import UnifiedTaskManager, get_task_manager

__all__ = [
    "SafeErrorHandler",
    "get_error_handler",
    "initialize_error_handler",
    "safe_show_error",
    "safe_show_error_sync",
]

logger = logging.getLogger("openhcs.errors")

_WAITING_LIMIT = 200
"""Entries that wait to be shown; what comes beyond stays in the journal and the log."""


class SafeErrorHandler:
    """Takes errors from anywhere and shows them one dialog at a time.

    `app_state` shows dialogs for errors that come without one of their own; `show_status(text)` is the next best place;
    `screen_is_live()` tells whether a full-screen program owns the terminal now. `tasks` None means the accessor.
    """

    def __init__(
        self,
        journal: ErrorJournal | None = None,
        *,
        app_state: Any = None,
        show_status: Callable[[str], None] | None = None,
        screen_is_live: Callable[[], bool] = lambda: False,
        breaker: CircuitBreaker | None = None,
        tasks: UnifiedTaskManager | None = None,
    ) -> None:
        self.journal = journal if journal is not None else ErrorJournal()
        self.app_state = app_state
        self.show_status = show_status
        self.screen_is_live = screen_is_live
        self.breaker = breaker if breaker is not None else CircuitBreaker()
        self._tasks = tasks
        self._showing_dialog = False
        self._open: _OpenDialog | None = None
        self._waiting: deque[tuple[ErrorEntry, Any]] = deque(maxlen=_WAITING_LIMIT)
        self._drain_is_due = False
        self._untold: deque[ErrorEntry] = deque(maxlen=_WAITING_LIMIT)
        self._unentered: deque[tuple[BaseException, str]] = deque(maxlen=_WAITING_LIMIT)

    @property
    def _circuit_breaker_active(self) -> bool:
        """Whether dialogs are not attempted now; the fixed name of the plan."""
        return self.breaker.state is BreakerState.OPEN

    @_circuit_breaker_active.setter
    def _circuit_breaker_active(self, active: bool) -> None:
        if active:
            self.breaker.fail()
        else:
            self.breaker.reset()

    async def handle_error(self, exception: BaseException, context: str = "operation", app_state: Any = None) -> None:
        """Enter `exception`, then show it; returns when its dialog is closed, or at once where another shows it.

        Raises nothing but the cancellation of its caller.
        """
        try:
            entry = self._enter(exception, context)
            host = app_state if app_state is not None else self.app_state
            if entry is not None:
                await self._show(entry, host)
        except Exception as failure:
            # Near the end of the stack even entering an error may fail; it is kept and entered with the next one.
            self._unentered.append((exception, context))
            self._unentered.append((failure, "handling an error"))

    def handle_error_sync(self, exception: BaseException, context: str = "operation", app_state: Any = None) -> None:
        """Enter `exception` now, and have it shown as soon as the loop can."""
        try:
            entry = self._enter(exception, context)
            if entry is not None:
                self._show_soon(entry, app_state if app_state is not None else self.app_state)
        except Exception as failure:
            self._unentered.append((exception, context))
            self._unentered.append((failure, "handling an error"))

    def reset_circuit_breaker(self) -> None:
        """Close the breaker: the next error gets a dialog again."""
        self.breaker.reset()
        logger.info("error dialogs are allowed again")

    def tell_untold(self) -> None:
        """Write to stderr what could be shown nowhere; for the moment after the screen has been given back."""
        while self._untold:
            entry = self._untold.popleft()
            if not entry.shown and not _write_stderr(entry):
                return

    # -- entering ------------------------------------------------------------------------------------------------

    def _enter(self, exception: BaseException, context: str) -> ErrorEntry | None:
        """Enter and log `exception`; the entry if it has yet to be shown."""
        while self._unentered:
            self._enter_one(*self._unentered.popleft())
        return self._enter_one(exception, context)

    def _enter_one(self, exception: BaseException, context: str) -> ErrorEntry | None:
        if isinstance(exception, asyncio.CancelledError):
            return None
        if not isinstance(untrusted := cast(object, exception), BaseException):
            exception = TypeError(f"an exception was expected, got {visible(repr(untrusted), 200)}")
        reception = self.journal.receive(exception, str(context))
        if reception.arrival is not Arrival.NEW:
            return None
        self._log("%s failed", visible(str(context), 200), exc_info=exception)
        return reception.entry

    def _log(self, message: str, *args: object, exc_info: BaseException | None = None) -> None:
        try:
            logger.error(message, *args, exc_info=exc_info)
        except Exception as failure:
            # The journal has the error; that the log has not is worth one entry, but no second attempt to log.
            self.journal.receive(failure, "logging an error")

    # -- showing -------------------------------------------------------------------------------------------------

    async def _show(self, entry: ErrorEntry, host: Any) -> None:
        if self._open is not None:
            self._open.add(entry, self._page(entry))
        elif self._showing_dialog or host is None or not self.breaker.allow():
            self._degrade(entry)
        else:
            await self._present(entry, host)

    async def _present(self, entry: ErrorEntry, host: Any) -> None:
        """Show `entry`, and whatever joins it, in one dialog until that is closed."""
        shown = self._open = _OpenDialog()
        shown.add(entry, self._page(entry))
        self._showing_dialog = True
        try:
            await show_error_pages(shown.pages, host)
        except asyncio.CancelledError:
            self.breaker.give_up()
            self._close(shown)
            # The caller is gone and its own error with it; those of others are still to be shown.
            for other in shown.unshown():
                if other is not entry:
                    self._show_soon(other, host)
            if _is_being_cancelled():
                raise
            self._degrade(entry)
        except Exception as failure:
            self.breaker.fail()
            self._close(shown)
            self._enter_one(failure, "showing an error")
            for unshown in shown.unshown():
                self._degrade(unshown)
        else:
            self.breaker.succeed()
            for closed in shown.unshown():
                self.journal.mark_shown(closed)
        finally:
            self._close(shown)

    def _close(self, shown: _OpenDialog) -> None:
        if self._open is shown:
            self._open = None
            self._showing_dialog = False

    def _page(self, entry: ErrorEntry) -> ErrorPage:
        return ErrorPage(
            title=f"Error in {entry.context}",
            message=f"{entry.type_name}: {entry.message}" if entry.message != entry.type_name else entry.message,
            details=entry.traceback,
            count=lambda: entry.count,
            on_seen=lambda: self.journal.mark_shown(entry),
        )

    def _show_soon(self, entry: ErrorEntry, host: Any) -> None:
        if host is None:
            self._degrade(entry)
            return
        self._waiting.append((entry, host))
        if not self._drain_is_due:
            self._drain_is_due = True
            tasks = self._tasks if self._tasks is not None else get_task_manager()
            if not tasks.offer(self._drain, "show errors"):
                self._drain_is_due = False
                while self._waiting:
                    self._degrade(self._waiting.popleft()[0])

    async def _drain(self) -> None:
        self._drain_is_due = False
        while self._waiting:
            entry, host = self._waiting.popleft()
            try:
                if self._open is None and self._waiting:
                    # This task becomes the presenter; another must see to those that wait behind it.
                    self._show_soon(*self._waiting.popleft())
                await self._show(entry, host)
            except Exception as failure:
                self._unentered.append((failure, "showing an error"))

    # -- degrading -----------------------------------------------------------------------------------------------

    def _degrade(self, entry: ErrorEntry) -> None:
        """Tell of `entry` in the next best place; it is in the journal and in the log already."""
        if self.show_status is not None:
            try:
                self.show_status(visible(f"{entry.context} failed: {entry.type_name}: {entry.message}", 300))
            except Exception as failure:
                self.journal.receive(failure, "showing an error in the status line")
        if self.screen_is_live():
            self._untold.append(entry)
        else:
            _write_stderr(entry)


class _OpenDialog:
    """The dialog that is up: its pages, and the entries they are of."""

    def __init__(self) -> None:
        self.pages = ErrorPages()
        self._entries: list[ErrorEntry] = []

    def add(self, entry: ErrorEntry, page: ErrorPage) -> None:
        self.pages.add(page)
        self._entries.append(entry)
        app = get_app_or_none()
        if app is not None:
            app.invalidate()

    def unshown(self) -> list[ErrorEntry]:
        return [entry for entry in self._entries if not entry.shown]


def _is_being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _write_stderr(entry: ErrorEntry) -> bool:
    try:
        sys.stderr.write(f"{visible(entry.context, 200)} failed:\n{visible_lines(entry.traceback)}\n")
        sys.stderr.flush()
    except Exception:
        # stderr is closed or gone: the journal and the log have the error, and there is nobody left to tell.
        return False
    return True


# -- the one for the whole program -------------------------------------------------------------------------------

_global_error_handler: SafeErrorHandler | None = None


def get_error_handler() -> SafeErrorHandler:
    """The program's error handler."""
    global _global_error_handler
    if _global_error_handler is None:
        _global_error_handler = SafeErrorHandler()
    return _global_error_handler


def initialize_error_handler(handler: SafeErrorHandler | None = None) -> SafeErrorHandler:
    """Make `handler`, or a new one, the program's error handler."""
    global _global_error_handler
    _global_error_handler = handler if handler is not None else SafeErrorHandler()
    return _global_error_handler


async def safe_show_error(exception: BaseException, context: str = "operation", app_state: Any = None) -> None:
    """`SafeErrorHandler.handle_error` on the program's error handler."""
    await get_error_handler().handle_error(exception, context, app_state)


def safe_show_error_sync(exception: BaseException, context: str = "operation", app_state: Any = None) -> None:
    """`SafeErrorHandler.handle_error_sync` on the program's error handler."""
    get_error_handler().handle_error_sync(exception, context, app_state)
