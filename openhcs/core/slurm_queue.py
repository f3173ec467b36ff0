"""Jobs through slurm: sbatch, squeue and scancel, with the job script of dask-jobqueue."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dask_jobqueue.slurm import SLURMJob

from openhcs.core.cluster_file import ClusterFiles
from openhcs.core.job_queue import JobState, JobStatus, WorkerJob, job_script
from openhcs.core.queue_programs import call
from openhcs.errors import RunError

__all__ = ["SlurmOptions", "SlurmQueue"]

_PENDING = frozenset({"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "RESV_DEL_HOLD"})
_ENDED = frozenset(
    {
        "BOOT_FAIL",
        "CANCELLED",
        "COMPLETED",
        "DEADLINE",
        "FAILED",
        "LAUNCH_FAILED",
        "NODE_FAIL",
        "OUT_OF_MEMORY",
        "PREEMPTED",
        "RECONFIG_FAIL",
        "REVOKED",
        "TIMEOUT",
    }
)
_OUTPUT_OPTIONS = ("#SBATCH -o ", "#SBATCH -e ", "#SBATCH --output", "#SBATCH --error")


@dataclass(frozen=True, slots=True)
class SlurmOptions:
    """What is asked of slurm for each job; None is what the site's `jobqueue.yaml`, or slurm itself, has.

    Attributes:
        walltime: as slurm writes it, such as 04:00:00 or 1-12.
        directives: more options of sbatch, such as --gres=gpu:1.
    """

    partition: str | None = None
    account: str | None = None
    walltime: str | None = None
    directives: Sequence[str] = ()


class SlurmQueue:
    """The jobs of one cluster in slurm's queue; see `JobQueue`."""

    def __init__(self, job: WorkerJob, options: SlurmOptions, files: ClusterFiles) -> None:
        self._job = job
        self._options = options
        self._files = files

    def script(self, number: int, address: str) -> str:
        """What is submitted."""
        return job_script(
            SLURMJob,
            self._job,
            number,
            address,
            self._files,
            queue=self._options.partition,
            account=self._options.account,
            walltime=self._options.walltime,
            job_cpu=self._job.workers * self._job.cores,
            job_directives_skip=_OUTPUT_OPTIONS,
            directives=[f"--output={self._files.logs}/%j.log", *self._options.directives],
        )

    async def submit(self, number: int, address: str) -> str:
        answer = await call("sbatch", "--parsable", text=self.script(number, address))
        job = answer.strip().partition(";")[0]  # `id`, or `id;cluster`
        if not job.isdigit():
            raise RunError(f"sbatch: it answered {answer.strip()!r}; expected the number of a job.")
        return job

    async def look(self, jobs: Collection[str]) -> Mapping[str, JobStatus]:
        # By user, since squeue refuses a list of ids that have all ended; `all` tells how jobs ended, for a while.
        lines = await call("squeue", "--noheader", f"--user={os.getuid()}", "--states=all", "--format=%i %T %r")
        found = {}
        for line in lines.splitlines():
            job, state, reason = [*line.split(maxsplit=2), "", "", ""][:3]
            if job in jobs:
                found[job] = _status(state, "" if reason == "None" else reason.strip("()"))
        return found

    async def cancel(self, jobs: Collection[str]) -> None:
        if jobs:
            await call("scancel", "--quiet", *jobs)

    def log(self, job: str) -> Path:
        return self._files.logs / f"{job}.log"


def _status(state: str, reason: str) -> JobStatus:
    if state in _PENDING:
        return JobStatus(JobState.PENDING, reason)
    if state in _ENDED:
        return JobStatus(JobState.ENDED, state)
    return JobStatus(JobState.RUNNING)  # or on its way to an end
