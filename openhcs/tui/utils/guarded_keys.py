"""Keys, handled one by one, and none lost to the fault of another.

- G2 (its part). A failing key or mouse handler is reported; the keys typed behind it are still handled. A failing
  filter switches its own key off, a failing key event handler misses its event, and nothing else does.
- G5 (its part). Keys typed ahead are handled one in each turn of the loop, and wait for what the one before them
  started (`holding`), so that a dialog opened by the first gets the second.

Checked by tests/tui/utils/test_application.py. Subclasses only; prompt_toolkit itself is not patched.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from time import monotonic
from typing import Any, TypeVar

from prompt_toolkit.application import get_app
from prompt_toolkit.filters import Filter
from prompt_toolkit.key_binding import merge_key_bindings
from prompt_toolkit.key_binding.defaults import load_key_bindings
from prompt_toolkit.key_binding.key_bindings import Binding, KeyBindingsBase
from prompt_toolkit.key_binding.key_processor import KeyPress, KeyProcessor
from prompt_toolkit.keys import Keys
from prompt_toolkit.layout.containers import Window

from openhcs.tui.ports import ErrorSink
from openhcs.tui.utils.faults import ENDINGS, FaultLog, GuardedEvent, as_error
from openhcs.tui.utils.mouse_reports import is_mouse_report
from openhcs.tui.utils.owned_coroutine import OwnedCoroutine
from openhcs.tui.utils.paste_watch import PasteWatch

__all__ = ["GuardedKeyProcessor"]

T = TypeVar("T")

_HOLD_S = 1.0
"""How long keys typed ahead wait at most for what a key started."""

_LOOK_AGAIN_S = 0.005

_AT_ONCE = (Keys.SIGINT, Keys.CPRResponse)


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


class GuardedKeyProcessor(KeyProcessor):
    """Handles one key in each turn of the loop; a handler that fails is reported and the next key goes on."""

    def __init__(self, key_bindings: KeyBindingsBase, report: ErrorSink) -> None:
        self._report = report
        self._faults = FaultLog(report)
        self._typed_ahead: deque[KeyPress] = deque()
        self._turn_is_scheduled = False
        self._pastes = PasteWatch(self._take_paste)
        super().__init__(key_bindings)
        self.before_key_press = GuardedEvent(self, self._faults, "before a key")
        self.after_key_press = GuardedEvent(self, self._faults, "after a key")

    def reset(self) -> None:
        super().reset()
        self._typed_ahead.clear()
        self._pastes.reset()
        self._held_by: list[_Hold] = []
        # One that a dead loop has still to take never comes.
        self._turn_is_scheduled = False

    def process_keys(self) -> None:
        app = get_app()
        keys = [key for key in self._pastes.look(app.input, self.input_queue) if not _is_noise(key)]
        urgent = [key for key in keys if key.key in _AT_ONCE]
        self._typed_ahead.extend(key for key in keys if key.key not in _AT_ONCE)
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

    def holding(self, work: Coroutine[Any, Any, T], window: Window) -> Coroutine[Any, Any, T]:
        """`work`, for which keys wait that have not been handled yet: until it ends, or `window` loses the focus."""
        hold = _Hold(window, monotonic() + _HOLD_S)
        self._held_by.append(hold)
        return OwnedCoroutine(hold.until_ended, work)

    def go_on_after_stop(self) -> None:
        """Take keys again soon if the program was stopped in the middle of a paste."""
        self._pastes.go_on_after_stop()

    def _take_paste(self, keys: list[KeyPress]) -> None:
        if not get_app().is_done:
            self.feed_multiple(keys)
            self.process_keys()

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


def _is_noise(press: KeyPress) -> bool:
    return press.key is Keys.Vt100MouseEvent and not is_mouse_report(press.data)


def _name(keys: Sequence[KeyPress]) -> str:
    if any(press.key == Keys.Vt100MouseEvent for press in keys):
        return "the mouse"
    return f"key {' '.join(press.key.value if isinstance(press.key, Keys) else press.key for press in keys)}"
