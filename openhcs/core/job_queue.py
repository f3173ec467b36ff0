"""What a cluster asks of whoever runs its jobs, and the script that a job runs.

The script is dask-jobqueue's, so what a site has written into its own `jobqueue.yaml` holds here too: an option that
is not given is taken from there. Imports Dask and dask-jobqueue (0.5 s), which is the extra `slurm`.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Protocol

import dask
from dask_jobqueue.core import Job

from openhcs.core.cluster_file import ClusterFiles

__all__ = ["JobQueue", "JobState", "JobStatus", "WorkerJob", "job_script"]

GIVES_UP_AFTER_S = 60
"""How long a worker looks for the scheduler: after this, jobs that outlived their cluster end themselves."""

_WORKER_SETTINGS = {
    # Dask holds none of our data, so spilling frees nothing, and a paused worker would never go on.
    "DASK_DISTRIBUTED__WORKER__MEMORY__TARGET": "False",
    "DASK_DISTRIBUTED__WORKER__MEMORY__SPILL": "False",
    "DASK_DISTRIBUTED__WORKER__MEMORY__PAUSE": "False",
    "DASK_DISTRIBUTED__WORKER__MEMORY__TERMINATE": "0.95",
    "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False",
    # A well may keep the interpreter busy for minutes in one call.
    "DASK_DISTRIBUTED__ADMIN__TICK__LIMIT": "1h",
    # Nothing is served to those without a key.
    "DASK_DISTRIBUTED__WORKER__HTTP__ROUTES": "[]",
}


class JobState(Enum):
    """Where a job is between submission and end."""

    PENDING = "pending"
    RUNNING = "running"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class JobStatus:
    """What the queue says of a job.

    Attributes:
        reason: why it waits, in the queue's own word, or how it ended; empty if that is not known.
        advice: what to do, where waiting does not help.
    """

    state: JobState
    reason: str = ""
    advice: str = ""


@dataclass(frozen=True, slots=True)
class WorkerJob:
    """What one job brings: worker processes, each of which takes one well at a time.

    Attributes:
        name: of the cluster; jobs are named so, and workers with a number.
        workers: in one job.
        cores: of each worker; more than one help only functions that use threads.
        memory_bytes: of each worker; Dask ends a worker that goes beyond, which costs its well.
        interface: the network interface that workers are reached by; None leaves it to Dask.
        host: the address they are reached by, in place of an interface.
        setup: lines of shell that run before the workers start.
    """

    name: str
    workers: int = 1
    cores: int = 1
    memory_bytes: int = 4 * 10**9
    interface: str | None = None
    host: str | None = None
    setup: Sequence[str] = ()


class JobQueue(Protocol):
    """Runs jobs that bring workers to a scheduler. Errors are `RunError`s that say what the queue said."""

    async def submit(self, number: int, address: str) -> str:
        """Ask for the job of this number, whose workers go to the scheduler at `address`; return its id."""

    async def look(self, jobs: Collection[str]) -> Mapping[str, JobStatus]:
        """How the jobs stand; one that the queue does not know any more is left out."""

    async def cancel(self, jobs: Collection[str]) -> None:
        """End jobs, wherever they are; those that have ended are no error."""

    def log(self, job: str) -> Path:
        """The file with what the job said."""


def job_script(
    kind: type[Job],
    job: WorkerJob,
    number: int,
    address: str,
    files: ClusterFiles,
    *,
    directives: Sequence[str] = (),
    **options: object,
) -> str:
    """The script of one job.

    Args:
        kind: dask-jobqueue's class for the queue.
        directives: lines for the script's head, in the queue's own words, after those of the site.
        options: of `kind`; those that are None are as the site has them.
    """
    # The first well does not wait for imports, and an environment without OpenHCS is found out before it.
    preload = [*dask.config.get("distributed.worker.preload"), "openhcs.core.worker"]
    settings = {**_WORKER_SETTINGS, "DASK_DISTRIBUTED__WORKER__PRELOAD": str(preload).replace("'", '"')}
    if job.cores > 1:
        threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        settings |= dict.fromkeys(threads, str(job.cores))
    python = dask.config.get(f"jobqueue.{kind.config_name}.python", None) or shlex.quote(sys.executable)
    made = kind(
        address,
        python=f"exec {python}",  # a signal to the job reaches the workers, not a shell that waits for them
        name=f"{job.name}-{number}",
        job_name=job.name,
        cores=job.workers,  # Dask's word for threads: one in each worker, for one well
        processes=job.workers,
        memory=f"{job.workers * job.memory_bytes}B",
        interface=job.interface,
        protocol="tls://",
        security=files.security(),
        death_timeout=GIVES_UP_AFTER_S,
        job_script_prologue=[
            *_of_site(kind, "job-script-prologue"),
            *(f"export {name}='{value}'" for name, value in settings.items()),
            *job.setup,
        ],
        worker_extra_args=[
            *_of_site(kind, "worker-extra-args"),
            "--no-dashboard",
            *(() if job.host is None else ("--host", job.host)),
        ],
        job_extra_directives=[*_of_site(kind, "job-extra-directives"), *directives],
        **options,
    )
    script: str = made.job_script()
    return script


def _of_site(kind: type[Job], key: str) -> list[str]:
    return list(dask.config.get(f"jobqueue.{kind.config_name}.{key}", None) or ())
