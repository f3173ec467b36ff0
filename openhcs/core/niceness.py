"""How much of a machine a run takes that others want too: it gives way, and keys stay quick while all cores compute.

See docs/decisions/0033-a-run-gives-way.md. Checked by tests/core/test_niceness.py.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

__all__ = ["give_way"]

_AUTOGROUP = Path("/proc/self/autogroup")


def give_way(niceness: int) -> None:
    """Let others go before this process and those it will start, by `niceness` (0 to 19, as nice(1) counts).

    Somebody who started it with less claim than that is obeyed. Linux may share the cores among sessions first
    (autogroup, see sched(7)), where niceness counts within a session only: one that this process leads gets it too.
    """
    niceness = max(niceness, os.getpriority(os.PRIO_PROCESS, 0))
    os.setpriority(os.PRIO_PROCESS, 0, niceness)
    if os.getsid(0) == os.getpid():
        with suppress(OSError):  # no autogroups in this kernel, or in this container
            _AUTOGROUP.write_text(str(niceness))
