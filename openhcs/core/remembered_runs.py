"""Which results folders this user's runs went to: a small file for each, whatever process started them.

The workbench looks here before its first second is over, so this imports nothing that would hold it up; and a folder
that cannot be written is no reason not to run. What became of the runs is in the results folders themselves.

Imports nothing but the standard library and `paths`. Checked by tests/core/test_known_runs.py.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import Final

from openhcs.core import paths

__all__ = ["RememberedRuns", "followed_runs", "known_runs"]

REMEMBERED_AT_MOST: Final = 200


class RememberedRuns:
    """Remembers results folders in `folder`, across processes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, out: Path) -> None:
        """Remember the run in `out` as the most recent one."""
        out = out.absolute()
        with suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file(out).write_text(str(out), encoding="utf-8", errors="surrogateescape")
            for old in self._newest_first()[REMEMBERED_AT_MOST:]:
                old.unlink()

    def discard(self, out: Path) -> None:
        """Forget it."""
        with suppress(OSError):
            self._file(out.absolute()).unlink()

    def all(self) -> tuple[Path, ...]:
        """Those that were added and not discarded, here or in another process; the most recent ones first."""
        found = []
        with suppress(OSError):
            for file in self._newest_first():
                with suppress(OSError):
                    found.append(Path(file.read_text(encoding="utf-8", errors="surrogateescape")))
        return tuple(found)

    def _newest_first(self) -> list[Path]:
        return sorted(self._folder.iterdir(), key=lambda file: file.stat().st_mtime_ns, reverse=True)

    def _file(self, out: Path) -> Path:
        return self._folder / hashlib.sha256(bytes(out)).hexdigest()[:32]


def known_runs() -> RememberedRuns:
    """The runs that this user started or followed."""
    return RememberedRuns(paths.state_folder() / "known-runs")


def followed_runs() -> RememberedRuns:
    """The runs that a workbench follows, until all that is to be told of them has been told."""
    return RememberedRuns(paths.state_folder() / "followed-runs")
