"""The files of one run's folder, and whether its runner lives.

The runner holds a lock on the file `alive` from before it is started until its process is gone, however it goes. So
whether a run is alive never depends on process ids, which are used again.

The standard library only: what a run is asked to do, which takes a validator to read, is in `run_folder`.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

from openhcs.errors import RunError

__all__ = ["RunFiles"]

_LOG_TAIL_BYTES = 2000
_ROOM_BYTES = 1 << 16
_LOCK_TRIES = 20
_LOCK_RETRY_S = 0.01


@dataclass(frozen=True, slots=True)
class RunFiles:
    """The files of the run in the folder at `path`."""

    path: Path

    @property
    def request_file(self) -> Path:
        """What the runner is asked to do, but for the plans."""
        return self.path / "run.json"

    @property
    def plans_file(self) -> Path:
        """The plans of the wells."""
        return self.path / "plans.json"

    @property
    def run_id(self) -> str:
        """What marks the run's processes and its ticket: no other run on any machine has it, wherever its folder lies.

        The same by whatever path, relative or through links, one comes to the folder.
        """
        return f"{self.path.name}-{hashlib.sha256(bytes(self.path.resolve())).hexdigest()[:12]}"

    @property
    def journal(self) -> Path:
        """What happened."""
        return self.path / "journal.jsonl"

    @property
    def log(self) -> Path:
        """What the runner and its workers printed."""
        return self.path / "runner.log"

    @property
    def cancel_asked(self) -> Path:
        """A file that exists once the run is to be cancelled; the runner looks when its control socket is there."""
        return self.path / "cancel"

    @property
    def told(self) -> Path:
        """Which of its failures have been told to a user, see `run_errors`."""
        return self.path / "told"

    def lock(self) -> int:
        """Take the lock that says that the run is alive; return its file descriptor, for the runner to inherit.

        Raises:
            RunError: another process has it.
        """
        descriptor = os.open(self.path / "alive", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        for _ in range(_LOCK_TRIES):  # somebody who asks `is_alive` has it for a moment
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(_LOCK_RETRY_S)
            else:
                return descriptor
        os.close(descriptor)
        raise RunError(f"run: {self.path} is alive already; expected a new one. Attach to it.")

    def is_alive(self) -> bool:
        """Whether the runner's process lives."""
        try:
            descriptor = os.open(self.path / "alive", os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def disk_is_full(self) -> bool:
        """Whether there is no room left for what a runner writes, as far as the system tells."""
        try:
            space = os.statvfs(self.path)
        except OSError:
            return False
        return space.f_bavail * space.f_frsize < _ROOM_BYTES or (space.f_files > 0 and space.f_favail == 0)

    def log_tail(self) -> str:
        """The last lines of the log, as far as it can be read."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(0, self.log.stat().st_size - _LOG_TAIL_BYTES))
                return file.read().decode(errors="replace").strip()
        except OSError:
            return ""
