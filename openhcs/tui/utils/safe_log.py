"""Logging that costs at most its record.

`logging` passes what a handler raises on to whoever logs. In the core that would lose the coroutine about to be closed
or the error about to be shown, so it logs through here. The traceback is made here too and rides on the record, where
formatters look for it first: theirs would ask a hostile exception again, or take a message of megabytes apart.

Standard library only; anybody may import this. Checked by tests/tui/utils/test_safe_text.py.
"""

from __future__ import annotations

import asyncio
import logging

from openhcs.tui.utils.safe_text import attribute_of, format_exception, visible_lines

__all__ = ["log_safely"]


def log_safely(
    logger: logging.Logger,
    level: int,
    message: str,
    *args: object,
    exc_info: BaseException | None = None,
    traceback: str | None = None,
) -> BaseException | None:
    """Log as `logger.log` does, with `traceback` as the text of `exc_info` where there is one already.

    Returns what a handler raised, None if nothing did.
    """
    try:
        if not logger.isEnabledFor(level):
            return None
        file, line, function, _ = logger.findCaller(stacklevel=2)
        about = None
        if exc_info is not None:
            about = (type(exc_info), exc_info, attribute_of(exc_info, "__traceback__"))
        record = logger.makeRecord(logger.name, level, file, line, message, args, about, function)
        if exc_info is not None:
            text = traceback if traceback is not None else format_exception(exc_info)
            record.exc_text = visible_lines(text).rstrip("\n")
        logger.handle(record)
    except (Exception, asyncio.CancelledError) as failure:
        return failure
    return None
