"""Running a program whose end is bounded (G6, G10).

`asyncio.run` waits without bound for tasks that ignore their cancellation and for threads of the executor, and with it
the terminal's user. `run_bounded` gives what is left a moment and then goes. Checked by
tests/tui/utils/test_bounded_run.py.

Standard library only.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn, TypeVar

__all__ = ["exit_bounded", "run_bounded"]

logger = logging.getLogger(__name__)

T = TypeVar("T")


def run_bounded(main: Coroutine[Any, Any, T], grace_s: float = 1.0) -> T:
    """Run `main` on a new event loop as `asyncio.run` does, but let what it leaves behind end for `grace_s` at most.

    Tasks that are still alive then are named in the log and left. For a program's outermost call: threads of the
    executor are not waited for here; `exit_bounded` sees to those.
    """
    loop = asyncio.new_event_loop()
    executor = ThreadPoolExecutor(thread_name_prefix="worker")
    loop.set_default_executor(executor)
    try:
        asyncio.set_event_loop(loop)
        return loop.run_until_complete(main)
    finally:
        try:
            _end_tasks(loop, grace_s)
            with contextlib.suppress(TimeoutError):
                loop.run_until_complete(asyncio.wait_for(loop.shutdown_asyncgens(), grace_s))
            executor.shutdown(wait=False, cancel_futures=True)
        finally:
            asyncio.set_event_loop(None)
            loop.close()


def exit_bounded(code: int) -> NoReturn:
    """End the process with `code`, though threads are still at work.

    Python would wait for some, and unwind daemon threads wherever they are, which aborts the process where that is
    compiled code such as pydantic's. Where there are no threads this is `sys.exit`, with everything that entails.
    """
    if threading.active_count() == 1:
        sys.exit(code)
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)


def _end_tasks(loop: asyncio.AbstractEventLoop, grace_s: float) -> None:
    left = asyncio.all_tasks(loop)
    if not left:
        return
    for task in left:
        task.cancel("the program ends")
    _, late = loop.run_until_complete(asyncio.wait(left, timeout=grace_s))
    for task in late:
        logger.warning("task %r did not end with the program", task.get_name())
        # The loop goes away under it; asyncio need not complain of that once more.
        task._log_destroy_pending = False  # type: ignore[attr-defined]
