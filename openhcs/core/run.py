"""A run as the front ends see it: start one, follow it, cancel it, find it again.

The run itself happens in a process of its own (`runner`); all that is known here comes from its journal, so a run can
be followed by any number of processes and from any of them, while it runs or years later.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime
from pathlib import Path

from openhcs.core.control import request
from openhcs.core.execution import Execution
from openhcs.core.journal import Event, EventKind, JournalFollower
from openhcs.core.model import WellPlan
from openhcs.core.processes import RUN_VARIABLE
from openhcs.core.progress import RunProgress, RunState
from openhcs.core.results import ResultsFolder, explained
from openhcs.core.run_errors import RunFailure, ToldFailures, failures_of
from openhcs.core.run_folder import RunFolder, RunRequest
from openhcs.core.selection import sites_text
from openhcs.core.turns import Turn, turns_here
from openhcs.core.worker_status import WorkerStatus, status_from_json
from openhcs.errors import RunError, StoreError

__all__ = ["Run", "start_run"]

_LOOK_AGAIN_S = 0.05
_ENDS_WITHIN_S = 5.0


class Run:
    """One run. Every method may be called from any thread."""

    def __init__(self, folder: RunFolder, out: Path) -> None:
        self.out = out
        self._folder = folder
        self._follower = JournalFollower(folder.journal)
        self._lock = threading.Lock()
        self._progress = RunProgress(out=str(out))
        self._pid = 0
        self._told = ToldFailures(folder.told)

    @classmethod
    def attach(cls, out: Path) -> Run:
        """The run that was started last in a results folder, alive or not.

        Raises:
            RunError: there is none.
        """
        folder = RunFolder.newest(ResultsFolder(out))
        if folder is None:
            raise RunError(f"run: none in {out}; expected a results folder. Choose the folder given as --out.")
        return cls(folder, out)

    @property
    def pid(self) -> int:
        """The runner's process; it may be gone. 0 until the runner has said so."""
        return self._pid

    @property
    def log(self) -> Path:
        """The file that has what the runner and its workers printed."""
        return self._folder.log

    @property
    def key(self) -> str:
        """When the run was started, as its folder is called: sorts as runs do."""
        return self._folder.path.name

    @property
    def run_id(self) -> str:
        """What the run is called among all on this machine, as its ticket is, see `turns`."""
        return self._folder.run_id

    @property
    def plate_folder(self) -> Path | None:
        """The plate's folder when the run was started; None if the run does not tell."""
        try:
            return self._folder.request().root
        except StoreError:
            return None

    @property
    def progress(self) -> RunProgress:
        """The progress as of the last `poll`."""
        return self._progress

    def poll(self) -> RunProgress:
        """The progress now. Cheap (two or three system calls where nothing is new); never raises.

        A runner that vanished without a last word, or a journal that cannot be read, is a failed run.
        """
        with self._lock:
            if self._progress.state.has_ended:
                return self._progress
            alive = self._folder.is_alive()  # asked first, so that a runner found dead has written all it will
            try:
                events = self._follower.poll()
            except StoreError as error:
                events = (Event(time.time(), EventKind.RUN_FAILED, data={"message": str(error)}),)
            for event in events:
                self._note_pid(event)
            if events:
                self._progress = self._progress.apply_all(events)
            if not alive and not self._progress.state.has_ended:
                self._progress = self._progress.apply(self._vanished())
            return self._progress

    def wait(self, timeout_s: float | None = None) -> RunProgress:
        """Block until the run has ended, or for `timeout_s`; return the progress then."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            progress = self.poll()
            if progress.state.has_ended or (deadline is not None and time.monotonic() >= deadline):
                return progress
            time.sleep(_LOOK_AGAIN_S)

    def answers(self, timeout_s: float) -> bool:
        """Whether the runner answers in time; one that is stopped, or whose machine is overloaded, does not."""
        try:
            request(self._folder.path, {"do": "status"}, timeout_s)
        except RunError:
            return False
        return True

    def note(self, text: str) -> None:
        """Leave a line in the run's log; one that cannot be written is left out."""
        with suppress(OSError), self.log.open("a", encoding="utf-8") as log:
            log.write(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC: {text}\n")

    def untold_failures(self, limit: int) -> AbstractContextManager[tuple[RunFailure, ...]]:
        """At most `limit` failures, as of the last `poll`, that nobody has told, for the `with` block to tell."""
        return self._told.untold(lambda: failures_of(self._progress), limit)

    def cancel(self) -> None:
        """Ask the runner to cancel the run; it ends within about 2 s. A run that has ended is left alone.

        Raises:
            StoreError: the runner is only starting, and the file that is to tell it cannot be written.
        """
        if self.poll().state.has_ended:
            return
        unwritten: OSError | None = None
        try:
            self._folder.cancel_asked.touch()
        except OSError as error:  # a full disk, which may be why the run is to end
            unwritten = error
        try:
            request(self._folder.path, {"do": "cancel"})
        except RunError:
            # Before its first event the runner sees the file; after it, a runner without a socket heeds the signal.
            # The lock says that this very process lives.
            state = self.poll().state
            if state in (RunState.WAITING, RunState.RUNNING) and self._folder.is_alive():
                os.kill(self._pid, signal.SIGTERM)
            elif state is RunState.STARTING and unwritten is not None:
                with explained(self._folder.cancel_asked):
                    raise unwritten from None

    def cancel_well(self, well: str) -> None:
        """Ask the runner to cancel one well that is running or pending.

        Raises:
            RunError: the well is neither, or the runner cannot be reached.
        """
        request(self._folder.path, {"do": "cancel_well", "well": well})

    def workers(self) -> tuple[WorkerStatus, ...]:
        """What every worker of the run is doing now; none while they start. Blocks, but for seconds at most.

        Raises:
            RunError: the runner cannot be reached.
        """
        return status_from_json(request(self._folder.path, {"do": "status"}).get("workers", []))

    def _note_pid(self, event: Event) -> None:
        pid = event.data.get("pid")
        if event.kind in (EventKind.RUN_QUEUED, EventKind.RUN_STARTED) and isinstance(pid, int):
            self._pid = pid

    def _vanished(self) -> Event:
        """The last event of a run whose runner is gone without having written it."""
        if self._folder.cancel_asked.exists():
            message = "the runner was killed before it had cancelled every well."
            return Event(time.time(), EventKind.RUN_CANCELLED, data={"message": message})
        return Event(time.time(), EventKind.RUN_FAILED, data={"message": f"the runner process {self._last_words()}"})

    def _last_words(self) -> str:
        if not self._folder.path.exists():
            return f"vanished, and its folder {self._folder.path} is gone. Run the plate again."
        tail = self._folder.log_tail()
        log = f"Its log {self._folder.log} ends with:\n{tail}" if tail else f"Its log {self._folder.log} is empty."
        full = " The disk is full: free some space and run again." if self._folder.disk_is_full() else ""
        return f"vanished.{full} {log}"


def start_run(
    out: Path,
    plans: Sequence[WellPlan],
    pipeline: str,
    workers: int | None,
    memory_limit_bytes: int | None,
    execution: Execution,
    sites: tuple[int, ...] = (),
    *,
    csv: bool = False,
    turn: Turn | None = None,
) -> Run:
    """Start the runner process of a new run and return at once.

    Args:
        workers: how many wells may be processed at the same time; None takes every worker of `execution.scheduler`.
        memory_limit_bytes: for each worker of our own.
        csv: write the tables of all wells as CSV files too.
        turn: to wait for, among the runs of this user on this machine; None has it at once.

    Raises:
        StoreError: the results folder is another plate's, of other sites, not ours, or cannot be written; or the
            run is to wait, and the folder of those who wait cannot be written.
        RunError: a run is alive in that folder, or the process cannot be started.
    """
    out = out.absolute()
    plate, root = plans[0].plate, Path(plans[0].root)
    results = ResultsFolder(out)
    results.claim(plate, root)
    wanted = RunRequest(
        plate=plate,
        pipeline=pipeline,
        out=out,
        workers=workers,
        memory_limit_bytes=memory_limit_bytes,
        execution=execution,
        sites=sites,
        root=root.absolute(),
        csv=csv,
        wells=tuple(plan.well for plan in plans),
        turn=turn,
    )
    with explained(out), results.lock():
        _expect_no_run(results)
        _expect_sites(results, sites)
        folder = RunFolder.create(results, wanted, plans)
        locks = [folder.lock()]
        try:
            locks += _ticket(folder, wanted)
            process = _start_runner(folder, locks)
        finally:
            for lock in locks:
                os.close(lock)  # the runner has inherited it
    # Waits for the runner in the background, so that it leaves no zombie while this process lives.
    threading.Thread(target=process.wait, name=f"runner {process.pid}", daemon=True).start()
    run = Run(folder, out)
    run._pid = process.pid
    return run


def _ticket(folder: RunFolder, wanted: RunRequest) -> Sequence[int]:
    """The lock on the run's ticket; none where there can be none and the run does not wait."""
    assert wanted.root is not None
    try:
        order = wanted.turn.asked_ns if wanted.turn is not None else None
        return (turns_here().take(folder.run_id, wanted.out, wanted.root, waits=order is not None, order=order),)
    except StoreError:
        if wanted.turn is not None:
            folder.request_file.unlink()  # it was no run
            raise
        return ()  # those that wait know nothing of it, which is no reason not to run


def _expect_no_run(results: ResultsFolder) -> None:
    """Raise `RunError` if a run is alive there; one that has said its last word is given time to end."""
    earlier = RunFolder.newest(results)
    if earlier is None:
        return
    deadline = time.monotonic() + _ENDS_WITHIN_S
    while earlier.is_alive():
        if not Run(earlier, results.path).poll().state.has_ended or time.monotonic() >= deadline:
            raise RunError(
                f"results folder: {results.path} has a run going on; expected none. Attach to it, or cancel it."
            )
        time.sleep(_LOOK_AGAIN_S)


def _expect_sites(results: ResultsFolder, sites: tuple[int, ...]) -> None:
    """Raise `StoreError` where the last run was of other sites: what is there must not be replaced by a part of it."""
    earlier = RunFolder.newest(results)
    if earlier is None:
        return
    found = earlier.request().sites
    if found != sites:
        raise StoreError(
            f"results folder: {results.path} holds results of {_named(found)}; expected {_named(sites)}, since one "
            "would replace the other. Choose another results folder."
        )


def _named(sites: tuple[int, ...]) -> str:
    return f"sites {sites_text(sites)}" if sites else "all sites"


def _start_runner(folder: RunFolder, locks: Sequence[int]) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        # The runner and its workers import what this process imports, users' modules included.
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        # Wells run side by side; libraries that start threads of their own would only get in each other's way.
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "POLARS_MAX_THREADS": "1",
        RUN_VARIABLE: folder.run_id,
        "PYTHONFAULTHANDLER": "1",  # where a library crashed goes into the log
    }
    with folder.log.open("ab") as log:
        try:
            return subprocess.Popen(
                [sys.executable, "-P", "-m", "openhcs.core.runner", str(folder.path)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                pass_fds=locks,
                start_new_session=True,
            )
        except OSError as error:
            raise RunError(
                f"runner: {sys.executable} cannot be started ({error.strerror}); expected the Python that runs this "
                "program. Check its permissions, and how many processes you may have."
            ) from error
