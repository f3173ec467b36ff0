"""Calling a batch system's programs: sbatch, squeue, scancel."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from openhcs.errors import RunError

__all__ = ["call"]

_ANSWERS_WITHIN_S = 60.0


async def call(program: str, *arguments: str, text: str = "") -> str:
    """Run a program with `text` as its input, and return what it printed.

    It runs in a session of its own: a Ctrl-C in our terminal must not end a submission halfway.

    Raises:
        RunError: it is missing, refused, or took too long; the message holds what it said on standard error.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            program,
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise RunError(
            f"{program}: it cannot be started ({error.strerror}); expected slurm's programs. "
            "Start the cluster on a machine from which jobs can be submitted."
        ) from error
    try:
        async with asyncio.timeout(_ANSWERS_WITHIN_S):
            printed, said = await process.communicate(text.encode())
    except TimeoutError as error:
        raise RunError(
            f"{program}: no answer within {_ANSWERS_WITHIN_S:g} s; expected one from slurm's controller. "
            "Ask whoever runs it."
        ) from error
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode != 0:
        why = said.decode(errors="replace").strip() or f"exit code {process.returncode}"
        raise RunError(f"{program}: it refused; expected it to accept what it was asked. It said: {why}")
    return printed.decode(errors="replace")
