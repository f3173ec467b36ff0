"""A standing cluster with real workers: its jobs run through programs that stand in for slurm's."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import dask
import psutil
import pytest
from distributed import Client, Security

from openhcs.core.cluster_file import ClusterFiles, ClusterKey
from openhcs.core.cluster_jobs import Pace, StandingCluster, Wanted, WorkerCounts
from openhcs.core.job_queue import WorkerJob
from openhcs.core.local_queue import LocalQueue
from openhcs.core.slurm_queue import SlurmOptions, SlurmQueue
from openhcs.errors import InputError, RunError
from tests.core.made_slurm import MadeSlurm, made_slurm

QUICK = Pace(look_s=0.05, queue_s=0.1, retry_s=0.1, idle_s=0.5)
LOOPBACK = "127.0.0.1"
PATIENCE_S = 120.0


@pytest.fixture
def slurm(tmp_path: Path) -> Iterator[MadeSlurm]:
    """Programs in slurm's place."""
    with made_slurm(tmp_path / "slurm") as made:
        yield made


@pytest.fixture
def files(tmp_path: Path) -> ClusterFiles:
    """The files of a cluster that has not been started."""
    return ClusterFiles(tmp_path / "lab.json")


class Heard:
    """What a cluster told; `until` waits for it to tell something."""

    def __init__(self) -> None:
        self.address = ""
        self.counts = WorkerCounts(0, 0, 0, 0)
        self.told: list[str] = []
        self._more = asyncio.Event()

    def opened(self, address: str) -> None:
        self.address = address

    def stands(self, counts: WorkerCounts) -> None:
        self.counts = counts
        self._more.set()

    def happened(self, what: str) -> None:
        self.told.append(what)
        self._more.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until what was told meets a condition."""
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                self._more.clear()
                await self._more.wait()

    async def until_ready(self, workers: int) -> None:
        """Wait until so many workers can take a well."""
        await self.until(lambda: self.counts.ready == workers)


def slurm_cluster(
    files: ClusterFiles,
    heard: Heard,
    wanted: Wanted,
    *,
    job: WorkerJob | None = None,
    options: SlurmOptions | None = None,
    host: str = LOOPBACK,
) -> StandingCluster:
    """A cluster whose jobs go to slurm."""
    job = job or WorkerJob("lab", host=LOOPBACK)
    queue = SlurmQueue(job, options or SlurmOptions(), files)
    return StandingCluster(queue, job, files, wanted, heard, host=host, pace=QUICK)


@asynccontextmanager
async def standing(cluster: StandingCluster) -> AsyncIterator[asyncio.Event]:
    """The cluster, alive during the block; what it raises ends the block."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(cluster.run(stop))
        try:
            yield stop
        finally:
            stop.set()


def connect(files: ClusterFiles) -> Client:
    """Somebody who has the scheduler file and what it names."""
    tls = json.loads(files.scheduler.read_text())["tls"]
    security = Security(
        require_encryption=True,
        tls_ca_file=tls["ca_file"],
        tls_client_cert=tls["cert_file"],
        tls_client_key=tls["key_file"],
    )
    return Client(scheduler_file=files.scheduler, security=security, asynchronous=True)


def another_key(files: ClusterFiles) -> Security:
    """Somebody who has the key of another cluster."""
    other = ClusterFiles(files.scheduler.with_name("another.json"))
    other.write_key(ClusterKey.make())
    return other.security()


def test_jobs_bring_workers_that_the_scheduler_file_leads_to(slurm: MadeSlurm, files: ClusterFiles) -> None:
    """Workers of jobs compute for who has the file and nobody else; a job that ends is replaced; all end with it."""

    async def live() -> None:
        heard = Heard()
        async with standing(slurm_cluster(files, heard, Wanted(2, 2))):
            await heard.until_ready(2)
            assert slurm.jobs == ["1001", "1002"]
            for path in (files.scheduler, files.key, files.certificate):
                assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert heard.address.startswith("tls://127.0.0.1:")

            async with connect(files) as client:
                assert await client.submit(sum, [20, 22]) == 42
            with pytest.raises(OSError, match="TLS certificate does not match"):
                await Client(heard.address, security=another_key(files), timeout=2, asynchronous=True)

            def is_pending(job: str) -> bool:
                return job in slurm.jobs and heard.counts.pending == 1

            (slurm.folder / "waiting").write_text("Priority")
            slurm.end("1001", "TIMEOUT")
            for barren in ("1003", "1004", "1005"):
                await heard.until(partial(is_pending, barren))
                (slurm.folder / f"{barren}.ending").write_text("BOOT_FAIL")
            assert heard.told[0] == "Job 1001 ended: its walltime is over. Another takes its place."
            await heard.until(lambda: any("workers that are there go on" in told for told in heard.told))
            assert heard.counts.ready == 1
        assert heard.told[-1].startswith("Ending ")

    asyncio.run(live())
    psutil.wait_procs(slurm.processes(), timeout=PATIENCE_S)
    assert slurm.processes() == []
    assert [path.name for path in files.scheduler.parent.glob("lab.*")] == ["lab.logs"]


