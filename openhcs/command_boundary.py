"""How a command ends: with the exit code that it returns, or with one line of why not; a reader may go away."""

from __future__ import annotations

import errno
import os
import sys
from typing import Any, Final

import typer

from openhcs.command_help import HelpGroup
from openhcs.errors import OpenHCSError
from openhcs.tui.utils.safe_text import visible_lines

__all__ = ["Commands"]

BROKEN_PIPE: Final = 141
OUTPUT_ERRORS: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


class Commands(HelpGroup):
    """The boundary of every command: what it returns is the exit code, an error of ours is one line and a code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            code = super().invoke(ctx)
            print(end="", flush=True)  # noqa: T201 - a reader who went away is to be noticed here
            raise typer.Exit(code)
        except BrokenPipeError:
            # The interpreter flushes standard output once more at exit; that must not fail as well.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(BROKEN_PIPE) from None
        except OpenHCSError as error:
            typer.echo(f"error: {visible_lines(str(error))}", err=True)
            raise typer.Exit(2) from None
        except OSError as error:
            if error.filename is not None or error.errno not in OUTPUT_ERRORS:
                raise
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            typer.echo(f"error: standard output cannot be written: {error.strerror}. Write it elsewhere.", err=True)
            raise typer.Exit(os.EX_IOERR) from None
