"""Which failures another try may mend: those of the machines, never those of a function.

A function that raised would raise again, and its author is to know. A worker that was killed, a well that took too
long and a file server that did not answer may have had bad luck.
See docs/decisions/0019-what-is-tried-again.md.

Checked by tests/core/test_retries.py.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator

from openhcs.errors import PlaneError, StoreError

__all__ = ["is_transient"]

_TRANSIENT = frozenset(
    {
        errno.EIO,
        errno.ESTALE,
        errno.ETIMEDOUT,
        errno.ECONNRESET,
        errno.ECONNREFUSED,
        errno.ENOTCONN,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.ENETDOWN,
        errno.ENETUNREACH,
    }
)
"""What a file system says that is there again a moment later."""


def is_transient(error: BaseException) -> bool:
    """Whether `error` says that a plane could not be read, or results not written, for a reason that may pass."""
    chain = tuple(_causes(error))
    ours = any(isinstance(cause, PlaneError | StoreError) for cause in chain)
    return ours and any(isinstance(cause, OSError) and cause.errno in _TRANSIENT for cause in chain)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """`error` and what it was raised from, and so on."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__
