"""Strict mode: the program looks at itself more closely, for its developers.

While it is on,

- a CancelledError that our code handled and did not let go on is an error (`swallowed_cancel`; Python 3.12);
- a coroutine that was never awaited is an error, and says where it was made;
- each managed task remembers the place that created it (`UnifiedTaskManager.snapshot`);
- a fault in native code, or a SIGABRT sent to a program that hangs, leaves the Python stack of every thread
  (`faulthandler`);
- in full, the event loop is in debug mode.

When it ends, all is as it was. A `Program` takes a `Strict` as well, and then also looks sooner at what blocks its
loop. Checked by tests/tui/utils/test_strict.py; what it costs is measured by benchmarks/strict.py.

Standard library only.
"""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TextIO

from openhcs.tui.utils.swallowed_cancel import CancelWatch, can_watch_cancels
from openhcs.tui.utils.unified_task_manager import UnifiedTaskManager

__all__ = ["Strict", "missing_part", "strict_mode"]

logger = logging.getLogger(__name__)

OnError = Callable[[BaseException, str], object]

_ORIGIN_FRAMES = 1


@dataclass(frozen=True)
class Strict:
    """How strict.

    Args:
        files: the folders and files whose code may not swallow a cancellation; without any, all that belong neither to
            the standard library nor to an installed package.
        full: asyncio's debug mode as well, in which tasks cost some thirty times as much.
        blocked_s: how long the loop of a `Program` may be blocked.
        faults: the file that gets the stacks of a fault in native code; None is stderr.
    """

    files: tuple[str | os.PathLike[str], ...] = ()
    full: bool = False
    blocked_s: float = 0.1
    faults: str | os.PathLike[str] | None = None


@contextmanager
def strict_mode(
    on_error: OnError, strict: Strict | None = None, *, tasks: UnifiedTaskManager | None = None
) -> Iterator[None]:
    """Strict mode for the time of the block; `on_error(exception, context)` is told, in any thread.

    `tasks` remembers creators. In full it is entered where the event loop runs; otherwise it may be entered before.
    """
    strict = strict if strict is not None else Strict()
    with ExitStack() as stack:
        if strict.full:
            stack.enter_context(_loop_in_debug_mode())
        else:
            stack.enter_context(_origins_tracked())
        stack.enter_context(_never_awaited_told(on_error))
        stack.enter_context(_faults_dumped(strict))
        if tasks is not None:
            stack.enter_context(tasks.creators_recorded())
        watch = CancelWatch(on_error, tuple(os.fspath(file) for file in strict.files))
        if watch.start():
            stack.callback(watch.stop)
        else:
            _say_once(
                missing_part()
                or "strict mode: other tools take all of sys.monitoring; swallowed cancellations "
                "are not seen. Run without them to see those."
            )
        yield


def missing_part() -> str | None:
    """What strict mode cannot do on this Python, as a sentence; None if it can do all."""
    if can_watch_cancels():
        return None
    return "strict mode: swallowed cancellations are seen on Python 3.12 and later only; everything else is on."


_said: set[str] = set()


def _say_once(text: str) -> None:
    if text not in _said:
        _said.add(text)
        logger.warning("%s", text)


@contextmanager
def _origins_tracked() -> Iterator[None]:
    before = sys.get_coroutine_origin_tracking_depth()
    sys.set_coroutine_origin_tracking_depth(max(before, _ORIGIN_FRAMES))
    try:
        yield
    finally:
        sys.set_coroutine_origin_tracking_depth(before)


@contextmanager
def _loop_in_debug_mode() -> Iterator[None]:
    # Debug mode tracks origins by itself, and puts their depth back when the loop next turns, or ends.
    loop = asyncio.get_running_loop()
    before = loop.get_debug()
    loop.set_debug(True)
    try:
        yield
    finally:
        loop.set_debug(before)


@contextmanager
def _never_awaited_told(on_error: OnError) -> Iterator[None]:
    before = warnings.showwarning

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if issubclass(category, RuntimeWarning) and "was never awaited" in str(message):
            on_error(message if isinstance(message, Warning) else category(message), f"{filename}:{lineno}")
        else:
            before(message, category, filename, lineno, file, line)

    warnings.showwarning = show
    try:
        yield
    finally:
        if warnings.showwarning is show:
            warnings.showwarning = before


@contextmanager
def _faults_dumped(strict: Strict) -> Iterator[None]:
    if faulthandler.is_enabled():
        # Somebody has said already where they are to go, and cannot be asked.
        yield
        return
    with ExitStack() as stack:
        file = sys.__stderr__
        if strict.faults is not None:
            # Where it cannot be written stderr must do. Kept open: when it is needed nothing can be opened any more.
            with suppress(OSError):
                file = stack.enter_context(open(strict.faults, "a", encoding="utf-8"))  # noqa: PTH123 - any path
        if file is not None:
            faulthandler.enable(file)
            stack.callback(faulthandler.disable)
        yield
