"""Following the log of a run; its reader is imported in the thread that reads: with pydantic it takes 0.2 s."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from openhcs.core.run_log_query import LogPage, LogQuery
from openhcs.tui.utils.daemon_thread import in_daemon_thread

if TYPE_CHECKING:
    from openhcs.core.run_log import LogReader

__all__ = ["LogFollower"]


class LogFollower:
    """Reads the log of the last run into `out`, as it grows."""

    def __init__(self, out: Path) -> None:
        self._out = out
        self._reader: LogReader | None = None

    async def read(self, query: LogQuery) -> LogPage:
        """The log now, as `query` asks for it; raises `StoreError`."""

        def read() -> LogPage:
            from openhcs.core.run_log import LogReader

            if self._reader is None:
                self._reader = LogReader(self._out)
            return self._reader.read(query)

        return await in_daemon_thread(read, f"read the log in {self._out.name}")
