"""Says on the screen what blocks the event loop, while the program itself cannot draw.

A blocked loop draws nothing and answers no key, so the watchdog's thread writes over the last row: a single write, the
cursor and its colours saved and restored. Threads take no turns at the terminal: should the loop go on at that very
moment, the two may write into each other. Therefore the loop draws a whole frame, from nothing, as soon as it runs
after such a write; that wipes the line, and whatever else may have gone wrong.
Checked by tests/terminal/test_blocked_notice.py.
"""

from __future__ import annotations

import os
import select
from typing import Any

from prompt_toolkit.application import Application

from openhcs.tui.utils.screen_output import ScreenOutput
from openhcs.tui.utils.watchdog import BlockedLoop

__all__ = ["write_blocked_notice"]

_COMFORT = "; your keys wait"
_BY_THE_TERMINAL = " in flush_stdout"
"""Where the loop stands while a slow link takes a frame: a line more, within that frame, would make it worse."""


def write_blocked_notice(app: Application[Any], blocked: BlockedLoop) -> None:
    """Write to the terminal of `app` what blocks its loop, and for how long; call it from another thread.

    Nothing is written where the application is not full-screen, has no frame on the screen, or no terminal, where it is
    the terminal that the loop waits for, and where half a frame is written, the rest of which the terminal has yet to
    take.
    """
    loop = app.loop
    if loop is None or not _has_the_screen(app) or blocked.where.endswith(_BY_THE_TERMINAL):
        return
    if isinstance(app.output, ScreenOutput) and app.output.is_behind:
        return
    try:
        terminal, size = app.output.fileno(), app.output.get_size()
        # A terminal that takes nothing now, halted by Ctrl-S for one, would block this thread as well.
        if os.isatty(terminal) and select.select([], [terminal], [], 0)[1]:
            os.write(terminal, _line(blocked, size.rows, size.columns))
            loop.call_soon_threadsafe(_draw_anew, app)
    except (OSError, RuntimeError):
        # The terminal or the loop is gone, and with it the reason to say anything.
        return


def _has_the_screen(app: Application[Any]) -> bool:
    # No frame is there before the first, after the last, and while the program is suspended.
    return app.full_screen and not app.is_done and app.renderer.last_rendered_screen is not None


def _draw_anew(app: Application[Any]) -> None:
    if _has_the_screen(app):
        app.renderer.erase(leave_alternate_screen=False)
        app.output.cursor_goto(0, 0)
        app.output.erase_screen()
        app.invalidate()


def _line(blocked: BlockedLoop, rows: int, columns: int) -> bytes:
    room = columns - 1  # a terminal may scroll when its very last cell is written
    file, colon, rest = blocked.where.rpartition(":")
    places = [f"{'/'.join(file.split('/')[-parts:])}{colon}{rest}" for parts in (3, 2, 1)]
    texts = [f" Held up for {blocked.seconds:.0f} s by {place}" for place in places]
    text = next((text for text in texts if len(text) <= room), texts[-1])
    if len(text) + len(_COMFORT) <= room:
        text += _COMFORT
    shown = text.encode("ascii", "backslashreplace")[:room].ljust(room)
    return b"\x1b7\x1b[%d;1H\x1b[0;7m%b\x1b[0m\x1b8" % (rows, shown)
