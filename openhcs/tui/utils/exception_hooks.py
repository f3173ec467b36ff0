"""The interpreter's and the loop's last resorts, all leading to the error handler.

G2 (its part). `sys.excepthook`, `threading.excepthook`, `sys.unraisablehook` and the loop's exception handler, messages
without an exception included, report to the error handler; they are installed and restored as one.
Checked by tests/tui/utils/test_exception_hooks.py, proved in tests/proofs/test_g2_no_error_lost.py.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from openhcs.tui.utils.safe_error_handler import SafeErrorHandler
from openhcs.tui.utils.safe_text import as_text

__all__ = ["ExceptionHooks", "LoopProblem", "hooks_installed"]


class LoopProblem(RuntimeError):
    """What the event loop complains of without an exception of its own."""


class ExceptionHooks:
    """Routes what nobody caught to `handler`, between `install` and `restore`, once.

    A thread keeps the hooks that it began with. Of one that goes on behind `restore`, such as a library's own, no error
    is told here any more, and nothing of the program is held.
    """

    def __init__(self, handler: SafeErrorHandler) -> None:
        self._handler: SafeErrorHandler | None = handler
        self._installed = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def install(self) -> None:
        """Take over the interpreter's hooks, and the exception handler of the loop that runs here, if one does."""
        if not self._installed:
            self._installed = True
            self._excepthook = sys.excepthook
            self._unraisablehook = sys.unraisablehook
            self._thread_hook = threading.excepthook
            self._last_resort = logging.lastResort
            self._silence = logging.NullHandler()
            sys.excepthook = self._uncaught
            sys.unraisablehook = self._unraisable
            threading.excepthook = self._uncaught_in_thread
            # Without any handler configured, and where one of them fails, logging would write on the terminal the
            # workbench draws on.
            logging.lastResort = self._silence
            self._logging_tells_failures, logging.raiseExceptions = logging.raiseExceptions, False
        loop = asyncio._get_running_loop()
        if loop is not None and loop is not self._loop:
            self._restore_loop()
            self._loop = loop
            self._loop_handler = loop.get_exception_handler()
            loop.set_exception_handler(self._loop_complains)

    def restore(self) -> None:
        """Give everything back as it was found, except what somebody else has replaced since."""
        if self._installed:
            self._installed = False
            if sys.excepthook == self._uncaught:
                sys.excepthook = self._excepthook
            if sys.unraisablehook == self._unraisable:
                sys.unraisablehook = self._unraisablehook
            if threading.excepthook == self._uncaught_in_thread:
                threading.excepthook = self._thread_hook
            if logging.lastResort is self._silence:
                logging.lastResort = self._last_resort
            logging.raiseExceptions = logging.raiseExceptions or self._logging_tells_failures
        self._restore_loop()
        self._handler = None

    def _restore_loop(self) -> None:
        loop, self._loop = self._loop, None
        if loop is not None and loop.get_exception_handler() == self._loop_complains:
            loop.set_exception_handler(self._loop_handler)

    def _uncaught(self, kind: type[BaseException], exception: BaseException, traceback: TracebackType | None) -> None:
        if self._handler is None or issubclass(kind, KeyboardInterrupt):
            self._excepthook(kind, exception, traceback)
        else:
            self._handler.handle_fatal(exception, "the program")

    def _uncaught_in_thread(self, args: threading.ExceptHookArgs) -> None:
        if self._handler is None:
            self._thread_hook(args)
        elif not issubclass(args.exc_type, SystemExit):
            name = args.thread.name if args.thread is not None else "unknown"
            exception = args.exc_value if args.exc_value is not None else args.exc_type()
            self._handler.handle_error_sync(exception, f"thread {name}")

    def _unraisable(self, unraisable: sys.UnraisableHookArgs) -> None:
        if self._handler is None:
            self._unraisablehook(unraisable)
            return
        exception = unraisable.exc_value if unraisable.exc_value is not None else unraisable.exc_type()
        self._handler.handle_error_sync(exception, _place_of_unraisable(unraisable.err_msg))

    def _loop_complains(self, loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
        if self._handler is None:
            loop.default_exception_handler(dict(context))
            return
        message = as_text(context.get("message", "event loop"))
        exception = context.get("exception")
        place = "the event loop"
        task = context.get("task") or context.get("future")
        if isinstance(task, asyncio.Task):
            place = task.get_name()
        elif not isinstance(exception, BaseException):
            # The message is all there is to show, beneath the place.
            pass
        elif message.startswith(_IN_CALLBACK):
            place = message.removeprefix(_IN_CALLBACK)
        elif task is not None:
            place = "a future nobody awaited"
        else:
            place = f"{place} ({message})"
        if not isinstance(exception, BaseException):
            exception = LoopProblem(message)
        self._handler.handle_error_sync(exception, place)


_IN_CALLBACK = "Exception in "
"""What asyncio says before "callback name()"; the place alone reads well after "Error in"."""


def _place_of_unraisable(message: str | None) -> str:
    """What Python says of an exception it could not raise, "Exception ignored in ...", as a place."""
    place = (message or "").removeprefix("Exception ignored").strip(" :")
    for preposition in ("in ", "on ", "while "):
        place = place.removeprefix(preposition)
    return place if place not in ("", "in", "on", "while") else "a finaliser"


@contextmanager
def hooks_installed(handler: SafeErrorHandler) -> Iterator[ExceptionHooks]:
    """Route what nobody caught to `handler` for the time of the block."""
    hooks = ExceptionHooks(handler)
    hooks.install()
    try:
        yield hooks
    finally:
        hooks.restore()
