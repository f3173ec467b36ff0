"""Logging that costs at most its record.

`logging` passes what a handler raises on to whoever logs. In the core that would lose the coroutine about to be closed
or the error about to be shown, so it logs through here. Standard library only; anybody may import this.

Checked by tests/tui/utils/test_safe_text.py.
"""

from __future__ import annotations

import logging

__all__ = ["log_safely"]


def log_safely(
    logger: logging.Logger, level: int, message: str, *args: object, exc_info: BaseException | None = None
) -> Exception | None:
    """Log as `logger.log` does; returns what a handler raised, None if nothing did."""
    try:
        logger.log(level, message, *args, exc_info=exc_info, stacklevel=2)
    except Exception as failure:
        return failure
    return None
