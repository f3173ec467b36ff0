"""Ends a bracketed paste whose end never comes.

A terminal marks the beginning and the end of what is pasted, and prompt_toolkit's parser takes everything between as
text. If the end mark is lost, to a slow link or to the shell while the program is stopped, every key goes into the
paste for ever. Here one that has brought nothing for two seconds is ended: what has come is the paste, and keys are
keys again. Should the rest come after all, it is a second paste if it comes together with its end mark.

The parser is fed the missing mark and not changed. Checked by tests/tui/utils/test_paste_watch.py and
tests/terminal/test_paste.py.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Sequence

from prompt_toolkit.input import Input
from prompt_toolkit.input.vt100 import Vt100Input
from prompt_toolkit.key_binding.key_processor import KeyPress
from prompt_toolkit.keys import Keys

__all__ = ["PasteWatch"]

_END_MARK = "\x1b[201~"

_SILENCE_S = 2.0
"""How long a paste may bring nothing; a terminal sends it in one go."""

_SILENCE_AFTER_STOP_S = 0.2
"""How long that is once the program goes on after a stop: what was not read by then went to the shell."""


class PasteWatch:
    """Watches the pastes of one application; `feed(keys)` takes the keys of one that was ended here."""

    def __init__(self, feed: Callable[[list[KeyPress]], None]) -> None:
        self._feed = feed
        self._source: Input | None = None
        self._brought: int | None = None
        self._context: contextvars.Context | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._mark_is_due = False

    def reset(self) -> None:
        """Forget the paste that is under way; its loop may be dead."""
        if self._timer is not None:
            self._timer.cancel()
        self._source = self._brought = self._timer = self._context = None
        self._mark_is_due = False

    def look(self, source: Input, keys: Sequence[KeyPress]) -> list[KeyPress]:
        """Call it when `source` may have been read, with the `keys` it brought; the keys to handle."""
        brought = _length_of_paste(source)
        if brought is None or brought != self._brought or self._timer is None:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = None
            if brought is not None and asyncio._get_running_loop() is not None:
                self._source, self._context = source, contextvars.copy_context()
                self._end_after(_SILENCE_S)
        self._brought = brought
        return self._with_late_rest(list(keys)) if self._mark_is_due and keys else list(keys)

    def go_on_after_stop(self) -> None:
        """Wait no longer than a moment for the rest of a paste: the program was stopped in the middle of it."""
        if self._timer is not None:
            self._timer.cancel()
            self._end_after(_SILENCE_AFTER_STOP_S)

    def _end_after(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._end, context=self._context)

    def _end(self) -> None:
        source, self._source, self._timer = self._source, None, None
        if isinstance(source, Vt100Input) and _length_of_paste(source) is not None:
            self._mark_is_due = True
            source.vt100_parser.feed(_END_MARK)
            self._feed(source.flush_keys())

    def _with_late_rest(self, keys: list[KeyPress]) -> list[KeyPress]:
        """`keys` with those that came before a late end mark as one paste; the mark itself is nobody's key."""
        data = [press.data for press in keys]
        # The parser does not know the mark outside a paste, and takes it for its characters.
        for at in range(len(keys) - len(_END_MARK) + 1):
            if "".join(data[at : at + len(_END_MARK)]) == _END_MARK:
                self._mark_is_due = False
                rest = [KeyPress(Keys.BracketedPaste, "".join(data[:at]))] if at else []
                return [*rest, *keys[at + len(_END_MARK) :]]
        return keys


def _length_of_paste(source: Input) -> int | None:
    """How much the paste under way has brought; None if there is none, or no parser that knows of pastes."""
    if not isinstance(source, Vt100Input) or not source.vt100_parser._in_bracketed_paste:
        return None
    return len(source.vt100_parser._paste_buffer)
