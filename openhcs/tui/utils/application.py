"""A prompt_toolkit Application in which one faulty part stays one fault.

- G2 (its part). A failing key or mouse handler is reported; the keys typed behind it are still handled. A failing
  filter switches its own key off, a failing render or key event handler misses its event, and nothing else does.
- G3 (its part). A failing frame is reported, the newest dialog is closed for it, and failing that the screen is
  replaced by a plain notice from which the user can try again or leave.
- G5 (its part). Keys typed ahead are handled one in each turn of the loop, and wait for what the one before them
  started (`holding_keys`), so that a dialog opened by the first gets the second.
- Leaving waits for prompt_toolkit's own background tasks, but not for ever.

Checked by tests/tui/utils/test_application.py. Subclasses only; prompt_toolkit itself is not patched.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from time import monotonic
from typing import Any, TypeVar

from prompt_toolkit.application import Application, get_app, in_terminal
from prompt_toolkit.filters import Filter
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent, merge_key_bindings
from prompt_toolkit.key_binding.defaults import load_key_bindings
from prompt_toolkit.key_binding.key_bindings import Binding, KeyBindingsBase
from prompt_toolkit.key_binding.key_processor import KeyPress, KeyProcessor
from prompt_toolkit.keys import Keys
from prompt_toolkit.layout.containers import AnyContainer, Window
from prompt_toolkit.layout.controls import FormattedTextControl
from prompt_toolkit.layout.layout import FocusableElement, Layout
from prompt_toolkit.utils import Event

from openhcs.tui.ports import ErrorSink
from openhcs.tui.utils.faults import ENDINGS, FaultLog, as_error
from openhcs.tui.utils.owned_coroutine import OwnedCoroutine
from openhcs.tui.utils.safe_text import describe, visible

__all__ = ["GuardedApplication", "GuardedLayout"]

S = TypeVar("S")
T = TypeVar("T")

_EXIT_S = 2.0
"""How long leaving waits for prompt_toolkit's background tasks."""

_ESCAPE_S = 0.1
"""How long a lone Escape waits for the rest of an escape sequence; prompt_toolkit's 0.5 s is felt."""

_SEQUENCE_S = 0.3
"""How long a key waits that may begin a longer binding."""

_TURNS_TO_HEAR_A_SIGNAL = 3
"""Turns of the loop from a signal to its handler: read of the wake-up, scheduled, called."""

_HOLD_S = 1.0
"""How long keys typed ahead wait at most for what a key started."""

_LOOK_AGAIN_S = 0.005

_AT_ONCE = (Keys.SIGINT, Keys.CPRResponse)


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
        super().__init__(layout=layout, **options)
        self.ttimeoutlen, self.timeoutlen = _ESCAPE_S, _SEQUENCE_S
        self._report = on_error
        self._close_dialog = close_dialog
        self._failed_layout: Layout | None = None
        self._stopping = False
        faults = FaultLog(on_error)
        self.on_reset = _GuardedEvent(self, faults, "on reset", options.get("on_reset"))
        self.on_invalidate = _GuardedEvent(self, faults, "on invalidate", options.get("on_invalidate"))
        self.before_render = _GuardedEvent(self, faults, "before a frame", options.get("before_render"))
        self.after_render = _GuardedEvent(self, faults, "after a frame", options.get("after_render"))
        self.key_processor = _GuardedKeyProcessor(self.key_processor._bindings, on_error)

    async def run_async(
        self,
        pre_run: Callable[[], None] | None = None,
        set_exception_handler: bool = False,
        handle_sigint: bool = True,
        slow_callback_duration: float = 0.5,
    ) -> T:
        """Run until `exit`. prompt_toolkit's own exception handler, which asks for ENTER, is never installed."""
        return await super().run_async(
            pre_run=pre_run,
            set_exception_handler=False,
            handle_sigint=handle_sigint,
            slow_callback_duration=slow_callback_duration,
        )

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
        hold = _Hold(self.layout.current_window, monotonic() + _HOLD_S)
        if isinstance(self.key_processor, _GuardedKeyProcessor):
            self.key_processor.hold(hold)
        return OwnedCoroutine(hold.until_ended, work)

    def suspend(self) -> None:
        """Give the terminal back and stop this process group, as Ctrl-Z does; take the terminal again afterwards."""

        async def stop() -> None:
            async with in_terminal():
                await self._stop_until_foreground()

        self._while_stopping(stop)

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
            self.create_background_task(stop())

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
                return

    def _is_in_foreground(self) -> bool:
        try:
            return os.tcgetpgrp(self.input.fileno()) == os.getpgrp()
        except (OSError, NotImplementedError):
            # Not a terminal that has jobs.
            return True

    def _take_terminal(self) -> None:
        self.input.raw_mode().__enter__()
        self.renderer.reset()
        self._request_absolute_cursor_position()
        self._redraw()

    def _redraw(self, render_as_done: bool = False) -> None:
        try:
            super()._redraw(render_as_done)
        except ENDINGS:
            raise
        except BaseException as fault:
            error = as_error(fault)
            self._report(error, "drawing the screen")
            if not render_as_done:
                self._redraw_without_fault(error)

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


