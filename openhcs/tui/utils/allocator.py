"""What the C library's allocator keeps of memory that is free, where it can be asked, as glibc's.

It takes an arena of its own for each thread, up to eight for each core, and each keeps what it once needed: a day of
pictures and tables, read in threads that come and go, left 36 MiB in a dozen of them. Python's own small objects are
elsewhere. Checked by tests/tui/utils/test_idle_garbage.py and test_allocator.py.
"""

from __future__ import annotations

import ctypes
from contextlib import suppress
from typing import Final

__all__ = ["return_free_memory", "use_few_arenas"]

_M_ARENA_MAX: Final = -8
_ARENAS: Final = 2


def use_few_arenas() -> None:
    """Have threads that are begun from now on share two arenas; without effect where there are none."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _ARENAS)


def return_free_memory() -> None:
    """Give back to the system what is free between things that are still there: less than a millisecond."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
