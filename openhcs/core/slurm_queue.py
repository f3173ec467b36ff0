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
_ADVICE = {
    "PartitionTimeLimit": "the partition does not allow such a walltime; ask for less with --walltime",
    "PartitionNodeLimit": "the partition has no such nodes; ask for less, or another --partition",
    "BadConstraints": "no node is as the job asks; ask for fewer --cores, less --memory, or another --partition",
    "AccountNotAllowed": "the account may not use this partition; name another --account or --partition",
    "PartitionDown": "the partition is down; name another --partition, or ask when it is back",
    "PartitionInactive": "the partition takes no jobs; name another --partition",
    "InvalidAccount": "the account is not valid; name another --account",
    "InvalidQOS": "the quality of service is not valid; see --job-extra",
    "QOSNotAllowed": "the quality of service is not allowed here; see --job-extra and --partition",
    "AssocMaxWallDurationPerJobLimit": "the account's jobs may not take so long; ask for less with --walltime",
    "AssocMaxCpuPerJobLimit": "the account may not have so many cores in one job; ask for fewer",
    "AssocMaxMemPerJob": "the account may not have so much memory in one job; ask for less",
    "QOSMaxWallDurationPerJobLimit": "no job may take so long; ask for less with --walltime",
    "QOSMaxCpuPerJobLimit": "no job may have so many cores; ask for fewer",
    "QOSMaxMemoryPerJob": "no job may have so much memory; ask for less",
    "DependencyNeverSatisfied": "what the job waits for will not happen; see --job-extra",
    "JobHeldUser": "the job is held; see scontrol release",
    "JobHeldAdmin": "an administrator holds the job; ask them",
}
"""Slurm's reasons for waiting that no waiting ends."""

_ENDED = {
    "BOOT_FAIL": "its node did not start",
    "CANCELLED": "it was cancelled",
    "COMPLETED": "its workers ended",
    "DEADLINE": "its deadline has passed",
    "FAILED": "its workers failed",
    "LAUNCH_FAILED": "slurm could not start it",
    "NODE_FAIL": "its node failed",
    "OUT_OF_MEMORY": "it took more memory than the job has; give workers more with --memory",
    "PREEMPTED": "another job took its place",
    "RECONFIG_FAIL": "its node could not be set up for it",
    "REVOKED": "another cluster has it",
    "TIMEOUT": "its walltime is over",
}

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
        return JobStatus(JobState.PENDING, reason, _ADVICE.get(reason, ""))
    if state in _ENDED:
        return JobStatus(JobState.ENDED, _ENDED[state])
    return JobStatus(JobState.RUNNING)  # or on its way to an end