class _GuardedEvent(Event[S]):
    """An event of which each handler gets its turn, whatever the one before did."""

    def __init__(self, sender: S, faults: FaultLog, context: str, handler: Callable[[S], None] | None = None) -> None:
        super().__init__(sender, handler)
        self._faults = faults
        self._context = context

    def __call__(self) -> None:
        for handler in list(self._handlers):
            self._faults.run(handler, partial(handler, self.sender), None, self._context)


class _Hold:
    """For how long keys wait for some work: until it ends, something else than `window` has the focus, or `until_s`."""

    def __init__(self, window: Window, until_s: float) -> None:
        self._window = window
        self._until_s = until_s

    def holds(self, focused: Window) -> bool:
        return focused is self._window and monotonic() < self._until_s

    async def until_ended(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return await work
        finally:
            self._until_s = 0.0


class _GuardedKeyProcessor(KeyProcessor):
    """Handles one key in each turn of the loop; a handler that fails is reported and the next key goes on."""

    def __init__(self, key_bindings: KeyBindingsBase, report: ErrorSink) -> None:
        self._report = report
        self._faults = FaultLog(report)
        self._typed_ahead: deque[KeyPress] = deque()
        self._turn_is_scheduled = False
        super().__init__(key_bindings)
        self.before_key_press = _GuardedEvent(self, self._faults, "before a key")
        self.after_key_press = _GuardedEvent(self, self._faults, "after a key")

    def reset(self) -> None:
        super().reset()
        self._typed_ahead.clear()
        self._held_by: list[_Hold] = []
        # One that a dead loop has still to take never comes.
        self._turn_is_scheduled = False

    def process_keys(self) -> None:
        app = get_app()
        urgent = [key for key in self.input_queue if key.key in _AT_ONCE]
        self._typed_ahead.extend(key for key in self.input_queue if key.key not in _AT_ONCE)
        self.input_queue.clear()
        if urgent:
            self._handle(urgent)
        if app.input.closed or asyncio._get_running_loop() is None:
            # There will be no next turn: the keys before the end of the input count all the same.
            while self._typed_ahead and not app.is_done:
                self._process_one()
        elif self._turn_is_scheduled:
            return
        elif app.render_counter == 0:
            # Before the first frame no container's keys are known.
            self._schedule_turn()
        else:
            self._take_turn()

    def hold(self, hold: _Hold) -> None:
        """Let keys wait that have not been handled yet, as long as `hold` says."""
        self._held_by.append(hold)

    def empty_queue(self) -> list[KeyPress]:
        rest = [*super().empty_queue(), *self._typed_ahead]
        self._typed_ahead.clear()
        return rest

    def _take_turn(self) -> None:
        self._turn_is_scheduled = False
        app = get_app()
        if not self._typed_ahead or app.is_done:
            return
        self._held_by = [hold for hold in self._held_by if hold.holds(app.layout.current_window)]
        if self._held_by:
            self._turn_is_scheduled = True
            asyncio.get_running_loop().call_later(_LOOK_AGAIN_S, self._take_turn)
            return
        try:
            self._process_one()
        finally:
            if self._typed_ahead:
                self._schedule_turn()

    def _schedule_turn(self) -> None:
        self._turn_is_scheduled = True
        asyncio.get_running_loop().call_soon(self._take_turn)

    def _process_one(self) -> None:
        self._handle([self._typed_ahead.popleft()])

    def _handle(self, keys: Sequence[KeyPress]) -> None:
        self.input_queue.extend(keys)
        super().process_keys()

    def _get_matches(self, key_presses: list[KeyPress]) -> list[Binding]:
        keys = tuple(press.key for press in key_presses)
        found = self._look_up(lambda bindings: bindings.get_bindings_for_keys(keys))
        return [binding for binding in found if self._holds(binding.filter) and self._answers(binding.eager)]

    def _is_prefix_of_longer_match(self, key_presses: list[KeyPress]) -> bool:
        keys = tuple(press.key for press in key_presses)
        found = self._look_up(lambda bindings: bindings.get_bindings_starting_with_keys(keys))
        return any(self._holds(condition) for condition in {binding.filter for binding in found})

    def _look_up(self, ask: Callable[[KeyBindingsBase], list[Binding]]) -> list[Binding]:
        found = self._faults.run(self, lambda: ask(self._bindings), None, "looking up keys")
        if found is None:
            # Some container cannot say what its keys are; the application's own are left to get away from it.
            everywhere = get_app().key_bindings
            found = ask(merge_key_bindings([load_key_bindings(), *([everywhere] if everywhere is not None else [])]))
        return found

    def _holds(self, condition: Filter) -> bool:
        return self._faults.run(condition, condition, False, "asking whether a key is on")

    def _answers(self, condition: Filter) -> bool:
        return self._faults.run(condition, condition, None, "asking whether a key is eager") is not None

    def _call_handler(self, handler: Binding, key_sequence: list[KeyPress]) -> None:
        try:
            super()._call_handler(handler, key_sequence)
        except ENDINGS:
            raise
        except BaseException as fault:
            self._report(as_error(fault), _name(key_sequence))


def _name(keys: Sequence[KeyPress]) -> str:
    if any(press.key == Keys.Vt100MouseEvent for press in keys):
        return "the mouse"
    return f"key {' '.join(press.key.value if isinstance(press.key, Keys) else press.key for press in keys)}"
