"""The command `openhcs`, also as `python -m openhcs`.

`openhcs` alone in a terminal, and `openhcs tui` without options, which is how the workbench is opened every day, do not
wait for the parser of the command line: with what that imports it takes as long as the workbench itself
(benchmarks/startup.py).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from openhcs.errors import TerminalError

__all__ = ["main"]


def main() -> None:
    """Run the command line and leave the process with its exit code."""
    command, *arguments = sys.argv[1:] or ["tui" if os.isatty(0) and os.isatty(1) else ""]
    is_plain = not any(argument.startswith("-") for argument in arguments)
    if command == "tui" and is_plain and "_OPENHCS_COMPLETE" not in os.environ:
        _open_workbench([Path(argument).absolute() for argument in arguments])
    # Behind the short cut, because this is what it saves: 0.1 s.
    from openhcs.cli import main as run_command

    run_command()


def _open_workbench(plates: list[Path]) -> None:
    """Open the workbench, and leave the process with it; return where the terminal cannot show it, which is told so."""
    from openhcs.tui.layout.simple_launcher import SimpleOpenHCSTUILauncher, check_terminal
    from openhcs.tui.utils.bounded_run import exit_bounded

    try:
        check_terminal()
    except TerminalError:
        return
    exit_bounded(SimpleOpenHCSTUILauncher(plates, tour=not plates).run())


if __name__ == "__main__":
    main()
