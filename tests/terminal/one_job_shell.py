"""A shell with job control for one job, its arguments: a line on the terminal brings it back when it was stopped.

It leads the session, as on every real terminal. Shells proper do not let a script go on with a job that stops twice.
"""

import contextlib
import os
import signal
import sys
import termios

STOPPED = "the job is stopped"
ENDED = "the job ended with code"

_FOR_JOBS = (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP, signal.SIGTTOU)
"""What keys, and writing in the background, do to jobs and not to shells."""


def main() -> None:
    """Run the job to its end, and tell its exit code as shells count."""
    for number in _FOR_JOBS:
        signal.signal(number, signal.SIG_IGN)
    modes = termios.tcgetattr(0)
    job = os.fork()
    if job == 0:
        _to_foreground(os.getpid())
        for number in _FOR_JOBS:
            signal.signal(number, signal.SIG_DFL)
        os.execv(sys.argv[1], sys.argv[1:])
    while True:
        _to_foreground(job)
        _, status = os.waitpid(job, os.WUNTRACED)
        os.tcsetpgrp(0, os.getpgrp())
        if not os.WIFSTOPPED(status):
            break
        termios.tcsetattr(0, termios.TCSAFLUSH, modes)
        _say(STOPPED)
        os.read(0, 100)
        _to_foreground(job)
        os.killpg(job, signal.SIGCONT)
    code = os.waitstatus_to_exitcode(status)
    _say(f"{ENDED} {code if code >= 0 else 128 - code}.")
    os.read(0, 100)


def _to_foreground(job: int) -> None:
    # Both sides do it, so that it is done whoever comes first; the job may have gone on by then.
    with contextlib.suppress(OSError):
        os.setpgid(job, job)
    with contextlib.suppress(OSError):
        os.tcsetpgrp(0, job)


def _say(text: str) -> None:
    os.write(1, f"\r\n{text}\r\n".encode())


if __name__ == "__main__":
    main()