def test_a_refused_submission_ends_the_cluster_with_what_sbatch_said(slurm: MadeSlurm, files: ClusterFiles) -> None:
    """Nothing waits for jobs that slurm does not take; no file is left."""
    (slurm.folder / "refusal").write_text("sbatch: error: invalid partition specified: gpuu")
    with pytest.raises(RunError, match=r"sbatch.*invalid partition specified: gpuu"):
        asyncio.run(slurm_cluster(files, Heard(), Wanted(1, 1)).run(asyncio.Event()))
    assert list(files.scheduler.parent.glob("lab.*")) == [files.logs]


def test_who_leaves_during_a_submission_leaves_no_job(slurm: MadeSlurm, files: ClusterFiles) -> None:
    """A job that sbatch has taken and not told yet is cancelled with the others; a Ctrl-C in between waits for it."""
    taken, answer = slurm.folder / "1001.script", slurm.folder / "answer"
    sbatch = f"cat > {taken}; until [ -e {answer} ]; do sleep 0.02; done; echo 1001"

    async def live() -> None:
        heard = Heard()
        life = asyncio.create_task(slurm_cluster(files, heard, Wanted(1, 1)).run(asyncio.Event()))
        async with asyncio.timeout(PATIENCE_S):
            while not taken.exists():  # noqa: ASYNC110 - another process makes it
                await asyncio.sleep(0.02)
        life.cancel()
        answer.touch()
        with pytest.raises(asyncio.CancelledError):
            await life
        assert heard.told == ["Ending 1 job (1001)."]

    with slurm.broken("sbatch", sbatch):
        asyncio.run(live())
    assert (slurm.folder / "1001.ending").read_text() == "CANCELLED"


def test_where_there_is_no_slurm_it_says_so(files: ClusterFiles) -> None:
    """A machine without slurm's programs is told from one whose slurm refuses."""
    with pytest.raises(RunError, match=r"squeue: it cannot be started .*expected slurm's programs"):
        asyncio.run(slurm_cluster(files, Heard(), Wanted(1, 1)).run(asyncio.Event()))


def test_jobs_that_bring_no_worker_are_not_submitted_for_ever(slurm: MadeSlurm, files: ClusterFiles) -> None:
    """Three in a row that end at once end the cluster, with the end of the last one's log."""
    heard, job = Heard(), WorkerJob("lab", setup=("echo no environment here", "exit 3"))
    with pytest.raises(RunError, match=r"(?s)the last 3 ended before .*1003\.log, ends:\nno environment here"):
        asyncio.run(slurm_cluster(files, heard, Wanted(1, 1), job=job).run(asyncio.Event()))
    assert heard.told == [f"Job {job} ended before its workers joined: its workers failed." for job in slurm.jobs]


def test_a_reason_that_no_waiting_ends_is_told_once(slurm: MadeSlurm, files: ClusterFiles) -> None:
    """Jobs that slurm will never start come with what to ask for instead; Ctrl-C is left to the user."""
    (slurm.folder / "waiting").write_text("PartitionTimeLimit")

    async def live() -> None:
        heard = Heard()
        async with standing(slurm_cluster(files, heard, Wanted(3, 3))):
            await heard.until(lambda: heard.counts.reason == "PartitionTimeLimit" and heard.told != [])
            assert heard.counts == WorkerCounts(wanted=3, ready=0, starting=0, pending=3, reason="PartitionTimeLimit")
        assert heard.told == [
            (
                "Jobs will not start by waiting (PartitionTimeLimit): the partition does not allow such a walltime; "
                "ask for less with --walltime."
            ),
            "Ending 3 jobs (1001, 1002, 1003).",
        ]

    asyncio.run(live())


def test_workers_come_with_a_run_and_go_after_it(slurm: MadeSlurm, files: ClusterFiles) -> None:
    """Between the least and the most it is whether a run is connected that decides; the youngest jobs go first.

    While scancel refuses they stay, and it is asked again.
    """
    (slurm.folder / "waiting").write_text("Priority")

    async def live() -> None:
        heard = Heard()
        async with standing(slurm_cluster(files, heard, Wanted(1, 3))):
            await heard.until(lambda: heard.counts.pending == 1)
            with slurm.broken("scancel", "echo slurm is away >&2; exit 1"):
                async with connect(files):
                    await heard.until(lambda: heard.counts.pending == 3)
                await heard.until(lambda: len(heard.told) > 0)
            assert "could not be cancelled; this is tried again." in heard.told[0]
            assert heard.told[0].endswith("slurm is away")
            await heard.until(lambda: heard.counts.pending == 1)
            assert {ending.stem for ending in slurm.folder.glob("*.ending")} == {"1002", "1003"}

    asyncio.run(live())


