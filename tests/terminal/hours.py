"""Hours of use of the program itself, in a real pseudo-terminal, and what it holds as the system counts it.

    python -m tests.terminal.hours --hours 8 --seed 31 --plate PLATE --plate ANOTHER

The deeds are those of `tests.tui.layout.soak`, 3,600 to the hour, but for leaving, the menus by which one could, being
stopped, and starting runs unless `--runs` is given. There the workbench is in the process of the test, which sees more
of it; here nothing of the test is in what is measured, and garbage is found and memory returned as the program itself
does it. Every fifteen virtual minutes all is closed, and nothing is done for three seconds. Ends with 1 where it grows.

Pipelines and tables are saved wherever it happens to stand: run it where nothing of value can be written.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from prompt_toolkit.input.ansi_escape_sequences import REVERSE_ANSI_SEQUENCES
from prompt_toolkit.keys import KEY_ALIASES, Keys

from openhcs.core.demo_plate import make_demo_plate
from openhcs.core.pipeline_file import shipped_pipelines
from openhcs.tui.layout.simple_launcher import SimpleOpenHCSTUILauncher
from openhcs.tui.widgets.bindings import Binding
from tests.terminal.chaos_run import Broken, Terminal
from tests.tui.layout.deeds import (
    LEAVING,
    Command,
    Deed,
    Mouse,
    Paste,
    Press,
    Resize,
    RunShipped,
    Type,
    deed_of,
    starts_a_run,
)
from tests.tui.layout.random_user import write_editor
from tests.tui.layout.soak import DEEDS_AN_HOUR, LOOKS_AN_HOUR, MIB_AN_HOUR, WARMING

REST_S: Final = 3.0
"""Longer than the pause after which garbage is looked for."""

ANSWER_S: Final = 120.0
RUNS_S: Final = 600.0
_MARK: Final = "no action is like that"
"""What the command palette says when nothing is found, which nothing else does."""

_QUIET_S: Final = 0.012
_ESCAPE: Final = b"\x1b"
_ESCAPE_S: Final = 0.12
"""A lone Escape is one when nothing has followed for a tenth of a second."""

_ROWS_ABOVE: Final = 1
_ROWS_BELOW: Final = 2
"""Not clicked: the line of menus and the last lines, by which the program is left."""


@dataclass(frozen=True, slots=True)
class Look:
    """The program at rest, after a number of deeds: its memory, and what of that is not of files, such as libraries."""

    deeds: int
    mib: float
    own_mib: float
    threads: int
    files: int


class Sitting:
    """Somebody before the terminal, who does what `seed` says."""

    def __init__(self, folder: Path, plates: Sequence[Path], seed: int, *, runs: bool) -> None:
        self._folder = folder
        self._plates = plates
        self._seed = seed
        self._runs = runs
        self._labels = _labels()
        self.openings = 0
        self.terminal = self._open()

    def use(self, numbers: range) -> None:
        """Do the deeds of `numbers`, each when what the last one did has been drawn."""
        for number in numbers:
            deed = deed_of(self._seed, number)
            if not (starts_a_run(deed) and not self._runs):
                self._do(deed)
                self._wait_quiet()
            if self.terminal.exit_code is not None:
                self.terminal.close()
                self.terminal = self._open()
        self.terminal.forget_written()

    def rest(self, deeds: int) -> Look:
        """Close all, let runs come to their end, pause, and look at the program."""
        self._expect_answer()
        until_s = time.monotonic() + RUNS_S
        # The guardian of the terminal is there as long as the program is.
        while len(self.terminal.program.children()) > 1 and time.monotonic() < until_s:
            self.terminal.read(0.2)
        self.terminal.read(REST_S)
        program = self.terminal.program
        memory = program.memory_info()
        own_mib = (memory.rss - memory.shared) / 2**20
        return Look(deeds, memory.rss / 2**20, own_mib, program.num_threads(), program.num_fds())

    def _expect_answer(self) -> None:
        """Close all, and have the palette look for nothing: keys are heard and drawn."""
        until_s = time.monotonic() + ANSWER_S
        self.terminal.resize(30, 100)
        while _MARK not in self.terminal.text:
            if time.monotonic() > until_s:
                raise Broken(f"no answer to a key for {ANSWER_S:g} s:\n{self.terminal.text}")
            self._escape(12)
            self.terminal.send(_bytes_of("c-p") + b"~~~")
            self._wait_quiet()
            self.terminal.read(0.5)
        self._escape(4)

    def _open(self) -> Terminal:
        self.openings += 1
        command = ["-m", "openhcs", "tui", *map(str, self._plates), "--pipeline", str(shipped_pipelines()["nuclei"])]
        terminal = Terminal(
            self._folder,
            [sys.executable, *command],
            "Pipeline",
            OPENHCS_HOME=str(self._folder / "home"),
            COLORTERM="truecolor",
        )
        terminal.resize(30, 100)
        return terminal

    def _do(self, deed: Deed) -> None:
        columns, lines = self.terminal.screen.columns, self.terminal.screen.lines
        match deed:
            case Press(keys) if keys[0] == "escape":
                self._escape(len(keys))
            case Press(keys):
                if not _may_leave(keys):
                    self.terminal.send(b"".join(_bytes_of(part) for key in keys for part in key.split() or [key]))
            case Type(text):
                self.terminal.send(text.encode())
            case Paste(text):
                self.terminal.send(b"\x1b[200~" + text.encode() + b"\x1b[201~")
            case Mouse(what, x, y, to_x, to_y):
                rows = max(1, lines - _ROWS_ABOVE - _ROWS_BELOW)
                at, to = ((int(left * columns), int(top * rows) + _ROWS_ABOVE) for left, top in ((x, y), (to_x, to_y)))
                self.terminal.send(_mouse(what, at, to))
            case Command(name, part):
                labels = list(self._labels.values())
                self._escape(4)
                self.terminal.send(_bytes_of("c-p"))
                self._wait_quiet()
                self.terminal.send((self._labels[name] if name else labels[int(part * len(labels))]).encode())
                self._wait_quiet()
                self.terminal.send(b"\r")
            case Resize():
                self.terminal.resize(deed.rows, deed.columns)
            case RunShipped():
                self._do(Command("plates.run"))

    def _escape(self, times: int) -> None:
        for _ in range(times):
            self.terminal.send(_ESCAPE)
            self.terminal.read(_ESCAPE_S)

    def _wait_quiet(self) -> None:
        written = -1
        while written != len(self.terminal.written):
            written = len(self.terminal.written)
            self.terminal.read(_QUIET_S)


def _labels() -> Mapping[str, str]:
    """What to type in the palette for each action but leaving and the menus."""
    rows: dict[str, Binding] = {}
    for place in SimpleOpenHCSTUILauncher().actions().values():
        rows |= place
    return {
        name: row.description[:24] for name, row in rows.items() if name not in ("everywhere.quit", "everywhere.menu")
    }


def _may_leave(keys: tuple[str, ...]) -> bool:
    """Whether keys leave or stop the program, or open the menus, of which one leaves it."""
    return keys[0] in (*LEAVING, "c-z", "f10") or keys[0].startswith("escape ")


def _bytes_of(key: str) -> bytes:
    key = {**KEY_ALIASES, "space": " "}.get(key, key)
    return (key if len(key) == 1 else REVERSE_ANSI_SEQUENCES[Keys(key)]).encode()


def _mouse(what: str, at: tuple[int, int], to: tuple[int, int]) -> bytes:
    """What a terminal sends for the mouse; columns and rows from 0."""
    x, y, to_x, to_y = at[0] + 1, at[1] + 1, to[0] + 1, to[1] + 1
    match what:
        case "drag":
            return b"\x1b[<0;%d;%dM\x1b[<32;%d;%dM\x1b[<0;%d;%dm" % (x, y, to_x, to_y, to_x, to_y)
        case "wheel":
            return b"\x1b[<%d;%d;%dM" % (64 + to_x % 2, x, y) * 3
        case _:
            button = 16 if what == "ctrl" else 0
            return b"\x1b[<%d;%d;%dM\x1b[<%d;%d;%dm" % (button, x, y, button, x, y) * (2 if what == "double" else 1)


def main() -> int:
    """Use the program for virtual hours."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plate", type=Path, action="append", default=[], help="one more plate; may be given again")
    parser.add_argument("--runs", action="store_true", help="run plates as well, which takes its own time")
    arguments = parser.parse_args()
    looks = list[Look]()
    every = DEEDS_AN_HOUR // LOOKS_AN_HOUR
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        os.environ["OPENHCS_HOME"] = f"{name}/home"
        write_editor(folder)
        plates = [make_demo_plate(folder / f"plate {n}", seed=n, wells=("B02", "B03"), size_px=128) for n in (1, 2)]
        folders = [*(plate.folder for plate in plates), *(plate.absolute() for plate in arguments.plate)]
        sitting = Sitting(folder, folders, arguments.seed, runs=arguments.runs)
        try:
            for first in range(1, round(arguments.hours * DEEDS_AN_HOUR) + 1, every):
                sitting.use(range(first, first + every))
                looks.append(sitting.rest(first + every - 1))
                print(f"{looks[-1].deeds / DEEDS_AN_HOUR:6.2f} h {looks[-1]} opened {sitting.openings} x", flush=True)  # noqa: T201 - a command's output
        finally:
            sitting.terminal.close()
    used = looks[int(len(looks) * WARMING) :]
    if len(used) < 3:
        return 0
    hours = [look.deeds / DEEDS_AN_HOUR for look in used]
    slope = statistics.linear_regression(hours, [look.own_mib for look in used]).slope
    print(f"an hour adds {slope:+.2f} MiB")  # noqa: T201 - a command's output
    return 1 if slope > MIB_AN_HOUR else 0


if __name__ == "__main__":
    sys.exit(main())
