"""The process that owns the workers and the journal of one run: `python -m openhcs.core.runner RUN_FOLDER`.

`run.Run` starts it in a session of its own, with the run's log as its output, so that it outlives the terminal. It
takes no input but the run folder, the control socket and signals: SIGTERM cancels the run. A run that is to wait for
its turn does so here, before anything is started or imported that it will need. Its workers end with it, however it
ends, see `test_runner`.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping
from multiprocessing import forkserver
from pathlib import Path
from typing import Any, Protocol

from openhcs.core.control import Request, serve_control
from openhcs.core.journal import Event, EventKind, JournalWriter, Json
from openhcs.core.niceness import give_way
from openhcs.core.private_folder import private_folder, remove_abandoned_folders
from openhcs.core.processes import RUN_VARIABLE, end_run
from openhcs.core.reaper import start_reaper
from openhcs.core.run_files import RunFiles
from openhcs.core.turns import turns_here
from openhcs.core.waiting import WaitingRun

__all__ = ["main"]

_PRELOADED = ["openhcs.core.worker_imports"]
"""What every worker needs: imported once, by the process that workers are forked from."""


class _Stage(Protocol):
    """What can be asked of a run, before its turn and from then on."""

    def cancel(self) -> None: ...

    def answer(self, request: Request, /) -> Mapping[str, Json]: ...


def main(arguments: list[str] | None = None) -> int:
    """Run the request in a run folder to its end; return 0, or 1 if the run as a whole failed."""
    (folder,) = sys.argv[1:] if arguments is None else arguments
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # there is no terminal that could be lost
    return asyncio.run(_run(RunFiles(Path(folder))))


async def _run(files: RunFiles) -> int:
    with JournalWriter(files.journal) as journal, private_folder() as private:
        try:
            await _stages(files, journal, private)
        except Exception as error:  # the boundary of the run: told in the journal, whole in the log
            traceback.print_exc()
            data: dict[str, Json] = {
                "message": _message(error),
                "kind": type(error).__name__,
                "traceback": traceback.format_exc(),
            }
            journal.append(Event(time.time(), EventKind.RUN_FAILED, data=data))
            return 1
    return 0


async def _stages(files: RunFiles, journal: JournalWriter, private: Path) -> None:
    """Wait for the turn if that is wanted, then run; whoever asks something asks the stage that there is."""
    request = _read_request(files.request_file)
    waiting = WaitingRun(files, request, journal, turns_here())
    stage: _Stage = waiting
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, lambda: stage.cancel())
    async with serve_control(files.path, private, lambda asked: stage.answer(asked)):
        if request.get("turn") and not await waiting.wait_turn():
            return
        _start_helpers(request, private)
        # pydantic and the catalogue, 0.2 s: after the fork server has been started.
        from openhcs.core.run_folder import RunFolder
        from openhcs.core.run_loop import RunLoop

        stage = loop = RunLoop(RunFolder(files.path), journal, private)
        if waiting.is_cancelled:  # by somebody who came before there was a control socket, or while this was imported
            loop.cancel()
        sweeping = asyncio.create_task(asyncio.to_thread(remove_abandoned_folders), name="remove abandoned folders")
        await loop.run()
        await sweeping


def _read_request(file: Path) -> Mapping[str, Any]:
    """The request as far as it can be told without what it takes 0.2 s to import."""
    try:
        request = json.loads(file.read_bytes())
    except (OSError, ValueError):  # read as it should be, and told, later
        return {}
    return request if isinstance(request, dict) else {}


def _start_helpers(request: Mapping[str, Any], private: Path) -> None:
    start_reaper(os.environ[RUN_VARIABLE])  # before anything it may have to end
    execution = request.get("execution") or {}
    give_way(execution.get("niceness", 0))  # before anything that is to do so too
    if execution.get("scheduler") is None:
        # Importing takes the server 2 s; meanwhile this process imports Dask. The first well starts after 2 s, not 4.
        forkserver.set_forkserver_preload(_PRELOADED)
        # multiprocessing makes its folder now, and would remove it at an end that this process does not come to.
        tempfile.tempdir = str(private)
        forkserver.ensure_running()
        tempfile.tempdir = None


def _message(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error) or type(error).__name__


if __name__ == "__main__":
    status = main()
    # What is left of the run: programs of the users' functions, a fork server that is still importing.
    end_run(os.environ[RUN_VARIABLE], os.getpid())
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # not sys.exit: libraries would wait for what they started
