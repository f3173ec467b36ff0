"""The circumstances of a well's processing, for its provenance: when, by whom, on what machine, with how much memory.

Nothing of this changes a result, so none of it is in a plan. Imported by `worker`.
"""

from __future__ import annotations

import getpass
import os
import platform
import resource
import socket
import sys
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from openhcs.core.journal import Json

__all__ = ["Circumstances"]

_PROC = Path("/proc/self")


class Circumstances:
    """Begins with a well; `told` is what there is to say at its end."""

    def __init__(self) -> None:
        self._started = datetime.now(UTC)
        self._own_peak = _forget_peak()

    def told(self) -> dict[str, Json]:
        """Plain data: times in UTC, memory in bytes.

        `peak_memory_bytes` is the most that the process has held since the well began where the system can tell
        (Linux), and since the process began elsewhere.
        """
        return {
            "started": self._started.isoformat(timespec="milliseconds"),
            "ended": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "user": f"{_user()}@{socket.gethostname()}",
            "python": platform.python_version(),
            "system": platform.platform(),
            "processor": _processor(),
            "peak_memory_bytes": self._peak(),
        }

    def _peak(self) -> int:
        if self._own_peak:
            with suppress(OSError, ValueError, IndexError):
                (line,) = [one for one in (_PROC / "status").read_text().splitlines() if one.startswith("VmHWM:")]
                return int(line.split()[1]) << 10
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak << 10


def _forget_peak() -> bool:
    """Have the system measure this process's peak from now on; whether it does."""
    try:
        (_PROC / "clear_refs").write_text("5")
    except OSError:
        return False
    return True


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # in a container, users may have no names
        return f"user {os.getuid()}"


@cache
def _processor() -> str:
    """The processor's name, as the system tells it, and how many of it there are."""
    name = platform.processor() or platform.machine()
    with suppress(OSError, IndexError):
        models = [one for one in Path("/proc/cpuinfo").read_text().splitlines() if one.startswith("model name")]
        name = models[0].partition(":")[2].strip()
    return f"{os.cpu_count() or 1} x {name}"
