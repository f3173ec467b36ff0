"""Errors are entered first, shown second, and showing them cannot make new ones.

- G2 (its part). Every error handed over is in the journal and in the log, once, before it is shown: an ERROR record
  with its exception, and one for each run of those that were only counted, with their number and the last of them
  (test_error_path.py, `test_a_run_of_equal_errors_is_two_error_records`).
- G7 (its part). What a storm counts holds the loop for two milliseconds at a time at most (benchmarks/storm.py).
- G3. At most one error dialog; an error that comes while it is up joins it. What fails while showing opens the breaker
  and is itself only entered: dialog -> status line -> log -> stderr once the screen is restored -> silence. Nothing
  here raises, whatever the exception, the logging handlers, stderr or `app_state` do.
- G4 (its part). Cancelling the caller that shows the dialog closes it; the errors of others in it are shown anew.
- G8. The breaker heals by itself; `reset_circuit_breaker` closes it at once.
- G9 (its part). `handle_error_sync` may be called from any thread, signal handler or finaliser, with or without a loop.

Checked by tests/tui/utils/test_safe_error_handler.py, proved in tests/proofs/test_g2_no_error_lost.py,
tests/proofs/test_g3_no_recursion.py and tests/proofs/test_g8_breaker.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import weakref
from collections import deque
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from prompt_toolkit.application import get_app_or_none

from openhcs.tui.utils.circuit_breaker import BreakerState, CircuitBreaker
from openhcs.tui.utils.error_journal import Arrival, ErrorEntry, ErrorJournal
from openhcs.tui.utils.error_pages import ErrorPage, ErrorPages
from openhcs.tui.utils.error_showing import WAITING_LIMIT, ErrorDrain, OpenErrorDialog
from openhcs.tui.utils.error_stderr import ErrorsOnStderr
from openhcs.tui.utils.faults import ENDINGS, as_error
from openhcs.tui.utils.forking import in_forked_child, lock_free_in_child
from openhcs.tui.utils.safe_log import log_safely
from openhcs.tui.utils.safe_text import as_text, visible
from openhcs.tui.utils.stack_room import call_on_new_stack, require_room
from openhcs.tui.utils.task_ending import is_being_cancelled
from openhcs.tui.utils.unified_task_manager import UnifiedTaskManager, get_task_manager

__all__ = [
    "SafeErrorHandler",
    "get_error_handler",
    "initialize_error_handler",
    "safe_show_error",
    "safe_show_error_sync",
]

logger = logging.getLogger("openhcs.errors")
# What has no handler goes to stderr by logging's last resort: twice what is told there, and on a live screen.
logger.addHandler(logging.NullHandler())

_ROOM_TO_SHOW = 120
"""Nested calls that showing an error may take, the import of its dialog included."""

_SLICE_S = 0.002
"""How long the loop is held at a time to tell of what was only counted."""


def _an_application_runs() -> bool:
    app = get_app_or_none()
    return app is not None and app.is_running


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
        screen_is_live: Callable[[], bool] = _an_application_runs,
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
        self._open: OpenErrorDialog | None = None
        self._waiting: deque[tuple[ErrorEntry, Any]] = deque(maxlen=WAITING_LIMIT)
        self._drain: weakref.ref[ErrorDrain] | None = None
        self._stderr = ErrorsOnStderr(self.tell_untold)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._notes_due_on: asyncio.AbstractEventLoop | None = None
        if tasks is None:
            # It comes to know the loop that runs here: there will be shown what threads report.
            get_task_manager()
        if self.journal.on_write_error is None:
            self.journal.on_write_error = partial(self.handle_error_sync, context="the error journal")
        if self.journal.on_note is None:
            self.journal.on_note = _log_count

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

    def prepare(self) -> None:
        """Import what a dialog takes, as long as there are memory and file descriptors for that.

        Without this the first error does so: after it has been entered, and with the next best place to fall back on.
        """
        _error_dialog()

    def handle_error(
        self, exception: BaseException, context: str = "operation", app_state: Any = None
    ) -> Coroutine[Any, Any, None]:
        """Enter `exception` now; awaiting the result shows it.

        That returns when its dialog is closed, or at once where another shows it. Raises nothing but the cancellation
        of its caller.
        """
        # Entered before the first step: a task that is cancelled before it loses what it was to show, not the error.
        entry = self._enter_anyhow(exception, context)
        return self._show_entered(entry, app_state if app_state is not None else self.app_state)

    def handle_error_sync(self, exception: BaseException, context: str = "operation", app_state: Any = None) -> None:
        """Enter `exception` now, and have it shown as soon as the loop can."""
        try:
            if self.journal.count_in_storm(exception):
                return
        except (TypeError, RecursionError):
            # Not an exception at all, or no room on the stack: both are seen to on the long way.
            pass
        entry = self._enter_anyhow(exception, context)
        if entry is not None:
            self._show_soon_anyhow(entry, app_state if app_state is not None else self.app_state)

    def handle_refusal(self, exception: BaseException, doing: str, app_state: Any = None) -> Coroutine[Any, Any, None]:
        """As `handle_error` for an error whose message is meant for the user, who was `doing` something.

        Its page is "Cannot <doing>" and the message alone, with the traceback under "details".
        """
        entry = self._enter_anyhow(exception, doing)
        if entry is not None:
            entry.is_refusal = True
        return self._show_entered(entry, app_state if app_state is not None else self.app_state)

    def note_error(self, exception: BaseException, context: str, *, is_in_view: bool = False) -> None:
        """Enter and log `exception`, and show no dialog; it counts as shown if it `is_in_view` already."""
        entry = self._enter_anyhow(exception, context)
        if entry is not None:
            if is_in_view:
                self.journal.mark_shown(entry)
            self.journal.mark_told(entry)

    def handle_fatal(self, exception: BaseException, context: str) -> None:
        """Enter `exception`, which ends the program, and tell it on stderr although it may have been told before."""
        entry = self._enter_anyhow(exception, context) or self.journal.receive(exception, as_text(context)).entry
        if entry is None:
            return
        if self._screen_may_be_live():
            self._stderr.tell_later(entry)
        else:
            self._stderr.tell_fatal(entry, exception)

    def reset_circuit_breaker(self) -> None:
        """Close the breaker: the next error gets a dialog again."""
        self.breaker.reset()
        log_safely(logger, logging.INFO, "error dialogs are allowed again")

    def tell_untold(self) -> None:
        """Write to stderr what could be shown nowhere; for the moment after the screen has been given back."""
        while self._waiting:
            self._stderr.tell_later(self._waiting.popleft()[0])
        for unshown in self._open.unshown() if self._open is not None else ():
            self._stderr.tell_later(unshown)
        self._stderr.tell_untold()
        self.journal.note_repeats()

    # -- entering ------------------------------------------------------------------------------------------------

    def _enter_anyhow(self, exception: BaseException, context: str) -> ErrorEntry | None:
        try:
            return self._enter(exception, context)
        except RecursionError:
            return call_on_new_stack(lambda: self._enter(exception, context))
        except ENDINGS:
            raise
        except BaseException as failure:
            # The exception's own class stands in the way of entering it: that is the error now.
            return self._enter(RuntimeError(f"an exception cannot be entered: {as_text(failure)}"), context)

    def _enter(self, exception: BaseException, context: str) -> ErrorEntry | None:
        """Enter and log `exception`; the entry if it has yet to be shown."""
        # Its type and not `isinstance`, which asks the object and may be lied to.
        kind: type = type(exception)
        if issubclass(kind, asyncio.CancelledError):
            return None
        if not issubclass(kind, BaseException):
            exception = TypeError(f"error to handle: a {kind.__name__}; expected an exception")
        reception = self.journal.receive(exception, as_text(context))
        if reception.arrival is not Arrival.NEW or reception.entry is None:
            if reception.arrival is not Arrival.KNOWN:
                self._note_counts_soon()
            return None
        self._loop = asyncio._get_running_loop() or self._loop
        entry = reception.entry
        failure = log_safely(
            logger,
            logging.ERROR,
            "%s failed",
            visible(entry.context, 200),
            exc_info=exception,
            traceback=entry.traceback,
        )
        if failure is not None:
            # The journal has the error; that the log has not is worth one entry, but no second attempt to log.
            self.journal.receive(as_error(failure), "logging an error")
        return reception.entry

    def _note_counts_soon(self) -> None:
        if self._notes_due_on is not None and self._notes_due_on.is_running():
            return
        # For where there is no loop, and for one that ends before it has told them.
        self._stderr.ask_for_exit()
        loop = asyncio._get_running_loop() or self._loop
        if loop is None or loop.is_closed():
            return
        self._notes_due_on = loop
        with contextlib.suppress(RuntimeError):  # it was closed in this very moment
            loop.call_soon_threadsafe(self._note_counts, loop)

    def _note_counts(self, loop: asyncio.AbstractEventLoop) -> None:
        self._notes_due_on = None
        again_in_s = self.journal.note_ended(_SLICE_S)
        if again_in_s is not None:
            self._notes_due_on = loop
            loop.call_later(again_in_s, self._note_counts, loop)

    # -- showing -------------------------------------------------------------------------------------------------

    async def _show_entered(self, entry: ErrorEntry | None, host: Any) -> None:
        if entry is None:
            return
        try:
            require_room(_ROOM_TO_SHOW)
        except RecursionError:
            # A task of its own begins at the bottom of the stack.
            self._show_soon_anyhow(entry, host)
            return
        try:
            await self._show(entry, host)
        except Exception as failure:  # the boundary of showing: what fails there is an error too
            self._enter_anyhow(failure, "showing an error")
            self._degrade(entry)

    async def _show(self, entry: ErrorEntry, host: Any) -> None:
        if self._open is not None and self._open.is_of_a_dead_loop:
            self._close(self._open)
        if self._open is not None and self._open.pages.are_closed():
            # Nobody would see it there.
            self._open.late.append((entry, host))
            return
        if self._open is not None and self._open.add(entry, self._page(entry)):
            return
        if self._showing_dialog or host is None or not self.breaker.allow():
            self._degrade(entry)
        else:
            await self._present(entry, host)

    async def _present(self, entry: ErrorEntry, host: Any) -> None:
        """Show `entry`, and whatever joins it, in one dialog until that is closed."""
        shown = self._open = OpenErrorDialog(asyncio.get_running_loop())
        shown.add(entry, self._page(entry))
        self._showing_dialog = True
        try:
            answered = await _error_dialog()(shown.pages, host)
        except (asyncio.CancelledError, GeneratorExit, KeyboardInterrupt, SystemExit) as ending:
            self.breaker.give_up()
            self._close(shown)
            cancelled_by_host = isinstance(ending, asyncio.CancelledError) and not is_being_cancelled()
            # The caller is gone and its own error with it; those of others are still to be shown.
            for other in shown.unshown():
                if cancelled_by_host:
                    self._degrade(other)
                elif other is not entry:
                    self._show_soon(other, host)
            if not cancelled_by_host:
                raise
        except BaseException as failure:
            self.breaker.fail()
            self._close(shown)
            self._enter_anyhow(failure, "showing an error")
            for unshown in shown.unshown():
                self._degrade(unshown)
        else:
            self.breaker.succeed()
            for unseen in shown.unshown():
                if answered:
                    self.journal.mark_shown(unseen)
                else:
                    # The host came back without an answer and without having drawn them.
                    self._degrade(unseen)
        finally:
            self._close(shown)
            for told in shown.entries:
                self.journal.mark_told(told)

    def _close(self, shown: OpenErrorDialog) -> None:
        if self._open is shown:
            self._open = None
            self._showing_dialog = False
            for entry, host in shown.late:
                self._show_soon_anyhow(entry, host)

    def _page(self, entry: ErrorEntry) -> ErrorPage:
        speaks_for_itself = entry.is_refusal or entry.message == entry.type_name
        return ErrorPage(
            title=f"{'Cannot' if entry.is_refusal else 'Error in'} {entry.context}",
            message=entry.message if speaks_for_itself else f"{entry.type_name}: {entry.message}",
            details=entry.traceback,
            exception=lambda: entry.exception,
            count=lambda: self.journal.count_of(entry),
            on_seen=lambda: self.journal.mark_shown(entry),
            is_refusal=entry.is_refusal,
        )

    def _show_soon_anyhow(self, entry: ErrorEntry, host: Any) -> None:
        try:
            self._show_soon(entry, host)
        except RecursionError:
            loop = asyncio._get_running_loop()
            call_on_new_stack(lambda: self._show_from_new_stack(loop, entry, host))

    def _show_from_new_stack(self, loop: asyncio.AbstractEventLoop | None, entry: ErrorEntry, host: Any) -> None:
        if loop is None:
            self._show_soon(entry, host)
        else:
            loop.call_soon_threadsafe(self._show_soon, entry, host)

    def _show_soon(self, entry: ErrorEntry, host: Any) -> None:
        require_room()
        if host is None:
            self._degrade(entry)
            return
        self._waiting.append((entry, host))
        # The program may end before the loop gets to it.
        self._stderr.ask_for_exit()
        if self._drain is None or self._drain() is None:
            self._start_drain()

    def _start_drain(self) -> None:
        drain = ErrorDrain(self._show_waiting, self._degrade_waiting)
        self._drain = weakref.ref(drain)
        tasks = self._tasks if self._tasks is not None else get_task_manager()
        tasks.offer(drain.run, "show errors")

    async def _show_waiting(self) -> None:
        self._drain = None
        self._loop = asyncio.get_running_loop()
        while self._waiting:
            entry, host = self._waiting.popleft()
            if self._open is None and self._waiting:
                # This task becomes the presenter; another must see to those that wait behind it.
                self._start_drain()
            try:
                await self._show_entered(entry, host)
            except BaseException:
                # The caller that is gone was only this task: whose error it is has not been told.
                if not entry.shown:
                    self._degrade(entry)
                raise

    def _degrade_waiting(self) -> None:
        while self._waiting:
            self._degrade(self._waiting.popleft()[0])

    # -- degrading -----------------------------------------------------------------------------------------------

    def _degrade(self, entry: ErrorEntry) -> None:
        """Tell of `entry` in the next best place; it is in the journal and in the log already."""
        self.journal.mark_told(entry)
        if self.show_status is not None:
            try:
                self.show_status(visible(f"{entry.context} failed: {entry.type_name}: {entry.message}", 300))
            except ENDINGS:
                raise
            except BaseException as fault:
                self.journal.receive(as_error(fault), "showing an error in the status line")
        if self._screen_may_be_live():
            self._stderr.tell_later(entry)
        else:
            self._stderr.tell(entry)

    def _screen_may_be_live(self) -> bool:
        try:
            return self.screen_is_live()
        except ENDINGS:
            raise
        except BaseException as fault:
            # Who cannot say may be in the middle of a frame.
            self.journal.receive(as_error(fault), "asking whether the screen is live")
            return True


def _error_dialog() -> Callable[[ErrorPages, Any], Coroutine[Any, Any, bool]]:
    # The dialog, the view it scrolls and what they need take 3 ms: before the first frame that is a thirtieth of the
    # smallest application's start.
    from openhcs.tui.utils.error_dialog import show_error_pages

    return show_error_pages


def _log_count(text: str, last: BaseException | None) -> None:
    log_safely(logger, logging.ERROR, "%s", visible(text, 500), exc_info=last)


# -- the one for the whole program -------------------------------------------------------------------------------

_global_error_handler: SafeErrorHandler | None = None
# Re-entrant: a finaliser or a signal handler may ask while this thread is in here.
_global_lock = lock_free_in_child()


def get_error_handler() -> SafeErrorHandler:
    """The program's error handler."""
    global _global_error_handler
    with _global_lock:
        if _global_error_handler is None:
            _global_error_handler = SafeErrorHandler()
        # As where a handler is made: this one may be older than the loop.
        get_task_manager()
        return _global_error_handler


def initialize_error_handler(handler: SafeErrorHandler | None = None) -> SafeErrorHandler:
    """Make `handler`, or a new one, the program's error handler."""
    global _global_error_handler
    _global_error_handler = handler if handler is not None else SafeErrorHandler()
    return _global_error_handler


def _leave_to_parent() -> None:
    """In a forked child: the dialog that is up and the journal's file are the parent's."""
    global _global_error_handler, _of_the_parent
    _of_the_parent, _global_error_handler = _global_error_handler, None


_of_the_parent: SafeErrorHandler | None = None
in_forked_child(_leave_to_parent)


def safe_show_error(
    exception: BaseException, context: str = "operation", app_state: Any = None
) -> Coroutine[Any, Any, None]:
    """`SafeErrorHandler.handle_error` on the program's error handler."""
    return get_error_handler().handle_error(exception, context, app_state)


def safe_show_error_sync(exception: BaseException, context: str = "operation", app_state: Any = None) -> None:
    """`SafeErrorHandler.handle_error_sync` on the program's error handler."""
    get_error_handler().handle_error_sync(exception, context, app_state)
