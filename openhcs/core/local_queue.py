"""Jobs on this very machine: each is a process group of its own, with the script that a batch system would run."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path

from dask_jobqueue.local import LocalJob

from openhcs.core.cluster_file import ClusterFiles
from openhcs.core.job_queue import JobState, JobStatus, WorkerJob, job_script
from openhcs.errors import RunError

__all__ = ["LocalQueue"]

_ENDS_WITHIN_S = 5.0


class LocalQueue:
    """The jobs of one cluster, as processes; see `JobQueue`. A job's id is its process group."""

    def __init__(self, job: WorkerJob, files: ClusterFiles) -> None:
        self._job = job
        self._files = files
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._numbers: dict[str, int] = {}

    def script(self, number: int, address: str) -> str:
        """What is run."""
        return job_script(LocalJob, self._job, number, address, self._files)

    async def submit(self, number: int, address: str) -> str:
        try:
            with self._log(number).open("wb") as log:
                process = await asyncio.create_subprocess_exec(
                    "/bin/sh",
                    stdin=asyncio.subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        except OSError as error:
            raise RunError(f"worker {number}: its process cannot be started; {error}.") from error
        assert process.stdin is not None
        process.stdin.write(self.script(number, address).encode())
        process.stdin.close()
        job = str(process.pid)
        self._processes[job], self._numbers[job] = process, number
        return job

    async def look(self, jobs: Collection[str]) -> Mapping[str, JobStatus]:
        return {job: _status(self._processes[job].returncode) for job in jobs}

    async def cancel(self, jobs: Collection[str]) -> None:
        for signum in (signal.SIGTERM, signal.SIGKILL):
            left = [self._processes[job] for job in jobs if self._processes[job].returncode is None]
            for process in left:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signum)
            with suppress(TimeoutError):
                async with asyncio.timeout(_ENDS_WITHIN_S):
                    for process in left:
                        await process.wait()

    def log(self, job: str) -> Path:
        return self._log(self._numbers[job])

    def _log(self, number: int) -> Path:
        return self._files.logs / f"{self._job.name}-{number}.log"


def _status(exit_code: int | None) -> JobStatus:
    if exit_code is None:
        return JobStatus(JobState.RUNNING)
    how = f"killed by {signal.Signals(-exit_code).name}" if exit_code < 0 else f"exit code {exit_code}"
    return JobStatus(JobState.ENDED, how)
