"""The composition root: makes the parts of the workbench and joins them on the core's `Program`, which runs them."""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING, Final

from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import Input, create_input

import openhcs
from openhcs.core import paths
from openhcs.errors import TerminalError
from openhcs.tui import actions
from openhcs.tui.effects.appearance import Appearance
from openhcs.tui.effects.errors import ErrorHistory
from openhcs.tui.effects.leaving import told_at_the_end
from openhcs.tui.effects.notifications import Notifications
from openhcs.tui.effects.pipeline import PipelineEffects
from openhcs.tui.effects.plates import PlateEffects
from openhcs.tui.effects.preferences import Preferences
from openhcs.tui.effects.screen_settings import ScreenSettings, read_screen_settings
from openhcs.tui.effects.settings import SettingsEffects
from openhcs.tui.effects.text_dialog import show_text
from openhcs.tui.keys_file import keys_text, read_keys_file
from openhcs.tui.layout.canonical_layout import CanonicalTUILayout
from openhcs.tui.panes.task_inspector import TaskInspector
from openhcs.tui.state import AppState
from openhcs.tui.utils.allocator import use_few_arenas
from openhcs.tui.utils.bounded_run import exit_bounded
from openhcs.tui.utils.colour_depth import colour_depth
from openhcs.tui.utils.error_journal import ErrorJournal
from openhcs.tui.utils.program import Program
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.utils.screen_output import ScreenOutput, terminal_encoding
from openhcs.tui.utils.terminal_guard import TerminalGuard
from openhcs.tui.widgets.bindings import Binding
from openhcs.tui.widgets.keymap import KeyFault, Keymap
from openhcs.tui.workbench import Severity

if TYPE_CHECKING:
    from openhcs.tui.utils.strict import Strict

__all__ = ["SimpleOpenHCSTUILauncher", "check_terminal", "main", "strict_workbench"]

HEADLESS: Final = "Use `openhcs run PLATE --pipeline FILE` there, which needs no screen."


@dataclass(frozen=True, slots=True)
class _Parts:
    """What the workbench is made of, joined."""

    layout: CanonicalTUILayout
    plates: PlateEffects
    pipeline: PipelineEffects
    errors: ErrorHistory
    preferences: Preferences
    appearance: Appearance


class SimpleOpenHCSTUILauncher:
    """Opens the workbench on `plates`, with the pipeline of a file loaded. May be run once.

    Args:
        tour: whether somebody who opens it for the first time is shown around.
        screen: how the screen is drawn; None takes what the settings say.
    """

    def __init__(
        self,
        plates: Sequence[Path] = (),
        pipeline: Path | None = None,
        *,
        strict: Strict | None = None,
        tour: bool = False,
        screen: ScreenSettings | None = None,
    ) -> None:
        self._tour = tour
        self._screen = screen if screen is not None else read_screen_settings()
        self._plates = tuple(plates)
        self._pipeline = pipeline.absolute() if pipeline is not None else None  # remembered for other directories
        self.state = AppState()
        self.program = Program(
            journal=ErrorJournal(paths.logs_folder() / "errors.jsonl"), show_status=self._show_status, strict=strict
        )
        self.state.use_dialogs(self.program.show_dialog)
        self.state.subscribe(self.program.invalidate)

    def run(self) -> int:
        """Run in this terminal until the user leaves; the exit code.

        Raises:
            TerminalError: this terminal cannot show the workbench.
        """
        check_terminal()
        output = ScreenOutput.of_terminal(self._screen.characters, plain=self._screen.plain)
        session = create_app_session(input=_input(self._screen), output=output)
        use_few_arenas()
        gc.freeze()  # what is imported stays: each look through it for garbage would hold up a key by some 20 ms
        with _log_file(paths.logs_folder() / "workbench.log"), session:
            code = self.program.run(self.run_async)
        if code == 0:
            for line in told_at_the_end(self.state.workbench):
                print(line)  # noqa: T201 - the terminal is the shell's again, and this is for whoever sits there
        return code

    async def run_async(self, guard: TerminalGuard | None = None) -> int:
        """Run on the running loop, with prompt_toolkit's current input and output; the exit code."""
        tasks = self.program.tasks
        chosen, faults = read_keys_file(paths.keys_file())
        parts = self._build(Keymap(chosen))
        faults += parts.layout.key_faults

        async def open_what_was_given() -> None:
            if self.program.errors.journal.path is not None:
                await parts.errors.offer_what_was_left(self.program.errors.journal.path)
            await parts.plates.list.reopen()  # before a pipeline that cannot be loaded stands in front of the plates
            if self._pipeline is not None:
                await parts.pipeline.load_file(self._pipeline)
            if self._plates:
                await parts.plates.list.add_folders(self._plates)
            await parts.plates.show_last_runs()
            parts.plates.watch.start()
            await parts.plates.tell_what_was_left()
            if self._tour and not (await parts.preferences.remembered()).tour_seen:
                parts.layout.tour.start()
            if faults:
                lines = [str(paths.keys_file()), *(f"- {visible(str(fault))}" for fault in faults)]
                await show_text("Keys that cannot be used", lines, app_state=self.state, tasks=tasks)

        try:
            return await self.program.run_async(
                parts.layout,
                focus=parts.layout.places[0].window,
                start=open_what_was_given,
                guard=guard,
                key_bindings=parts.layout.keys_above_all,
                color_depth=colour_depth(os.environ),
                mouse_support=self._screen.mouse,
                style=parts.appearance.style,
            )
        finally:
            parts.plates.watch.stop()

    def actions(self) -> Mapping[str, Mapping[str, Binding]]:
        """All actions by place and name, with the user's own keys."""
        chosen, _ = read_keys_file(paths.keys_file())
        keymap = Keymap(chosen)
        self._build(keymap)
        return keymap.places

    def keys(self) -> str:
        """The keys file that says which keys all actions have, with the user's own keys."""
        return keys_text(self.actions(), paths.keys_file())

    def key_faults(self) -> Sequence[KeyFault]:
        """What the user's keys file asks for and cannot have."""
        chosen, faults = read_keys_file(paths.keys_file())
        return (*faults, *self._build(Keymap(chosen)).layout.key_faults)

    def _build(self, keymap: Keymap) -> _Parts:
        """Make the parts and join them."""
        tasks = self.program.tasks
        preferences = Preferences()
        plates = PlateEffects(self.state, tasks, preferences)
        pipeline = PipelineEffects(self.state, tasks, preferences)
        errors = ErrorHistory(self.program.errors.journal, self.state, plates.place_of_error)
        appearance = Appearance(self.state, tasks, preferences, self._screen.theme)
        Notifications(self.state, tasks, preferences)

        async def quit_() -> None:
            # The question that changes nothing comes first: going back must not find the runs cancelled.
            if await pipeline.may_lose_changes("Quit?") and await plates.may_leave():
                self.program.exit()

        layout = CanonicalTUILayout(
            self.state,
            plates,
            pipeline,
            tasks=tasks,
            errors=errors,
            appearance=appearance,
            settings=SettingsEffects(self.state, tasks, preferences, appearance.follow_settings),
            inspector=TaskInspector(tasks, self.program.watchdog, self.state),
            on_quit=quit_,
            on_suspend=self.program.suspend,
            on_tour_end=lambda: tasks.fire_and_forget(preferences.remember_tour(), "remember the tour"),
            handler=self.program.errors,
            on_details=self.program.show_details,
            keymap=keymap,
        )
        return _Parts(layout, plates, pipeline, errors, preferences, appearance)

    def _show_status(self, text: str) -> None:
        self.state.dispatch(actions.MessageShown(visible(text), Severity.ERROR))


