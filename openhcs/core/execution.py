"""How a run is to be executed, as the user decides it: on which workers, and what a well is given before it has failed.

Plain values, which go from the settings and the command line through the run's request to `run_loop`.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, NonNegativeInt, PositiveFloat

__all__ = ["Execution"]


class Execution(BaseModel):
    """On whose workers a run is executed, and how patient it is with wells and workers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scheduler: str | None = None
    """The address or the scheduler file of a Dask cluster that is there already; None starts workers of our own."""
    retries: NonNegativeInt = 1
    """How often a well is tried again whose worker died, that took too long or could not be read; see `retries`."""
    well_timeout_s: PositiveFloat | None = None
    """How long one try of a well may take."""
    wait_for_workers_s: PositiveFloat = 300.0
    """How long a run waits for a worker when there is none, before it fails."""
