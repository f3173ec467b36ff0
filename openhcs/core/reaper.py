"""Ends what a runner leaves behind, when the runner is killed: `python -m openhcs.core.reaper RUN_ID`, started by it.

Its standard input is a pipe whose other end only the runner holds. When that closes the runner is gone, however it
went, and every process of its run is killed. Workers notice the death of their runner themselves; the programs
that a user's function started do not.
"""

from __future__ import annotations

import os
import subprocess
import sys

from openhcs.core.processes import RUN_VARIABLE, end_run

__all__ = ["start_reaper"]


def start_reaper(run_id: str) -> None:
    """Start the process that ends what is left of the run when this process, its runner, is gone."""
    environment = {name: value for name, value in os.environ.items() if name != RUN_VARIABLE}
    # Never closed and never waited for: the pipe is to close with this process, the reaper to outlive it.
    _kept.append(
        subprocess.Popen(
            [sys.executable, "-P", "-m", "openhcs.core.reaper", run_id, str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env=environment,
            cwd="/",
            start_new_session=True,
        )
    )


_kept: list[subprocess.Popen[bytes]] = []


def main() -> None:
    """Wait for the runner's end, then end its run."""
    run_id, runner = sys.argv[1:]
    sys.stdin.buffer.read()
    end_run(run_id, int(runner))


if __name__ == "__main__":
    main()
