"""The composition root: makes the parts of the workbench, joins them, runs the application, and takes all down again.

While it runs, the program's task manager, focus manager and error handler are its instances; afterwards they are what
they were. The terminal is given back whichever way it ends.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final

from prompt_toolkit.styles import Style

from openhcs.core import paths
from openhcs.errors import TerminalError
from openhcs.tui import actions
from openhcs.tui.effects.errors import ErrorHistory
from openhcs.tui.effects.pipeline import PipelineEffects
from openhcs.tui.effects.plates import PlateEffects
from openhcs.tui.effects.preferences import Preferences
from openhcs.tui.layout.canonical_layout import CanonicalTUILayout
from openhcs.tui.state import AppState
from openhcs.tui.utils.application import GuardedApplication, GuardedLayout
from openhcs.tui.utils.bounded_run import run_bounded
from openhcs.tui.utils.dialog_host import FloatDialogHost
from openhcs.tui.utils.error_journal import ErrorJournal
from openhcs.tui.utils.exception_hooks import hooks_installed
from openhcs.tui.utils.focus_manager import FocusManager, get_focus_manager, initialize_focus_manager
from openhcs.tui.utils.safe_error_handler import SafeErrorHandler, get_error_handler, initialize_error_handler
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.utils.terminal_guard import TerminalGuard
from openhcs.tui.utils.unified_task_manager import UnifiedTaskManager, get_task_manager, initialize_task_manager
from openhcs.tui.utils.watchdog import Watchdog
from openhcs.tui.widgets.style import STYLE
from openhcs.tui.workbench import Severity

__all__ = ["SimpleOpenHCSTUILauncher", "main"]

logger = logging.getLogger(__name__)

SHUTDOWN_S: Final = 3.0
HEADLESS: Final = "Use `openhcs run PLATE --pipeline FILE` there, which needs no screen."


class SimpleOpenHCSTUILauncher:
    """Opens the workbench on `plates`, with the pipeline of a file loaded. May be run once."""

    def __init__(self, plates: Sequence[Path] = (), pipeline: Path | None = None) -> None:
        self._plates = tuple(plates)
        self._pipeline = pipeline
        self.state = AppState()
        self.tasks = UnifiedTaskManager()
        self.focus = FocusManager()
        self.errors = SafeErrorHandler(
            ErrorJournal(paths.logs_folder() / "errors.jsonl"),
            app_state=self.state,
            show_status=self._show_status,
            tasks=self.tasks,
        )
        self.app: GuardedApplication[int] | None = None
        self.dialogs: FloatDialogHost | None = None

    def run(self) -> int:
        """Run in this terminal until the user leaves; the exit code.

        Raises:
            TerminalError: this terminal cannot show the workbench.
        """
        check_terminal()
        try:
            with _log_file(paths.logs_folder() / "workbench.log"), TerminalGuard() as guard:
                return run_bounded(self.run_async(guard))
        finally:
            self.errors.tell_untold()

    async def run_async(self, guard: TerminalGuard | None = None) -> int:
        """Run on the running loop, with prompt_toolkit's current input and output; the exit code."""
        preferences = Preferences()
        plates = PlateEffects(self.state, self.tasks, preferences)
        pipeline = PipelineEffects(self.state, self.tasks, preferences)
        errors = ErrorHistory(self.errors.journal, self.state, self.tasks)

        async def quit_() -> None:
            if await plates.may_leave() and await pipeline.may_lose_changes("Quit?"):
                app.exit(result=0)

        async def open_what_was_given() -> None:
            if self.errors.journal.path is not None:
                await errors.offer_what_was_left(self.errors.journal.path)
            if self._pipeline is not None:
                await pipeline.load_file(self._pipeline)
            if self._plates:
                await plates.add_folders(self._plates)

        with _installed(self.tasks, self.focus, self.errors), hooks_installed(self.errors):
            self.tasks.set_error_handler(self.errors.handle_error_sync)
            layout = CanonicalTUILayout(
                self.state,
                plates,
                pipeline,
                tasks=self.tasks,
                errors=errors,
                on_quit=quit_,
                on_error=self.errors.handle_error_sync,
            )
            dialogs = self.dialogs = FloatDialogHost(layout.root, self.focus)
            self.state.use_dialogs(dialogs.show_dialog)
            app = self.app = GuardedApplication(
                GuardedLayout(layout, layout.places[0].window),
                on_error=self.errors.handle_error_sync,
                close_dialog=dialogs.close_newest,
                style=Style.from_dict(STYLE),
                full_screen=True,
                mouse_support=True,
            )
            # How long a lone Escape waits to be told from the beginning of a longer key.
            app.ttimeoutlen, app.timeoutlen = 0.05, 0.3
            self.errors.screen_is_live = lambda: app.is_running
            unsubscribe = self.state.subscribe(app.invalidate)
            watchdog = Watchdog(lambda blocked: logger.warning("%s\n%s", blocked, "".join(blocked.stack)))
            watchdog.start()
            if guard is not None:
                guard.catch_signals(lambda number: _leave(app, 128 + number), app.suspend, app.take_terminal_again)
            try:
                code: int = await app.run_async(
                    pre_run=lambda: self.tasks.fire_and_forget(open_what_was_given(), "open the plates"),
                    handle_sigint=False,
                )
                return code
            finally:
                unsubscribe()
                watchdog.stop()
                await self.tasks.shutdown(SHUTDOWN_S)
                self.errors.journal.close()

    def _show_status(self, text: str) -> None:
        self.state.dispatch(actions.MessageShown(visible(text), Severity.ERROR))


def check_terminal() -> None:
    """Raise TerminalError, naming the command to use instead, where a full-screen program cannot be shown."""
    for stream, name in ((sys.stdin, "input"), (sys.stdout, "output")):
        if not stream.isatty():
            raise TerminalError(f"terminal: the {name} is not one; expected an interactive terminal. {HEADLESS}")
    term = os.environ.get("TERM", "")
    if term in ("", "dumb", "unknown"):
        raise TerminalError(
            f"terminal: TERM={term!r}; expected one that can place text, such as xterm-256color. {HEADLESS}"
        )


def _leave(app: GuardedApplication[int], code: int) -> None:
    if app.is_running and not app.is_done:
        app.exit(result=code)


@contextmanager
def _installed(tasks: UnifiedTaskManager, focus: FocusManager, errors: SafeErrorHandler) -> Iterator[None]:
    """Let the accessors return these instances for the time of the block."""
    before = get_task_manager(), get_focus_manager(), get_error_handler()
    initialize_task_manager(tasks)
    initialize_focus_manager(focus)
    initialize_error_handler(errors)
    try:
        yield
    finally:
        initialize_task_manager(before[0])
        initialize_focus_manager(before[1])
        initialize_error_handler(before[2])


@contextmanager
def _log_file(file: Path) -> Iterator[None]:
    """Write the program's log to `file` for the time of the block; the terminal is taken."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handler: logging.Handler = RotatingFileHandler(file, maxBytes=1_000_000, backupCount=2, encoding="utf-8")
    except OSError:
        handler = logging.NullHandler()  # a home that cannot be written is no reason not to work
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    log = logging.getLogger("openhcs")
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.setLevel(level)
        log.removeHandler(handler)
        handler.close()


def main() -> None:
    """Open an empty workbench."""
    sys.exit(SimpleOpenHCSTUILauncher().run())
