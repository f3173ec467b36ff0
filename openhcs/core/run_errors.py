"""The errors of a run, as errors: of its runner and of its workers, to be told once, whoever follows it.

They happened in other processes, which may have been the only ones there. The run's journal has them; who follows the
run tells them and says so in the run's folder, so that nobody tells them again. Which error a well had is decided in
`worker` and `dispatch`; where it is told is the front ends' affair.

Checked by tests/core/test_run_errors.py.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from openhcs import errors
from openhcs.core.progress import Failure, RunProgress, RunState, WellState
from openhcs.errors import OpenHCSError, RunError, WellError

__all__ = ["RemoteTraceback", "RunFailure", "ToldFailures", "failures_of"]


OURS: Final = frozenset(name for name in errors.__all__ if name.endswith("Error"))
"""The kinds of errors whose message is written for the user."""


class RemoteTraceback(Exception):
    """The traceback of another process, as the cause of an error that came from there."""


@dataclass(frozen=True, slots=True)
class RunFailure:
    """One thing that went wrong in a run; `source` names the process and the well, and is unique in the run."""

    source: str
    failure: Failure
    well: str | None = None

    @property
    def is_refusal(self) -> bool:
        """Whether the runner has understood why it could not go on, and says it to the user: a full disk, say."""
        return self.well is None and self.failure.kind in OURS

    def error(self) -> OpenHCSError:
        """The error itself, with the traceback of its process as its cause."""
        failure = self.failure
        error: OpenHCSError
        if self.well is None:
            error = RunError(failure.message)
        else:
            error = WellError(
                failure.message, well=self.well, step=failure.step, plane=failure.plane, file=failure.file
            )
        if failure.traceback:
            error.__cause__ = RemoteTraceback(f"\n{failure.traceback.rstrip()}")
        return error


def failures_of(progress: RunProgress) -> tuple[RunFailure, ...]:
    """What went wrong so far, the wells first. Wells that only shared the fate of the run are not named."""
    failures = [
        RunFailure(f"worker, well {well.well}", well.failure, well.well)
        for well in progress.wells.values()
        if well.state is WellState.FAILED and well.failure is not None and well.failure.kind
    ]
    if progress.state is RunState.FAILED:
        message = progress.message or "the run ended before its time"
        failures.append(RunFailure("runner", Failure(message, progress.kind, traceback=progress.traceback)))
    return tuple(failures)


class ToldFailures:
    """Which failures of a run have been told, kept in its folder at `path` for everybody who follows it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._here: set[str] = set()

    @contextmanager
    def untold(self, failures: Callable[[], tuple[RunFailure, ...]], limit: int) -> Iterator[tuple[RunFailure, ...]]:
        """At most `limit` of `failures()` that nobody has told, for the block to tell; after it they count as told.

        Whoever else asks waits meanwhile. Where the folder cannot be written only this object remembers.
        """
        try:
            file = self._path.open("a+b")
        except OSError:
            yield self._take(failures(), limit)
            return
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            self._here.update(file.read().decode(errors="replace").splitlines())
            new = self._take(failures(), limit)
            yield new
            for failure in new:
                file.write(f"{failure.source}\n".encode())

    def _take(self, failures: tuple[RunFailure, ...], limit: int) -> tuple[RunFailure, ...]:
        new = tuple(failure for failure in failures if failure.source not in self._here)[:limit]
        self._here.update(failure.source for failure in new)
        return new
