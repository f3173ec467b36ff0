"""How a run is to be executed, as the user decides it: on which workers, and what a well is given before it has failed.

Plain values, which go from the settings and the command line through the run's request to `dispatch`.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, NonNegativeInt, PositiveFloat

from openhcs.errors import InputError

__all__ = ["Execution", "Niceness", "SchedulerName", "scheduler_name"]

_ADDRESS = re.compile(r"(tcp|tls)://[^\s/]+:\d+")


def scheduler_name(text: str) -> str:
    """What names a scheduler, a file by its absolute path; raises `ValueError`."""
    if _ADDRESS.fullmatch(text):
        return text
    if text.endswith(".json"):
        # Not Path's own, which raises what is no ValueError where ~ stands for nobody.
        return str(Path(os.path.expanduser(text)).absolute())  # noqa: PTH111
    raise ValueError(f"tcp://host:port, tls://host:port or a scheduler file (.json), not {text!r}")


SchedulerName = Annotated[str, AfterValidator(scheduler_name)]
Niceness = Annotated[int, Field(ge=0, le=19)]


class Execution(BaseModel):
    """On whose workers a run is executed, and how patient it is with wells and workers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scheduler: SchedulerName | None = None
    """The address or the scheduler file of a Dask cluster that is there already; None starts workers of our own."""
    retries: NonNegativeInt = 1
    """How often a well is tried again whose worker died, that took too long or could not be read; see `retries`."""
    well_timeout_s: PositiveFloat | None = None
    """How long one try of a well may take."""
    wait_for_workers_s: PositiveFloat = 300.0
    """How long a run waits for a worker when there is none, before it fails."""
    niceness: Niceness = 0
    """How far its processes on this machine let others go first, as nice(1) counts; the settings say 10."""

    def but_with(self, scheduler: str | None, retries: int | None, well_timeout_s: float | None) -> Execution:
        """The same, but for what is given.

        Raises:
            InputError: `scheduler` is no name of one.
        """
        try:
            name = None if scheduler is None else scheduler_name(scheduler)
        except ValueError as error:
            raise InputError(f"scheduler: expected {error}.") from None
        given = {"scheduler": name, "retries": retries, "well_timeout_s": well_timeout_s}
        return self.model_copy(update={key: value for key, value in given.items() if value is not None})
