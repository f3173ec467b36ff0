"""The core's parts, joined: what a prompt_toolkit application needs in order to stand on them.

    program = Program()
    program.tasks.fire_and_forget(...)      # owned, reported, ended in time
    await confirm("Sure?", "...", program)  # a Program is an `app_state`: it shows dialogs
    exit_code = program.show(body)          # the terminal is given back whichever way this ends

While it runs the accessors (`get_task_manager`, `get_focus_manager`, `get_error_handler`) return its parts, and what
nobody catches leads to its error handler; afterwards all is as it was. Checked by tests/tui/utils/test_program.py and,
through examples/smallest_app.py, by tests/terminal/test_smallest_app.py.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from prompt_toolkit.layout.containers import AnyContainer, Float, FloatContainer, to_container
from prompt_toolkit.layout.layout import FocusableElement

from openhcs.tui.utils.application import GuardedApplication, GuardedLayout
from openhcs.tui.utils.blocked_notice import write_blocked_notice
from openhcs.tui.utils.bounded_run import run_bounded
from openhcs.tui.utils.dialog_host import FloatDialogHost
from openhcs.tui.utils.error_journal import ErrorJournal
from openhcs.tui.utils.exception_hooks import hooks_installed
from openhcs.tui.utils.focus_manager import FocusManager, get_focus_manager, initialize_focus_manager
from openhcs.tui.utils.idle_garbage import garbage_when_idle
from openhcs.tui.utils.lost_terminal import TerminalLost
from openhcs.tui.utils.safe_error_handler import SafeErrorHandler, get_error_handler, initialize_error_handler
from openhcs.tui.utils.spent_frames import spent_frames_freed
from openhcs.tui.utils.terminal_guard import TerminalGuard
from openhcs.tui.utils.toolkit_caches import toolkit_caches_bounded
from openhcs.tui.utils.unified_task_manager import UnifiedTaskManager, get_task_manager, initialize_task_manager
from openhcs.tui.utils.watchdog import BlockedLoop, Watchdog

if TYPE_CHECKING:
    from openhcs.tui.utils.strict import Strict

__all__ = ["Program"]

logger = logging.getLogger(__name__)

_SHUTDOWN_S = 3.0
_BLOCKED_S = 0.5


class Program:
    """Owns the tasks, the focus, the errors and the dialogs of one full-screen application. May be run once.

    `journal` keeps errors (in memory, if none is given), `show_status` is where they go when no dialog can be shown,
    `on_blocked` hears, in a thread, what blocks the event loop (the log, if none is given); past a second the screen's
    last row tells as well. `strict` turns strict mode on while the program runs.
    """

    def __init__(
        self,
        *,
        journal: ErrorJournal | None = None,
        show_status: Callable[[str], None] | None = None,
        on_blocked: Callable[[BlockedLoop], None] | None = None,
        strict: Strict | None = None,
    ) -> None:
        self.tasks = UnifiedTaskManager()
        self.focus = FocusManager()
        self.errors = SafeErrorHandler(journal, app_state=self, show_status=show_status, tasks=self.tasks)
        self.watchdog = Watchdog(
            on_blocked if on_blocked is not None else _log_blocked,
            strict.blocked_s if strict is not None else _BLOCKED_S,
            on_second=self._show_blocked,
        )
        self._strict = strict
        self._has_terminal = False
        self.app: GuardedApplication[int] | None = None
        self.dialogs: FloatDialogHost | None = None
        self.tasks.set_error_handler(self.errors.handle_error_sync)

    async def show_dialog(self, dialog: AnyContainer, result_future: asyncio.Future[Any]) -> Any:
        """Show `dialog` until `result_future` is done; only while the program runs."""
        if self.dialogs is None:
            raise RuntimeError(
                "dialog refused: the program does not run; expected a call between its start and its end"
            )
        return await self.dialogs.show_dialog(dialog, result_future)

    def show_details(self, exception: BaseException) -> None:
        """Show an error that has been told once more, with its traceback: for the tile of an `ErrorBoundary`."""
        # Imported by the error handler as well, and for the same reason: behind the first frame.
        from openhcs.tui.utils.error_dialog import show_scrollable_error_dialog

        shown = show_scrollable_error_dialog(type(exception).__name__, "", exception, self)
        self.tasks.fire_and_forget(shown, "details of an error")

    def exit(self, code: int = 0) -> None:
        """Leave the program with `code`; without effect where it is leaving already."""
        if self.app is not None and self.app.is_running and not self.app.is_done:
            self.app.exit(result=code)

    def suspend(self) -> None:
        """Stop as Ctrl-Z does, until the shell continues it; without effect but in a terminal of its own."""
        if self.app is not None and self._has_terminal:
            self.app.suspend()

    def invalidate(self) -> None:
        """Have the screen drawn anew soon; from any thread, and without effect where there is none."""
        if self.app is not None:
            self.app.invalidate()

    def run(self, main: Callable[[TerminalGuard], Coroutine[Any, Any, int]]) -> int:
        """Run `main`, which awaits `run_async` with the guard it is given, on this terminal; the exit code.

        The terminal is given back whichever way it ends; what could be shown nowhere is then on stderr.
        """
        try:
            with TerminalGuard() as guard:
                return run_bounded(main(guard))
        finally:
            self.errors.tell_untold()

    def show(self, body: AnyContainer, **options: Any) -> int:
        """`run` on `body` alone; further arguments as `run_async`."""
        return self.run(lambda guard: self.run_async(body, guard=guard, **options))

    async def run_async(
        self,
        body: AnyContainer,
        *,
        focus: FocusableElement | None = None,
        start: Callable[[], Coroutine[Any, Any, object]] | None = None,
        guard: TerminalGuard | None = None,
        **options: Any,
    ) -> int:
        """Show `body` in prompt_toolkit's current input and output until `exit`; the exit code.

        Args:
            body: the screen. A FloatContainer gets the dialogs itself, anything else is put into one.
            focus: what has the focus first.
            start: makes a coroutine to run once the program does.
            guard: whose signals lead to an orderly exit with the code 128 + number.
            options: for prompt_toolkit's `Application`; `full_screen` and `mouse_support` are on unless given.
        """
        root = to_container(body)
        if not isinstance(root, FloatContainer):
            root = FloatContainer(root, floats=list[Float]())
        dialogs = self.dialogs = FloatDialogHost(root, self.focus)
        with self._installed(), hooks_installed(self.errors), self._strict_mode():
            app = self.app = GuardedApplication[int](
                GuardedLayout(root, focus),
                on_error=self.errors.handle_error_sync,
                close_dialog=dialogs.close_newest,
                **{"full_screen": True, "mouse_support": True, **options},
            )
            self.focus.app = app
            # Until the guard has given the terminal back, which puts the cursor where it was before the program.
            self.errors.screen_is_live = lambda: app.is_running or (guard is not None and guard.is_live)
            self._has_terminal = guard is not None
            if guard is not None:
                guard.catch_signals(self._end_by_signal, app.suspend, app.take_terminal_again)
            # In the loop's first turn, and so behind the first frame, which is painted before anything is awaited.
            preparation = asyncio.get_running_loop().call_soon(self._prepare)
            try:
                with garbage_when_idle(app), spent_frames_freed(app), toolkit_caches_bounded(app):
                    return await app.run_async(pre_run=lambda: self._start(start), handle_sigint=guard is None)
            except TerminalLost:
                return 128 + signal.SIGHUP
            finally:
                preparation.cancel()
                self.watchdog.stop()
                await self.tasks.shutdown(_SHUTDOWN_S)
                self.errors.journal.close()
                self.dialogs = None

    def _start(self, start: Callable[[], Coroutine[Any, Any, object]] | None) -> None:
        if start is not None:
            self.tasks.fire_and_forget(start(), "start")

    def _prepare(self) -> None:
        self.watchdog.start()
        self.errors.prepare()

    def _show_blocked(self, blocked: BlockedLoop) -> None:
        if self.app is not None:
            write_blocked_notice(self.app, blocked)

    def _end_by_signal(self, number: signal.Signals) -> None:
        self.exit(128 + number)

    def _strict_mode(self) -> AbstractContextManager[None]:
        if self._strict is None:
            return nullcontext()
        # Only developers turn it on; everybody else starts without importing it.
        from openhcs.tui.utils.strict import strict_mode

        return strict_mode(self.errors.handle_error_sync, self._strict, tasks=self.tasks)

    @contextmanager
    def _installed(self) -> Iterator[None]:
        """Let the accessors return this program's parts for the time of the block."""
        before = get_task_manager(), get_focus_manager(), get_error_handler()
        initialize_task_manager(self.tasks)
        initialize_focus_manager(self.focus)
        initialize_error_handler(self.errors)
        try:
            yield
        finally:
            initialize_task_manager(before[0])
            initialize_focus_manager(before[1])
            initialize_error_handler(before[2])


def _log_blocked(blocked: BlockedLoop) -> None:
    logger.warning("%s\n%s", blocked, "\n".join(blocked.stack))
