"""A run's own folder: making it, finding it again, and what its runner is asked to do.

Which files it has, and whether its runner lives, is in `run_files`.
"""

from __future__ import annotations

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
from openhcs.core.run_files import RunFiles
from openhcs.core.turns import Turn
from openhcs.core.whole_file import deny_others, write_text
from openhcs.errors import StoreError

__all__ = ["RunFolder", "RunRequest"]


class RunRequest(BaseModel):
    """What a runner is asked to do; its plans lie beside it.

    `workers` is how many wells may be processed at the same time; None takes every worker of a scheduler that is there.
    """

    # Another version of the program may have asked for more: its results are to be found, and run again, all the same.
    model_config = ConfigDict(frozen=True, extra="ignore")

    plate: str
    pipeline: str
    out: Path
    workers: PositiveInt | None = None
    memory_limit_bytes: PositiveInt | None = None
    execution: Execution = Execution()
    sites: tuple[PositiveInt, ...] = ()  # all, if none is named
    root: Path | None = None  # the plate's folder
    csv: bool = False  # tables of all wells as CSV files too
    wells: tuple[str, ...] = ()  # of the plans, for a run that waits and does not read them
    turn: Turn | None = None  # to wait for


@dataclass(frozen=True, slots=True)
class RunFolder(RunFiles):
    """The folder of one run, at `path`."""

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
            write_text(folder.plans_file, plans_to_json(plans).decode())
            write_text(folder.request_file, request.model_dump_json(indent=1))
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
        """The folders of all runs in a results folder, the one that was started last before the others.

        Raises:
            StoreError: it cannot be looked at.
        """
        try:
            names = sorted((path.parent.name for path in results.runs.glob("*/run.json")), reverse=True)
        except OSError as error:
            raise StoreError(
                f"results folder: {results.path} cannot be read ({error.strerror or error}); expected a folder that "
                "can be. Choose another results folder."
            ) from error
        return tuple(cls(results.runs / name) for name in names)

    def request(self) -> RunRequest:
        """The request without its plans; raises `StoreError`."""
        with self._expected():
            return RunRequest.model_validate_json(self.request_file.read_bytes())

    def read_request(self) -> tuple[RunRequest, tuple[WellPlan, ...]]:
        """The request and its plans; raises `StoreError`."""
        with self._expected():
            return self.request(), plans_from_json(self.plans_file.read_bytes())

    @contextmanager
    def _expected(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValidationError) as error:
            if isinstance(error, StoreError):
                raise
            raise StoreError(
                f"run request: {self.path} ({_first_fault(error)}); expected run.json and plans.json, as runs write "
                "them. Choose another results folder, or move this run's folder away."
            ) from error


def _first_fault(error: OSError | ValidationError) -> str:
    """What is wrong with a file, without what pydantic says of itself."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    fault = error.errors(include_url=False)[0]
    place = ".".join(map(str, fault["loc"]))
    return f"{place}: {fault['msg']}" if place else fault["msg"]
