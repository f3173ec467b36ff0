"""The process that owns the workers and the journal of one run: `python -m openhcs.core.runner RUN_FOLDER`.

`run.Run` starts it in a session of its own, with the run's log as its output, so that it outlives the terminal. It
takes no input but the run folder, the control socket and signals: SIGTERM cancels the run. Its workers end with it,
however it ends, see `test_runner`.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
import traceback
from multiprocessing import forkserver
from pathlib import Path

from openhcs.core.journal import Event, EventKind, JournalWriter, Json
from openhcs.core.processes import RUN_VARIABLE, end_run
from openhcs.core.reaper import start_reaper

__all__ = ["main"]

_PRELOADED = ["openhcs.core.worker_imports"]
"""What every worker needs: imported once, by the process that workers are forked from."""


def main(arguments: list[str] | None = None) -> int:
    """Run the request in a run folder to its end; return 0, or 1 if the run as a whole failed."""
    (folder,) = sys.argv[1:] if arguments is None else arguments
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # there is no terminal that could be lost
    start_reaper(os.environ[RUN_VARIABLE])  # before anything it may have to end
    if _has_own_workers(Path(folder)):
        # Importing takes the server 2 s; meanwhile this process imports Dask. The first well starts after 2 s, not 4.
        forkserver.set_forkserver_preload(_PRELOADED)
        forkserver.ensure_running()
    return asyncio.run(_run(Path(folder)))


def _has_own_workers(folder: Path) -> bool:
    """Whether the request names no scheduler, as far as can be told without what it takes 0.2 s to import."""
    try:
        return json.loads((folder / "run.json").read_bytes())["execution"]["scheduler"] is None
    except (OSError, ValueError, KeyError, TypeError):  # read as it should be, and told, later
        return True


async def _run(path: Path) -> int:
    # pydantic and the catalogue, 0.2 s: after the fork server has been started.
    from openhcs.core.control import serve_control
    from openhcs.core.private_folder import private_folder, remove_abandoned_folders
    from openhcs.core.run_folder import RunFolder
    from openhcs.core.run_loop import RunLoop

    folder = RunFolder(path)
    with JournalWriter(folder.journal) as journal, private_folder() as private:
        sweeping = asyncio.create_task(asyncio.to_thread(remove_abandoned_folders), name="remove abandoned folders")
        try:
            loop = RunLoop(folder, journal, private)
            for signum in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(signum, loop.cancel)
            async with serve_control(path, private, loop.answer):
                if folder.cancel_asked.exists():  # by somebody who came before there was a control socket
                    loop.cancel()
                await loop.run()
            await sweeping
        except Exception as error:  # the boundary of the run: told in the journal, whole in the log
            traceback.print_exc()
            data: dict[str, Json] = {"message": _message(error), "traceback": traceback.format_exc()}
            journal.append(Event(time.time(), EventKind.RUN_FAILED, data=data))
            return 1
    return 0


def _message(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error) or type(error).__name__


def _end_run(path: Path) -> None:
    """Kill what is left of the run: programs of the users' functions, a fork server that is still importing."""
    from openhcs.core.run_folder import RunFolder  # imported already, see _run

    end_run(RunFolder(path).run_id, os.getpid())


if __name__ == "__main__":
    status = main()
    _end_run(Path(sys.argv[1]))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # not sys.exit: libraries would wait for what they started