def strict_workbench(*, full: bool) -> tuple[Strict, str | None]:
    """How strict the workbench is with its own code, and what of that this Python cannot do, if anything."""
    # Only developers ask for it.
    from openhcs.tui.utils.strict import Strict, missing_part

    package = Path(openhcs.__file__).parent
    return Strict(files=(package,), full=full, faults=paths.logs_folder() / "faults.log"), missing_part()


def check_terminal() -> None:
    """Raise TerminalError, naming the command to use instead, where a full-screen program cannot be shown."""
    for stream, name in ((sys.stdin, "input"), (sys.stdout, "output")):
        if stream is None or not stream.isatty():
            raise TerminalError(f"terminal: the {name} is not one; expected an interactive terminal. {HEADLESS}")
    term = os.environ.get("TERM", "")
    if term in ("", "dumb", "emacs", "unknown", "vt52"):
        raise TerminalError(
            f"terminal: TERM={term!r}; expected one that can place text, such as xterm-256color. {HEADLESS}"
        )


def _input(screen: ScreenSettings) -> Input:
    """What is typed in this terminal, read in the characters that it has.

    A locale that is not installed makes Python read UTF-8 whatever the terminal sends. Where ASCII is all that it shows
    UTF-8 is right: whatever else comes from it comes in that.
    """
    encoding = screen.characters if screen.characters == "utf-8" else terminal_encoding(os.environ, sys.stdin.encoding)
    keyboard = open(  # noqa: SIM115 - as with the output: prompt_toolkit reads the descriptor, and asks for the encoding
        sys.stdin.fileno(), encoding="utf-8" if encoding == "ascii" else encoding, closefd=False
    )
    return create_input(keyboard)


@contextmanager
def _log_file(file: Path) -> Iterator[None]:
    """Write the program's log to `file` for the time of the block; the terminal is taken."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handler: logging.Handler = RotatingFileHandler(file, maxBytes=1_000_000, backupCount=2, encoding="utf-8")
    except OSError:
        handler = logging.NullHandler()  # a home that cannot be written is no reason not to work
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    log, asyncio_log = logging.getLogger("openhcs"), logging.getLogger("asyncio")
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    asyncio_log.addHandler(handler)  # in debug mode it tells what held the loop up
    try:
        yield
    finally:
        log.setLevel(level)
        log.removeHandler(handler)
        asyncio_log.removeHandler(handler)
        handler.close()


def main() -> None:
    """Open an empty workbench."""
    exit_bounded(SimpleOpenHCSTUILauncher().run())
