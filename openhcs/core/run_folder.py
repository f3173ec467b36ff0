"""A run's own folder: its request, plans, journal, log, and whether its runner lives.

The runner holds a lock on the file `alive` from before it is started until its process is gone, however it goes. So
whether a run is alive never depends on process ids, which are used again.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, PositiveInt, ValidationError

from openhcs.core.compiler import plans_from_json, plans_to_json
from openhcs.core.execution import Execution
from openhcs.core.model import WellPlan
from openhcs.core.results import ResultsFolder, explained
from openhcs.core.whole_file import deny_others, write_text
from openhcs.errors import RunError, StoreError

__all__ = ["RunFolder", "RunRequest"]

_LOG_TAIL_BYTES = 2000
_ROOM_BYTES = 1 << 16
_LOCK_TRIES = 20
_LOCK_RETRY_S = 0.01


class RunRequest(BaseModel):
    """What a runner is asked to do; its plans lie beside it.

    `workers` is how many wells may be processed at the same time; None takes every worker of a scheduler that is there.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    plate: str
    pipeline: str
    out: Path
    workers: PositiveInt | None = None
    memory_limit_bytes: PositiveInt | None = None
    execution: Execution = Execution()
    sites: tuple[PositiveInt, ...] = ()  # all, if none is named
    root: Path | None = None  # the plate's folder
    csv: bool = False  # tables of all wells as CSV files too


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The folder of one run, at `path`."""

    path: Path

    @classmethod
    def create(cls, results: ResultsFolder, request: RunRequest, plans: Sequence[WellPlan]) -> RunFolder:
        """A new folder that holds a request; its name is the time, so that names sort as runs do.

        Raises:
            StoreError: it cannot be written.
        """
        started = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        folder = cls(results.runs / started)
        with explained(folder.path):
            folder.path.mkdir(parents=True)
            # Who can write here can have a runner run code: the results may be shared with a group, this may not.
            deny_others(folder.path)
            write_text(folder.path / "plans.json", plans_to_json(plans).decode())
            write_text(folder.path / "run.json", request.model_dump_json(indent=1))
            folder.log.touch()
            for file in folder.path.iterdir():
                deny_others(file)
        return folder

    @classmethod
    def newest(cls, results: ResultsFolder) -> RunFolder | None:
        """The folder of the run that was started last in a results folder."""
        return next(iter(cls.newest_first(results)), None)

    @classmethod
    def newest_first(cls, results: ResultsFolder) -> tuple[RunFolder, ...]:
        """The folders of all runs in a results folder, the one that was started last before the others."""
        names = sorted((path.parent.name for path in results.runs.glob("*/run.json")), reverse=True)
        return tuple(cls(results.runs / name) for name in names)

    @property
    def run_id(self) -> str:
        """What marks the run's processes: no other run on any machine has it, wherever its folder lies."""
        return f"{self.path.name}-{hashlib.sha256(str(self.path).encode()).hexdigest()[:12]}"

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

    def request(self) -> RunRequest:
        """The request without its plans; raises `StoreError`."""
        with self._expected():
            return RunRequest.model_validate_json((self.path / "run.json").read_bytes())

    def read_request(self) -> tuple[RunRequest, tuple[WellPlan, ...]]:
        """The request and its plans; raises `StoreError`."""
        with self._expected():
            return self.request(), plans_from_json((self.path / "plans.json").read_bytes())

    @contextmanager
    def _expected(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValidationError) as error:
            if isinstance(error, StoreError):
                raise
            raise StoreError(f"run request: {self.path} ({error}); expected run.json and plans.json.") from error

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
