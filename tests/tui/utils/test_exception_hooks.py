"""The last resorts: each leads to the error handler once, and is given back."""

from __future__ import annotations

import sys
import threading

from openhcs.tui.utils.exception_hooks import hooks_installed
from openhcs.tui.utils.safe_error_handler import SafeErrorHandler


def test_hooks_are_given_back() -> None:
    """After the block the interpreter's hooks are what they were."""
    before = (sys.excepthook, sys.unraisablehook, threading.excepthook)
    with hooks_installed(SafeErrorHandler()):
        assert sys.excepthook != before[0]
    assert (sys.excepthook, sys.unraisablehook, threading.excepthook) == before
