"""A prompt_toolkit Application in which one faulty part stays one fault.

- G2 (its part). A failing key, mouse or render handler is reported, and the rest goes on (`guarded_keys`, `faults`).
- G3 (its part). A failing frame is reported, the newest dialog is closed for it, and failing that the screen is
  replaced by a plain notice from which the user can try again or leave.
- A terminal that goes away is one fault, and `run_async` ends with it (`lost_terminal`).
- A terminal that takes a frame slowly, or not at all, gets the next one when it has; keys are heard all the while.
- Another program, such as an editor, may have the terminal for a time (`lending_terminal`).
- Leaving waits for prompt_toolkit's own background tasks, but not for ever.

Checked by tests/tui/utils/test_application.py and tests/terminal. prompt_toolkit itself is subclassed, not patched.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, nullcontext
from typing import Any, TypeVar

from prompt_toolkit.application import Application, in_terminal
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout.containers import AnyContainer, Window
from prompt_toolkit.layout.controls import FormattedTextControl
from prompt_toolkit.layout.layout import FocusableElement, Layout
from prompt_toolkit.output import DummyOutput

from openhcs.tui.ports import ErrorSink
from openhcs.tui.utils.faults import ENDINGS, FaultLog, GuardedEvent, as_error
from openhcs.tui.utils.guarded_keys import GuardedKeyProcessor
from openhcs.tui.utils.lost_terminal import TerminalLost, is_lost
from openhcs.tui.utils.safe_text import describe, visible
from openhcs.tui.utils.screen_output import ScreenOutput

__all__ = ["GuardedApplication", "GuardedLayout"]

T = TypeVar("T")

_EXIT_S = 2.0
"""How long leaving waits for prompt_toolkit's background tasks."""

_ESCAPE_S = 0.1
"""How long a lone Escape waits for the rest of an escape sequence; prompt_toolkit's 0.5 s is felt."""

_SEQUENCE_S = 0.3
"""How long a key waits that may begin a longer binding."""

_TURNS_TO_HEAR_A_SIGNAL = 3
"""Turns of the loop from a signal to its handler: read of the wake-up, scheduled, called."""