def test_a_queue_that_is_silent_for_a_while_costs_nothing(slurm: MadeSlurm, files: ClusterFiles) -> None:
    """While slurm's controller is away jobs are neither given up nor submitted again; it is told once."""
    (slurm.folder / "waiting").write_text("Priority")

    async def live() -> None:
        heard = Heard()
        async with standing(slurm_cluster(files, heard, Wanted(1, 2))):
            await heard.until(lambda: heard.counts.reason == "Priority")
            with slurm.broken("squeue", "echo Unable to contact slurm controller >&2; exit 1"):
                await heard.until(lambda: len(heard.told) == 1)
                async with connect(files):  # the cluster goes on meanwhile
                    await heard.until(lambda: heard.counts.wanted == 2)
            await heard.until(lambda: heard.counts.wanted == 1)
        assert heard.told[0].startswith("The queue cannot be asked, workers go on.")
        assert "Unable to contact slurm controller" in heard.told[0]
        assert heard.told[1:] == ["Ending 1 job (1001)."]

    asyncio.run(live())


def test_the_files_of_a_running_cluster_are_not_taken(slurm: MadeSlurm, files: ClusterFiles) -> None:
    """A second cluster of the same name is refused; files that a killed one left are no hindrance."""
    (slurm.folder / "waiting").write_text("Priority")
    files.scheduler.write_text('{"address": "tls://127.0.0.1:1"}')

    async def live() -> None:
        heard = Heard()
        async with standing(slurm_cluster(files, heard, Wanted(1, 1))):
            await heard.until(lambda: heard.counts.pending == 1)
            with pytest.raises(InputError, match="give this one another --name"):
                files.check()

    asyncio.run(live())


@pytest.mark.parametrize("name", ["lab space.json", "lab;rm.json", "lab.yaml", "absent/lab.json"])
def test_a_path_that_cannot_go_into_a_script_is_refused(tmp_path: Path, name: str) -> None:
    """Job scripts hold the paths as they are, so only such are taken that a shell leaves alone."""
    with pytest.raises(InputError, match="scheduler file"):
        ClusterFiles(tmp_path / name).check()


def test_an_interface_that_is_not_there_is_named(slurm: MadeSlurm, files: ClusterFiles) -> None:
    """A scheduler that cannot listen ends with what it could not listen at."""
    queue = SlurmQueue(WorkerJob("lab"), SlurmOptions(), files)
    cluster = StandingCluster(queue, WorkerJob("lab"), files, Wanted(1, 1), Heard(), interface="ib77")
    with pytest.raises(InputError, match="ib77"):
        asyncio.run(cluster.run(asyncio.Event()))


def test_the_script_asks_for_what_was_asked(files: ClusterFiles) -> None:
    """Every option is in the script, in slurm's words, and the site's own directives come first."""
    job = WorkerJob("lab", workers=4, cores=2, memory_bytes=2**30, interface="ib0", setup=("module load cuda",))
    options = SlurmOptions("gpu", "ag-lab", "1-12", ("--gres=gpu:1",))
    with dask.config.set({"jobqueue.slurm.job-extra-directives": ["--qos=fast"]}):
        lines = SlurmQueue(job, options, files).script(7, "tls://10.0.0.1:4000").splitlines()
    for directive in ("-J lab", "-p gpu", "-A ag-lab", "-t 1-12", "--cpus-per-task=8", "--mem=4G"):
        assert f"#SBATCH {directive}" in lines
    assert [line for line in lines if line.startswith("#SBATCH --")][-3:] == [
        "#SBATCH --qos=fast",
        f"#SBATCH --output={files.logs}/%j.log",
        "#SBATCH --gres=gpu:1",
    ]
    assert lines.index("export OMP_NUM_THREADS='2'") < lines.index("module load cuda")
    for words in ("tls://10.0.0.1:4000 --name lab-7 ", "--nworkers 4 ", "--nthreads 1 ", "--memory-limit 1.00GiB "):
        assert words in lines[-1]
    for words in ("--nanny", "--interface ib0", f"--tls-key {files.key}"):
        assert words in lines[-1]


def test_workers_of_this_machine_need_no_slurm(files: ClusterFiles) -> None:
    """Local jobs are process groups: they compute, and none is left at the end."""

    async def live() -> psutil.Process:
        heard, job = Heard(), WorkerJob("lab", host=LOOPBACK)
        cluster = StandingCluster(LocalQueue(job, files), job, files, Wanted(1, 1), heard, host=LOOPBACK, pace=QUICK)
        async with standing(cluster):
            await heard.until_ready(1)
            async with connect(files) as client:
                return psutil.Process(await client.submit(os.getpid))

    worker = asyncio.run(live())
    assert psutil.wait_procs([worker], timeout=PATIENCE_S)[1] == []
