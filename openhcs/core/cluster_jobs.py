"""A cluster that stands until it is stopped: a Dask scheduler, and the jobs that bring it workers.

It keeps as many jobs as are wanted: one that ends, by its walltime say, is replaced. Runs come and go, by the scheduler
file. What goes wrong with one job is told and mended; when no job brings a worker, the cluster ends with an error.

Why this is not left to dask-jobqueue: docs/decisions/0017-jobs-are-counted-not-believed.md. Imports Dask (0.5 s), which
only the command `openhcs cluster` pays for.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import dask
from distributed import Scheduler

from openhcs.core.cluster_file import ClusterFiles, ClusterKey
from openhcs.core.job_queue import JobQueue, JobState, JobStatus, WorkerJob
from openhcs.errors import InputError, RunError

__all__ = ["ClusterReport", "Pace", "StandingCluster", "Wanted", "WorkerCounts"]

_SCHEDULER_SETTINGS: dict[str, object] = {
    # Which well is tried again is for its run to decide.
    "distributed.scheduler.allowed-failures": 0,
    "distributed.scheduler.work-stealing": False,
    "distributed.scheduler.active-memory-manager.start": False,
    # A well may keep the interpreter busy for minutes in one call; that is no reason to give its worker up.
    "distributed.scheduler.worker-ttl": None,
    "distributed.admin.tick.limit": "1h",
    # Its web pages would be open to everybody on the machine.
    "distributed.scheduler.http.routes": [],
}

_SUBMITTED_AT_ONCE = 10
_LOG_LINES = 12

_LAST_ANSWER_WITHIN_S = 5.0
"""How long who leaves at once waits for an answer to the last submission; most take less than a second."""

_BARREN_JOBS = 3
"""So many jobs in a row that end without a worker are no accident."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """How many workers a cluster has: `least` while no run is connected, and `most` while there is one."""

    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Pace:
    """How often, in seconds, the cluster looks, and how long it waits.

    Attributes:
        look_s: between looks at workers and runs, which costs nobody anything.
        queue_s: between questions to the queue, which many users share.
        retry_s: until what the queue refused is tried again.
        idle_s: without a run until workers beyond the least are let go.
    """

    look_s: float = 0.5
    queue_s: float = 10.0
    retry_s: float = 60.0
    idle_s: float = 60.0


@dataclass(frozen=True, slots=True)
class WorkerCounts:
    """Workers at one moment: wanted, ready for a well, about to be, and waiting in the queue for `reason`."""

    wanted: int
    ready: int
    starting: int
    pending: int
    reason: str = ""


class ClusterReport(Protocol):
    """Hears how a cluster fares; called in the event loop."""

    def opened(self, address: str) -> None:
        """The scheduler can be reached, and the scheduler file is written."""

    def stands(self, counts: WorkerCounts) -> None:
        """The counts have changed."""

    def happened(self, what: str) -> None:
        """Something a user should know; a sentence or two."""


@dataclass(slots=True)
class _Job:
    number: int
    id: str
    status: JobStatus = field(default=JobStatus(JobState.PENDING))
    joined: bool = False
    missed: bool = False


class StandingCluster:
    """One scheduler with its jobs; `run` is its whole life."""

    def __init__(
        self,
        queue: JobQueue,
        job: WorkerJob,
        files: ClusterFiles,
        wanted: Wanted,
        report: ClusterReport,
        *,
        interface: str | None = None,
        host: str | None = None,
        pace: Pace | None = None,
    ) -> None:
        self._queue = queue
        self._job = job
        self._files = files
        self._wanted = wanted
        self._report = report
        self._interface = interface
        self._host = host
        self._pace = pace or Pace()
        self._jobs: list[_Job] = []
        self._submitted = 0
        self._barren: deque[str] = deque(maxlen=_BARREN_JOBS)
        self._told: WorkerCounts | None = None
        self._told_reasons: set[str] = set()
        self._queue_silent = False
        self._last_run_s = -float("inf")
        self._ask_again_s = 0.0
        self._change_again_s = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Keep the cluster until `stop` is set, then end its jobs.

        Raises:
            InputError: it cannot be started so.
            RunError: the queue refuses its jobs, or they bring no workers.
        """
        self._files.check()
        await self._queue.look([])  # a queue that cannot be asked at all is told at once
        self._files.write_key(ClusterKey.make())
        try:
            async with self._scheduler() as scheduler:
                self._files.write_address(scheduler.address)
                self._report.opened(scheduler.address)
                try:
                    while not stop.is_set():
                        await self._look(scheduler)
                        with suppress(TimeoutError):
                            async with asyncio.timeout(self._pace.look_s):
                                await stop.wait()
                except BaseException:
                    with suppress(RunError):  # told already; what went wrong before is what counts
                        await self._end_jobs()
                    raise
                await self._end_jobs()
        finally:
            self._files.remove()

    @asynccontextmanager
    async def _scheduler(self) -> AsyncIterator[Scheduler]:
        with dask.config.set(_SCHEDULER_SETTINGS):
            try:
                scheduler = await Scheduler(
                    protocol="tls://",
                    security=self._files.security(),
                    interface=self._interface,
                    host=self._host,
                    dashboard=False,
                    dashboard_address="127.0.0.1:0",
                )
            except (OSError, ValueError, RuntimeError) as error:
                raise InputError(
                    f"scheduler: it cannot listen; {error.__cause__ or error}. Name an interface of this machine."
                ) from error
            async with scheduler:
                yield scheduler

    async def _look(self, scheduler: Scheduler) -> None:
        now = time.monotonic()
        if scheduler.client_comms:
            self._last_run_s = now
        self._note_workers(scheduler)
        if self._jobs and now >= self._ask_again_s:
            self._ask_again_s = now + self._pace.queue_s
            await self._ask_queue()
        if now >= self._change_again_s:
            await self._let_go()
            await self._submit_missing(scheduler.address)
        self._tell(scheduler)

    def _wanted_workers(self) -> int:
        run_is_near = time.monotonic() - self._last_run_s < self._pace.idle_s
        return self._wanted.most if run_is_near else self._wanted.least

    def _wanted_jobs(self) -> int:
        return -(-self._wanted_workers() // self._job.workers)

    def _note_workers(self, scheduler: Scheduler) -> None:
        names = [str(worker.name) for worker in scheduler.workers.values()]
        for job in self._jobs:
            own = f"{self._job.name}-{job.number}"
            if not job.joined and any(name == own or name.startswith(f"{own}-") for name in names):
                job.joined = True
                job.status = JobStatus(JobState.RUNNING)
                self._barren.clear()

    async def _ask_queue(self) -> None:
        try:
            found = await self._queue.look([job.id for job in self._jobs])
        except RunError as error:
            if not self._queue_silent:
                self._report.happened(f"The queue cannot be asked, workers go on. {error}")
            self._queue_silent = True
            return
        self._queue_silent = False
        for job in list(self._jobs):
            status = found.get(job.id)
            if status is not None:
                job.missed = False
                job.status = status
            elif job.missed:  # a queue that has just come back may not know yet
                job.status = JobStatus(JobState.ENDED)
            else:
                job.missed = True
            if job.status.state is JobState.ENDED:
                self._jobs.remove(job)
                self._note_end(job)
            elif job.status.advice and job.status.reason not in self._told_reasons:
                self._told_reasons.add(job.status.reason)
                self._report.happened(f"Jobs will not start by waiting ({job.status.reason}): {job.status.advice}.")

    def _note_end(self, job: _Job) -> None:
        why = job.status.reason or "the queue does not say how"
        if job.joined:
            self._report.happened(f"Job {job.id} ended: {why}. Another takes its place.")
            return
        self._barren.append(job.id)
        self._report.happened(f"Job {job.id} ended before its workers joined: {why}.")
        if len(self._barren) < _BARREN_JOBS:
            return
        log = self._queue.log(job.id)
        what = (
            f"jobs: the last {_BARREN_JOBS} ended before their workers joined; expected workers that reach the "
            f"scheduler. The environment must be the same on the nodes, and --interface one that they reach. "
            f"The log of the last one, {log}, ends:\n{_end_of(log)}"
        )
        if not any(other.joined for other in self._jobs):
            raise RunError(what)
        self._report.happened(f"{what}\nThe workers that are there go on; jobs are submitted again in a while.")
        self._barren.clear()
        self._change_again_s = time.monotonic() + self._pace.retry_s

    async def _let_go(self) -> None:
        """Cancel jobs beyond those wanted: first what waits, then the youngest."""
        beyond = len(self._jobs) - self._wanted_jobs()
        if beyond <= 0:
            return
        by_use = sorted(self._jobs, key=lambda job: (job.status.state is JobState.RUNNING, -job.number))
        leaving = by_use[:beyond]
        try:
            await self._queue.cancel([job.id for job in leaving])
        except RunError as error:
            self._change_again_s = time.monotonic() + self._pace.retry_s
            self._report.happened(f"Jobs that are not needed could not be cancelled; this is tried again. {error}")
            return
        self._jobs = [job for job in self._jobs if job not in leaving]

    async def _submit_missing(self, address: str) -> None:
        # A few at each look: Ctrl-C and what is told do not wait for hundreds of them.
        for _ in range(min(self._wanted_jobs() - len(self._jobs), _SUBMITTED_AT_ONCE)):
            try:
                await self._submit_one(address)
            except RunError as error:
                if not self._submitted:
                    raise
                self._change_again_s = time.monotonic() + self._pace.retry_s
                self._report.happened(f"Not all jobs could be submitted; this is tried again. {error}")
                return

    async def _submit_one(self, address: str) -> None:
        """Submit a job; raises `RunError`.

        A cancellation waits for the queue's answer: a job that it took unheard would be nobody's, and stay.
        """

        async def submit() -> None:
            number = self._submitted
            job = await self._queue.submit(number, address)
            self._submitted += 1
            self._jobs.append(_Job(number, job))

        submitting = asyncio.create_task(submit(), name="submit a job")
        try:
            await asyncio.shield(submitting)
        except asyncio.CancelledError:
            await asyncio.wait({submitting}, timeout=_LAST_ANSWER_WITHIN_S)
            if not submitting.done():
                self._report.happened(f"The queue may have taken one more job, {self._job.name}; see what it has.")
                submitting.cancel()
                await asyncio.wait({submitting})
            raise

    def _tell(self, scheduler: Scheduler) -> None:
        ready = len(scheduler.workers)
        # Others may have been started by hand.
        of_jobs = sum(str(worker.name).startswith(f"{self._job.name}-") for worker in scheduler.workers.values())
        waiting = [job for job in self._jobs if job.status.state is JobState.PENDING]
        reasons = Counter(job.status.reason for job in waiting if job.status.reason)
        pending = len(waiting) * self._job.workers
        counts = WorkerCounts(
            wanted=self._wanted_jobs() * self._job.workers,
            ready=ready,
            starting=max(len(self._jobs) * self._job.workers - pending - of_jobs, 0),
            pending=pending,
            reason=reasons.most_common(1)[0][0] if reasons else "",
        )
        if counts != self._told:
            self._told = counts
            self._report.stands(counts)

    async def _end_jobs(self) -> None:
        jobs = [job.id for job in self._jobs]
        if not jobs:
            return
        self._report.happened(f"Ending {_some_jobs(jobs)}.")
        try:
            await self._queue.cancel(jobs)
        except (RunError, asyncio.CancelledError) as error:
            detail = f" {error}" if isinstance(error, RunError) else ""
            self._report.happened(f"It is not known whether all have ended; see {_some_jobs(jobs)}.{detail}")
            raise
        self._jobs.clear()


def _some_jobs(jobs: Sequence[str]) -> str:
    return f"{len(jobs)} {'job' if len(jobs) == 1 else 'jobs'} ({', '.join(jobs)})"


def _end_of(log: Path) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        return f"(it cannot be read: {error.strerror})"
    return "\n".join(lines[-_LOG_LINES:]) or "(it is empty)"
