"""The last place where an error is told: stderr, at once or once the screen has been given back (G3).

Never on a live full-screen terminal. What waits for its end is told by `tell_untold`, and for programs that do not call
that, by the interpreter's exit. A stderr that is closed or gone is nobody's error: the journal and the log have it.

Standard library only. Checked by tests/tui/utils/test_safe_error_handler.py and test_error_path.py.
"""

from __future__ import annotations

import atexit
import contextlib
import sys
import weakref
from collections import deque
from collections.abc import Callable

from openhcs.tui.utils.error_entry import ErrorEntry
from openhcs.tui.utils.faults import ENDINGS
from openhcs.tui.utils.safe_text import format_exception, visible, visible_lines

__all__ = ["ErrorsOnStderr"]

_WAITING_LIMIT = 200


class ErrorsOnStderr:
    """Tells of errors there, or keeps them until it can; `at_exit` is called when the interpreter ends, if asked for.

    It is called through a weak reference: whoever owns this is not kept alive for it.
    """

    def __init__(self, at_exit: Callable[[], None]) -> None:
        self._at_exit = weakref.WeakMethod(at_exit)
        self._is_registered = False
        self._untold: deque[ErrorEntry] = deque(maxlen=_WAITING_LIMIT)

    def tell(self, entry: ErrorEntry) -> None:
        """Write `entry` now."""
        _write(entry)

    def tell_fatal(self, entry: ErrorEntry, exception: BaseException) -> None:
        """Write `entry` now, with all the way that `exception` has come up since it was entered."""
        with contextlib.suppress(ValueError):
            self._untold.remove(entry)
        _write(entry, format_exception(exception))

    def tell_later(self, entry: ErrorEntry) -> None:
        """Keep `entry` until the screen has been given back."""
        self._untold.append(entry)
        self.ask_for_exit()

    def tell_untold(self) -> None:
        """Write what was kept and has not been shown since."""
        while self._untold:
            entry = self._untold.popleft()
            if not entry.shown and not _write(entry):
                break

    def ask_for_exit(self) -> None:
        """Have `at_exit` called when the interpreter ends."""
        if not self._is_registered:
            self._is_registered = True
            atexit.register(_call, self._at_exit)


def _call(method: weakref.WeakMethod[Callable[[], None]]) -> None:
    if (alive := method()) is not None:
        alive()


def _write(entry: ErrorEntry, traceback: str | None = None) -> bool:
    text = visible_lines(entry.traceback if traceback is None else traceback)
    try:
        sys.stderr.write(f"{visible(entry.context, 200)} failed:\n{text}\n")
        sys.stderr.flush()
    except ENDINGS:
        raise
    except BaseException:  # the last way to tell an error: whatever stands in for the stream may raise anything
        return False
    return True
