"""The command `openhcs cluster`: a scheduler with workers that runs use by `openhcs run --scheduler FILE`.

Stays in the foreground; Ctrl-C, SIGTERM and a closed terminal end the cluster with its jobs. What the options mean to
slurm and to Dask is in `core.slurm_queue` and `core.cluster_jobs`; both are imported when a cluster starts (0.5 s).
"""

from __future__ import annotations

import asyncio
import logging
import re
import shlex
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from openhcs.command_help import HelpCommand
from openhcs.command_options import WORKERS
from openhcs.errors import InputError
from openhcs.tui.utils.safe_text import visible_lines

if TYPE_CHECKING:
    from openhcs.core.cluster_file import ClusterFiles
    from openhcs.core.cluster_jobs import StandingCluster, Wanted, WorkerCounts

__all__ = ["cluster"]

log = logging.getLogger(__name__)

INTERRUPTED = 128 + signal.SIGINT
PLACEHOLDER = "tls://SCHEDULER:PORT"
LOOPBACK = "127.0.0.1"
NAME = re.compile(r"[A-Za-z][\w.-]*")
JOBS = "Jobs"
NETWORK = "The network"

cluster = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Start workers on many machines, or on this one, for openhcs run --scheduler.",
)

NameOption = Annotated[
    str,
    typer.Option(
        "--name", metavar="NAME", help="Of the cluster; its jobs are named so, and its files unless --file says else."
    ),
]
FileOption = Annotated[
    Path | None,
    typer.Option("--file", metavar="FILE.json", help="The scheduler file to write; by default NAME.json, here."),
]
MemoryOption = Annotated[
    str,
    typer.Option(
        "--memory", metavar="SIZE", rich_help_panel=WORKERS, help="Memory of each worker; a well that takes more fails."
    ),
]
SlurmWorkersOption = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, rich_help_panel=WORKERS, help="Workers to keep; each takes one well at a time."),
]
AdaptOption = Annotated[
    tuple[int, int] | None,
    typer.Option(
        metavar="MIN MAX",
        rich_help_panel=WORKERS,
        help="In place of --workers: MAX while a run is connected, MIN otherwise.",
    ),
]
PerJobOption = Annotated[
    int,
    typer.Option(
        metavar="N", rich_help_panel=JOBS, min=1, help="Workers in one job: more where whole nodes are given."
    ),
]
CoresOption = Annotated[int, typer.Option(metavar="N", min=1, rich_help_panel=WORKERS, help="Cores of each worker.")]
WalltimeOption = Annotated[
    str | None,
    typer.Option(
        metavar="TIME", rich_help_panel=JOBS, help="How long a job may take, as in 04:00:00; it is replaced then."
    ),
]
PartitionOption = Annotated[
    str | None,
    typer.Option("--partition", "--queue", metavar="NAME", rich_help_panel=JOBS, help="The partition to submit to."),
]
AccountOption = Annotated[str | None, typer.Option(metavar="NAME", rich_help_panel=JOBS, help="The account that pays.")]
JobExtraOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="DIRECTIVE",
        rich_help_panel=JOBS,
        help="One more option for sbatch, as in --job-extra=--gres=gpu:1. Repeatable.",
    ),
]
SetupOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="LINE",
        rich_help_panel=JOBS,
        help="A line of shell before the workers, as in 'module load cuda'. Repeatable.",
    ),
]
SlurmInterfaceOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        rich_help_panel=NETWORK,
        help="The network interface between this machine and the nodes, as in ib0.",
    ),
]
WorkerInterfaceOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", rich_help_panel=NETWORK, help="The same on the nodes, where it has another name there."
    ),
]
PollOption = Annotated[
    float,
    typer.Option(metavar="SECONDS", rich_help_panel=JOBS, min=1, help="Seconds between two looks at slurm's queue."),
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Print a job's script, and submit nothing.")]
LocalWorkersOption = Annotated[
    int,
    typer.Option(metavar="N", rich_help_panel=WORKERS, min=0, help="Workers to keep; each takes one well at a time."),
]
LocalInterfaceOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        rich_help_panel=NETWORK,
        help="The network interface by which other machines join with workers; by default none can.",
    ),
]


@cluster.command(cls=HelpCommand)
def slurm(
    workers: SlurmWorkersOption = None,
    adapt: AdaptOption = None,
    per_job: PerJobOption = 1,
    cores: CoresOption = 1,
    memory: MemoryOption = "4 GB",
    walltime: WalltimeOption = None,
    partition: PartitionOption = None,
    account: AccountOption = None,
    job_extra: JobExtraOption = None,
    setup: SetupOption = None,
    interface: SlurmInterfaceOption = None,
    worker_interface: WorkerInterfaceOption = None,
    poll: PollOption = 10,
    name: NameOption = "openhcs-cluster",
    file: FileOption = None,
    dry_run: DryRunOption = False,
) -> int:
    """Start a scheduler here, and workers as slurm jobs; Ctrl-C ends them.

    What is not given is as the site's dask-jobqueue configuration has it, and slurm itself.
    """
    _need_extra()
    from openhcs.core.cluster_jobs import Pace, StandingCluster
    from openhcs.core.job_queue import WorkerJob
    from openhcs.core.slurm_queue import SlurmOptions, SlurmQueue

    wanted, files = _wanted(workers, adapt), _files(name, file)
    job = WorkerJob(
        name=name,
        workers=per_job,
        cores=cores,
        memory_bytes=_bytes(memory),
        interface=worker_interface or interface,
        setup=tuple(setup or ()),
    )
    queue = SlurmQueue(job, SlurmOptions(partition, account, walltime, tuple(job_extra or ())), files)
    if dry_run:
        files.check()
        typer.echo(queue.script(0, PLACEHOLDER), nl=False)
        return 0
    pace = Pace(queue_s=poll)
    return _stand(StandingCluster(queue, job, files, wanted, Lines(files), interface=interface, pace=pace), files)


