"""The terminal that goes away under a program: its window is closed, or the connection to it breaks.

G2 (its part). From then on every frame fails; that is one error, `TerminalLost`, and the program leaves with the exit
code of SIGHUP, whether that signal reaches it or not. Checked by tests/terminal/test_lost_terminal.py.
"""

from __future__ import annotations

import errno
import os

from prompt_toolkit.output import Output

__all__ = ["TerminalLost", "is_lost"]

_GONE = (errno.EIO, errno.ENXIO, errno.EBADF, errno.EPIPE)


class TerminalLost(OSError):
    """There is nobody left to draw for; `__cause__` is how that was noticed."""


def is_lost(output: Output, fault: BaseException) -> bool:
    """Whether `fault` came about because the terminal behind `output` is there no more."""
    if not isinstance(fault, OSError) or fault.errno not in _GONE:
        return False
    try:
        # The control that was drawn may have met such a fault of its own, in a file on a broken disk.
        return not os.isatty(output.fileno())
    except (OSError, ValueError, NotImplementedError):
        # There has never been one.
        return False