class GuardedApplication(Application[T]):
    """An Application that reports to `on_error` what would have ended it.

    `close_dialog(error)` is asked to close the newest dialog when a frame fails; it returns False when there is none.
    Give the layout as a `GuardedLayout` to keep its focus history bounded.
    """

    def __init__(
        self,
        layout: Layout,
        *,
        on_error: ErrorSink,
        close_dialog: Callable[[BaseException], bool] | None = None,
        **options: Any,
    ) -> None:
        # The picture of a full screen goes away with it: drawn once more in the end, it is a frame for nobody.
        super().__init__(layout=layout, **{"erase_when_done": options.get("full_screen", False), **options})
        self.ttimeoutlen, self.timeoutlen = _ESCAPE_S, _SEQUENCE_S
        self._report = on_error
        self._close_dialog = close_dialog
        self._failed_layout: Layout | None = None
        self._stopping = False
        self._lost: TerminalLost | None = None
        self._owed_frame = self._owed_resize = False
        faults = FaultLog(on_error)
        self.on_reset = GuardedEvent(self, faults, "on reset", options.get("on_reset"))
        self.on_invalidate = GuardedEvent(self, faults, "on invalidate", options.get("on_invalidate"))
        self.before_render = GuardedEvent(self, faults, "before a frame", options.get("before_render"))
        self.after_render = GuardedEvent(self, faults, "after a frame", options.get("after_render"))
        self.key_processor = self._keys = GuardedKeyProcessor(self.key_processor._bindings, on_error)

    async def run_async(
        self,
        pre_run: Callable[[], None] | None = None,
        set_exception_handler: bool = False,
        handle_sigint: bool = True,
        slow_callback_duration: float = 0.5,
    ) -> T:
        """Run until `exit`. prompt_toolkit's own exception handler, which asks for ENTER, is never installed.

        Raises TerminalLost, which has been reported, where the terminal goes away before that.
        """
        output = self.output
        try:
            async with (
                output.sending(self._draw_what_is_owed, self._lose_terminal)
                if isinstance(output, ScreenOutput)
                else nullcontext()
            ):
                return await super().run_async(
                    pre_run=pre_run,
                    set_exception_handler=False,
                    handle_sigint=handle_sigint,
                    slow_callback_duration=slow_callback_duration,
                )
        except (EOFError, OSError) as fault:
            if is_lost(self.output, fault):
                self._lose_terminal(fault)
            if self._lost is None or fault is self._lost:
                raise
            raise self._lost from fault

    async def cancel_and_wait_for_background_tasks(self) -> None:
        """Cancel prompt_toolkit's background tasks and wait for them, but not for one that will not end."""
        tasks = set(self._background_tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_EXIT_S)

    def holding_keys(self, work: Coroutine[Any, Any, T]) -> Coroutine[Any, Any, T]:
        """`work`, for which keys typed ahead wait: what a key starts may need a moment until its dialog is up.

        They wait until `work` has ended or the focus has moved, at most a second.
        """
        return self._keys.holding(work, self.layout.current_window)

    def suspend(self) -> None:
        """Give the terminal back and stop this process group, as Ctrl-Z does; take the terminal again afterwards."""

        async def stop() -> None:
            async with self._away_from_terminal():
                await self._stop_until_foreground()

        self._while_stopping(stop)

    @asynccontextmanager
    async def lending_terminal(self) -> AsyncIterator[None]:
        """Give the terminal to another program for the time of the block; then take it again and draw everything.

        Keys that signal every program on the terminal are the other program's: Ctrl-C and Ctrl-\\ end nothing here.
        Ctrl-Z stops both. Call it on the main thread.
        """
        if self._stopping or not self.is_running or self.is_done:
            raise RuntimeError("terminal cannot be lent: it is not ours now; expected a running application.")
        self._stopping = True
        handlers: dict[signal.Signals, Any] = {}
        try:
            async with self._away_from_terminal():
                # Handlers, not SIG_IGN, which the other program would inherit.
                for number in (signal.SIGINT, signal.SIGQUIT):
                    handlers[number] = signal.signal(number, lambda number, frame: None)
                handlers[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
                try:
                    yield
                finally:
                    for number, handler in handlers.items():
                        signal.signal(number, handler if handler is not None else signal.SIG_DFL)
        finally:
            self._stopping = False

    def take_terminal_again(self) -> None:
        """Set the terminal's modes and draw everything anew: for SIGCONT, when a stop could not be seen coming."""

        async def wait_and_take() -> None:
            await self._stop_until_foreground()
            if not self.is_done:
                self._take_terminal()

        if self.is_running and not self.is_done and not self._stopping:
            if self._is_in_foreground():
                self._take_terminal()
            else:
                self._while_stopping(wait_and_take)

    def _while_stopping(self, run: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async def stop() -> None:
            self._stopping = True
            try:
                await run()
            finally:
                self._stopping = False

        if self.is_running and not self.is_done and not self._stopping:
            self.create_background_task(stop())  # noqa: HCS206 - the application waits for it when it leaves

    async def _stop_until_foreground(self) -> None:
        """Stop; and again, when continued in the background, where the terminal is somebody else's."""
        while not self.is_done:
            # Whoever catches SIGTSTP, such as our own signal handler, must not catch this one.
            handler = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
            os.kill(0, signal.SIGTSTP)
            signal.signal(signal.SIGTSTP, handler)
            # A shell kills a stopped job by continuing it: what came with that is heard before anything else.
            for _ in range(_TURNS_TO_HEAR_A_SIGNAL):
                await asyncio.sleep(0)
            if self._is_in_foreground():
                self._keys.go_on_after_stop()
                return

    @asynccontextmanager
    async def _away_from_terminal(self) -> AsyncIterator[None]:
        """Without the full screen for the time of the block, which begins when the terminal has heard of it."""
        self._forget_picture()
        async with in_terminal():
            if isinstance(self.output, ScreenOutput):
                await self.output.wait_sent()
            yield

    def _is_in_foreground(self) -> bool:
        try:
            return os.tcgetpgrp(self.input.fileno()) == os.getpgrp()
        except (OSError, NotImplementedError):
            # Not a terminal that has jobs.
            return True

    def _take_terminal(self) -> None:
        self._keys.go_on_after_stop()
        self._forget_picture()
        self.input.raw_mode().__enter__()
        try:
            self.renderer.reset()
            self._request_absolute_cursor_position()
        except OSError as fault:
            # A terminal that hangs up continues what it had stopped, which is how we come here.
            if not is_lost(self.output, fault):
                raise
            self._lose_terminal(fault)
        self._redraw()

    def _on_resize(self) -> None:
        # What is still to come of a frame of the old size would stand anywhere.
        self._forget_picture()
        if self._is_behind:
            self._owed_resize = True
        else:
            super()._on_resize()

    async def _poll_output_size(self) -> None:
        """Draw for another size that no signal has told of, and once only where one has."""
        while self.terminal_size_polling_interval is not None:
            await asyncio.sleep(self.terminal_size_polling_interval)
            drawn = self.renderer._last_size
            if drawn is not None and self.output.get_size() != drawn:
                self._on_resize()

    def _draw_what_is_owed(self) -> None:
        if self._owed_resize:
            self._owed_frame = self._owed_resize = False
            self._on_resize()
        elif self._owed_frame:
            self._owed_frame = False
            self.invalidate()

    @property
    def _is_behind(self) -> bool:
        return isinstance(self.output, ScreenOutput) and self.output.is_behind

    def _forget_picture(self) -> None:
        if isinstance(self.output, ScreenOutput):
            self.output.forget_picture()

    def _redraw(self, render_as_done: bool = False) -> None:
        try:
            if render_as_done:
                self._forget_picture()
            elif self._is_behind:
                # The next frame is drawn when this one has been taken. Until then keys go where the focus is by now.
                self._owed_frame = True
                self.layout.update_parents_relations()
                return
            super()._redraw(render_as_done)
        except ENDINGS:
            raise
        except BaseException as fault:
            if is_lost(self.output, fault):
                self._lose_terminal(fault)
                return
            error = as_error(fault)
            self._report(error, "drawing the screen")
            if not render_as_done:
                self._redraw_without_fault(error)

    def _lose_terminal(self, fault: BaseException) -> None:
        # What is still drawn on the way out is drawn for nobody.
        self.output = self.renderer.output = DummyOutput()
        self._lost = TerminalLost(f"terminal lost: {describe(fault)}")
        self._lost.__cause__ = fault
        if self.is_running and not self.is_done:
            self.exit(exception=self._lost)
        # Now and not before: where there is a frame to come, a dialog in it would count as seen.
        self._report(self._lost, "the terminal")

    def _redraw_without_fault(self, error: BaseException) -> None:
        while self._close_dialog is not None and self._close_dialog(error):
            try:
                return super()._redraw()
            except ENDINGS:
                raise
            except BaseException as next_fault:
                error = as_error(next_fault)
                self._report(error, "drawing the screen")
        if self._failed_layout is None:
            self._failed_layout = self.layout
            self.layout = GuardedLayout(self._notice(error))
        try:
            super()._redraw()
        except ENDINGS:
            raise
        except BaseException as last_fault:
            # Not even two lines of text can be drawn: there is no screen left to go on with.
            error = as_error(last_fault)
            self._report(error, "drawing the screen")
            if not self.is_done and self.is_running:
                self.exit(exception=error)

    def _notice(self, error: BaseException) -> Window:
        keys = KeyBindings()

        @keys.add("r")
        def _try_again(event: KeyPressEvent) -> None:
            if self._failed_layout is not None:
                self.layout, self._failed_layout = self._failed_layout, None
            self.invalidate()

        @keys.add("q")
        @keys.add("c-c")
        def _leave(event: KeyPressEvent) -> None:
            self.exit(exception=error)

        text: StyleAndTextTuples = [
            ("bold", "The screen could not be drawn.\n"),
            ("", "r  try again    q  quit\n\n"),
            ("", visible(f"{type(error).__name__}: {describe(error)}", 300)),
        ]
        return Window(FormattedTextControl(text, focusable=True, key_bindings=keys), wrap_lines=True)


class GuardedLayout(Layout):
    """A Layout whose focus history names each window once, so that it stays as small as the layout."""

    def __init__(self, container: AnyContainer, focused_element: FocusableElement | None = None) -> None:
        super().__init__(container, focused_element)

    @property
    def current_window(self) -> Window:
        """The window that has the focus."""
        return self._stack[-1]

    @current_window.setter
    def current_window(self, value: Window) -> None:
        present = {id(window) for window in self.find_all_windows()}
        self._stack = [window for window in self._stack if window is not value and id(window) in present]
        self._stack.append(value)
