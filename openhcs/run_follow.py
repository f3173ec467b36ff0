"""Following a run from the command line until it ends, is left, or is cancelled, whatever happens to the terminal.

Ctrl-C cancels a run that one has started, a second one kills it; a run that one only watches goes on. A terminal that
is lost ends the watching, never the run: whoever started something for the night finds it going on in the morning.
Checked by tests/test_run_follow.py.
"""

from __future__ import annotations

import errno
import os
import signal
import stat
import sys
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from types import FrameType
from typing import Any, Final, Self

from openhcs.core.orchestrator import Run
from openhcs.core.progress import RunProgress, RunState
from openhcs.run_view import View, run_view

__all__ = ["Interrupts", "exit_code", "follow"]

HUNG_UP: Final = 128 + signal.SIGHUP
INTERRUPTED: Final = 128 + signal.SIGINT
POLL_S: Final = 0.2
SILENCE_S: Final = 30.0
ANSWER_S: Final = 2.0
_KILLED_WITHIN_S: Final = 5.0
_TERMINAL_GONE: Final = frozenset({errno.EIO, errno.ENXIO, errno.EBADF})


class Interrupts:
    """Counts Ctrl-C while it is entered, in place of an exception that could come between any two lines.

    SIGTERM counts as well: with it a batch system asks a job to end. SIGHUP, which comes when the terminal is lost,
    sets `hung_up`; where it is ignored, under `nohup`, it stays so.
    """

    def __init__(self) -> None:
        self.count = 0
        self.hung_up = False
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Self:
        numbers = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            numbers.append(signal.SIGHUP)
        for number in numbers:
            self._previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            self.hung_up = True
        else:
            self.count += 1


def follow(run: Run, interrupts: Interrupts, *, is_ours: bool, quiet: bool = False) -> RunProgress:
    """Show a run until it ends, until Ctrl-C, or until the terminal is lost.

    Args:
        run: The run to follow.
        interrupts: Entered by the caller before the run was started, so that none is lost.
        is_ours: Whether Ctrl-C cancels the run, and a second one kills it; otherwise it goes on without us.
        quiet: Tell of failed wells only.
    """
    try:
        with run_view(quiet=quiet) as view:
            progress = _Following(run, interrupts, view, is_ours).until_the_end()
    except OSError as error:
        if error.errno not in _TERMINAL_GONE:
            raise
        interrupts.hung_up = True
    else:
        if not interrupts.hung_up:
            return progress
    _let_go_of_terminal()
    run.note(f"the terminal of process {os.getpid()}, which followed the run, was lost; the run goes on.")
    return run.poll()


def exit_code(progress: RunProgress, interrupts: Interrupts) -> int:
    """0 when every well of the run finished, 129 when the terminal and 130 when Ctrl-C came before the end, else 1."""
    if interrupts.hung_up:
        return HUNG_UP
    if interrupts.count and progress.state is not RunState.FINISHED:
        return INTERRUPTED
    return 0 if progress.state is RunState.FINISHED and not progress.failed else 1


class _Following:
    """One look after the other at a run, and what is to be done in between."""

    def __init__(self, run: Run, interrupts: Interrupts, view: View, is_ours: bool) -> None:
        self._run = run
        self._interrupts = interrupts
        self._view = view
        self._is_ours = is_ours
        self._cancelling: Future[None] | None = None
        self._asked_after = 0
        # A runner that one comes to may have stopped answering long ago; one just started is given time.
        self._ask_at_s = time.monotonic() + (SILENCE_S if is_ours else 0.0)
        self._seen: RunProgress | None = None
        self._silent = False

    def until_the_end(self) -> RunProgress:
        while True:
            progress = self._run.poll()
            self._view.show(progress)
            if progress.state.has_ended or self._interrupts.hung_up:
                return progress
            if self._interrupts.count:
                if not self._is_ours:
                    return progress
                if self._cancelling is None:
                    self._cancel()
                elif self._interrupts.count > self._asked_after:
                    _kill(self._run)
                    return self._run.wait(_KILLED_WITHIN_S)
                elif self._cancelling.done():
                    self._cancelling.result()
            self._ask_the_silent(progress)
            self._run.wait(POLL_S)

    def _cancel(self) -> None:
        # One that came while nobody looked counts for one: it asks, what comes after the answer insists.
        self._asked_after = self._interrupts.count
        self._view.say("Cancelling: the wells under way are being stopped. Ctrl-C again kills the run.")
        cancelling = self._cancelling = Future[None]()

        def cancel() -> None:
            try:
                self._run.cancel()
            except Exception as error:  # as an executor does: it belongs to whoever looks at the future
                cancelling.set_exception(error)
            else:
                cancelling.set_result(None)

        # A runner that does not answer is waited for, and a second Ctrl-C must not wait with it.
        threading.Thread(target=cancel, name="cancel", daemon=True).start()

    def _ask_the_silent(self, progress: RunProgress) -> None:
        """Say once when a runner that has told nothing new for a while does not answer either."""
        if progress is not self._seen:
            if self._silent:
                self._silent = False
                self._view.say("The runner answers again.")
            if self._seen is not None:
                self._ask_at_s = time.monotonic() + SILENCE_S
            self._seen = progress
        if time.monotonic() < self._ask_at_s or progress.state is not RunState.RUNNING:
            return
        self._ask_at_s = time.monotonic() + SILENCE_S
        if not self._silent and not self._run.answers(ANSWER_S):
            self._silent = True
            self._view.say(
                f"The runner, process {self._run.pid}, does not answer: it may be stopped (kill -CONT {self._run.pid} "
                "lets it go on), or its machine overloaded. What is shown is how it stood last."
            )


def _let_go_of_terminal() -> None:
    """Say to nobody what is still to be said: on a terminal that is gone even flushing at exit is an error."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout.fileno(), sys.stderr.fileno()):
        if stat.S_ISCHR(os.fstat(stream).st_mode):
            os.dup2(nowhere, stream)
    os.close(nowhere)


def _kill(run: Run) -> None:
    """End the runner and its workers, which are a process group, at once; `Run.poll` then says so."""
    if run.pid:
        with suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)
