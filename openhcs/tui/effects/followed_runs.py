"""Which runs somebody was following when the workbench was left: a small file for each, until all of it is told.

They are looked at when the next workbench opens, so this imports nothing that would hold that up, and a folder that
cannot be written is no reason not to run.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

__all__ = ["FollowedRuns"]


class FollowedRuns:
    """Remembers results folders in `folder`, across processes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, out: Path) -> None:
        """Remember that the run in `out` is being followed."""
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._file(out).write_text(str(out), encoding="utf-8", errors="surrogateescape")

    def discard(self, out: Path) -> None:
        """Forget it: all there is to tell of it has been told."""
        with suppress(OSError):
            self._file(out).unlink()

    def left(self) -> tuple[Path, ...]:
        """Those that were added and not discarded, here or in an earlier process."""
        found = []
        with suppress(OSError):
            for file in sorted(self._folder.iterdir()):
                with suppress(OSError):
                    found.append(Path(file.read_text(encoding="utf-8", errors="surrogateescape")))
        return tuple(found)

    def _file(self, out: Path) -> Path:
        return self._folder / hashlib.sha256(bytes(out)).hexdigest()[:32]