@cluster.command(cls=HelpCommand)
def local(
    workers: LocalWorkersOption = 2,
    memory: MemoryOption = "4 GB",
    interface: LocalInterfaceOption = None,
    name: NameOption = "openhcs-cluster",
    file: FileOption = None,
) -> int:
    """Start a scheduler and workers on this machine, for runs one after another or to try things; Ctrl-C ends them."""
    _need_extra()
    from openhcs.core.cluster_jobs import StandingCluster, Wanted
    from openhcs.core.job_queue import WorkerJob
    from openhcs.core.local_queue import LocalQueue

    files = _files(name, file)
    host = LOOPBACK if interface is None else None
    job = WorkerJob(name=name, memory_bytes=_bytes(memory), interface=interface, host=host)
    queue, wanted = LocalQueue(job, files), Wanted(workers, workers)
    return _stand(StandingCluster(queue, job, files, wanted, Lines(files), interface=interface, host=host), files)


class Lines:
    """Tells how a cluster fares, a line for each change, on standard error."""

    def __init__(self, files: ClusterFiles) -> None:
        self._files = files

    def opened(self, address: str) -> None:
        self.happened(f"The scheduler listens at {address}; only who can read {self._files.key} is let in.")
        use = shlex.join(
            ["openhcs", "run", "PLATE", "--pipeline", "PIPELINE", "--scheduler", str(self._files.scheduler)]
        )
        self.happened(f"To use it: {use}")
        self.happened("Ctrl-C ends the cluster and its jobs.")

    def stands(self, counts: WorkerCounts) -> None:
        parts = [f"{counts.wanted} wanted", f"{counts.ready} ready"]
        if counts.starting:
            parts.append(f"{counts.starting} starting")
        if counts.pending:
            parts.append(f"{counts.pending} pending" + (f" ({counts.reason})" if counts.reason else ""))
        self.happened("workers: " + ", ".join(parts))

    def happened(self, what: str) -> None:
        log.info(what)
        _tell(f"{time.strftime('%H:%M:%S')} {what}")


def _tell(what: str) -> None:
    # A terminal that is gone is no reason to leave jobs behind: what is told is in the log as well.
    with suppress(OSError):
        typer.echo(visible_lines(what), err=True)


def _stand(standing: StandingCluster, files: ClusterFiles) -> int:
    """Keep a cluster until a signal ends it; the exit code."""
    with _logging_to_file(files):
        try:
            return asyncio.run(_until_signalled(standing))
        except asyncio.CancelledError:
            return INTERRUPTED


async def _until_signalled(standing: StandingCluster) -> int:
    stop, life = asyncio.Event(), asyncio.current_task()
    assert life is not None
    heard: list[int] = []

    def note(number: int) -> None:
        heard.append(number)
        if heard.count(signal.SIGINT) > 1:  # impatience; but of a lost terminal both the system and the shell tell
            life.cancel()
        elif len(heard) == 1:
            _tell("Ending the cluster; another Ctrl-C leaves at once.")
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup wants the terminal's end to be nothing
            loop.add_signal_handler(number, note, number)
    await standing.run(stop)
    _tell("The cluster has ended.")
    return 0


def _wanted(workers: int | None, adapt: tuple[int, int] | None) -> Wanted:
    from openhcs.core.cluster_jobs import Wanted

    if (workers is None) == (adapt is None):
        raise InputError("cluster: expected either --workers N or --adapt MIN MAX. Give one of them.")
    least, most = adapt or (workers or 0, workers or 0)
    if not 0 <= least <= most or most < 1:
        raise InputError(f"--adapt: {least} {most}; expected MIN of at least 0, and a MAX not below it.")
    return Wanted(least, most)


def _files(name: str, file: Path | None) -> ClusterFiles:
    from openhcs.core.cluster_file import ClusterFiles

    if not NAME.fullmatch(name):
        raise InputError(f"--name: {name!r}; expected a letter, then letters, digits, dots, - and _ only.")
    return ClusterFiles((file or Path(f"{name}.json")).absolute())


def _bytes(memory: str) -> int:
    from dask.utils import parse_bytes

    with suppress(ValueError):
        if (size := int(parse_bytes(memory))) >= 100 * 10**6:
            return size
    raise InputError(f"--memory: {memory!r}; expected a size of 100 MB or more, as in '4 GB' or 3GiB.")


@contextmanager
def _logging_to_file(files: ClusterFiles) -> Iterator[None]:
    """What is told goes into a log beside the scheduler file as well, and what Dask says there only."""
    to_file = logging.FileHandler(files.logs / "scheduler.log", delay=True)
    to_file.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
    log.setLevel(logging.INFO)
    loggers = (log, logging.getLogger("distributed"))
    before = [(logger.handlers, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.handlers, logger.propagate = [to_file], False
    try:
        yield
    finally:
        for logger, (handlers, propagate) in zip(loggers, before, strict=True):
            logger.handlers, logger.propagate = handlers, propagate
        to_file.close()


def _need_extra() -> None:
    try:
        import dask_jobqueue  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name != "dask_jobqueue":
            raise
        raise InputError(
            "cluster: dask-jobqueue is not installed; expected the extra slurm. "
            "Install it: pip install 'openhcs[slurm]'."
        ) from error
