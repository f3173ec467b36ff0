"""Random bytes for the whole workbench in a real pseudo-terminal, while a run goes on beside it.

    python -m tests.terminal.random_bytes --seed 1 --seconds 600

Keys, torn and nonsensical escape sequences, mouse reports of every protocol, pastes that never end, bytes that are no
text; other sizes, and stops. Every so often the workbench has to answer a key. It may be left by what it is sent, and
is opened again. In the end it is asked to leave: the terminal is as it was, nothing is left of it, no error of its code
is in its journal, and the run that it had found has gone on, or was cancelled by a key.

Pipelines and tables are saved wherever it happens to stand: run it where nothing of value can be written.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil

from openhcs import errors
from openhcs.core.demo_plate import make_demo_plate
from openhcs.core.orchestrator import Orchestrator, Run
from openhcs.core.pipeline_file import load_pipeline
from openhcs.core.progress import RunState
from openhcs.tui.utils.journal_file import read_lines
from tests.terminal.chaos_run import Broken, Terminal

__all__ = ["Sitting", "burst_of"]

ANSWER_S: Final = 120.0
"""20,000 letters that a torn paste makes keys of are half a minute of computing, and the machine may be busy."""

WELLS: Final = tuple(f"{row}{column:02}" for row in "BCDE" for column in range(2, 8))
WELL_S: Final = 2.0

_MARK: Final = "no action is like that"
"""What the command palette says when nothing is found, which nothing else does."""

_LEAVING: Final = b"\x03\x11q"
_COMPLAINTS: Final = (
    "Traceback (most recent",
    "was destroyed but",
    "never retrieved",
    "never awaited",
    "Exception ignored",
)
_SIZES: Final = ((24, 80), (24, 80), (30, 100), (60, 200), (10, 40), (5, 20), (2, 5), (1, 1), (100, 300))

_KEYS: Final = (
    *(b"\x1b[" + end for end in (b"A", b"B", b"C", b"D", b"H", b"F", b"5~", b"6~", b"Z", b"3~", b"1;5C", b"1;2A")),
    *(
        b"\t",
        b"\r",
        b"\n",
        b"\x7f",
        b" ",
        b"\x1b",
        b"\x1bOP",
        b"\x1bOQ",
        b"\x1b[17~",
        b"\x1b[21~",
        b"\x1b[24~",
        b"\x10",
    ),
    *(b"\x1b" + letter for letter in (b"f", b"p", b"v", b"w", b"s", b"h")),
)
_REPORTS: Final = (
    b"\x1b[%d;%dR",  # the cursor
    b"\x1b[<0;%d;%dM\x1b[<0;%d;%dm",  # the mouse: clicks, moves, the wheel; by all three protocols
    b"\x1b[<32;%d;%dM",
    b"\x1b[<64;%d;%dM",
    b"\x1b[<65;%d;%dM" * 10,
    b"\x1b[32;%d;%dM",
    b"\x1b[<99999;%d;%dM",
    b"\x1b[<0;-%d;%dM",
    b"\x1b[%d;%du",  # keys as newer terminals tell them
    b"\x1b[27;%d;%d~",
    b"\x1b[8;%d;%dt",
)
_NONSENSE: Final = (
    b"\xff\xfe", b"\xc3", b"\xe6\xbc", b"\xf0\x9f\x91", b"\x9b", b"\x90q\x9c", b"\x00" * 5, b"\x1b[I", b"\x1b[O",
    b"\x1b]11;rgb:0000/0000/0000\x07", b"\x1b]52;c;AAAA\x1b\\", b"\x1bP>|xterm(390)\x1b\\", b"\x1b[?62;22c", b"\x1b[M",
    b"\x1b[M\x20\xff\xff", b"\x1b[;;;;;;;;M", b"\x1b[<M", b"\x1b[<;;m", b"\x1b[" + b"9" * 400 + b"~", b"\x1b" * 30,
    b"\x1b[200~", b"\x1b[201~", b"\x1b[200~torn\x1b[20", b"\x1b[200~" + b"y" * 20_000 + b"\x1b[201~", b"\x1b_G\x1b\\",
    "漢字é👩‍🔬\u200b\u202e".encode(),
)  # fmt: skip


def burst_of(seed: int, number: int) -> bytes:
    """What is sent as number `number` of the sitting that `seed` names."""
    chance = random.Random(f"{seed}/{number}")
    return b"".join(_piece(chance) for _ in range(chance.randint(1, 12)))


def _piece(chance: random.Random) -> bytes:
    match chance.choices(range(6), (30, 20, 15, 12, 10, 4))[0]:
        case 0:
            return chance.choice(_KEYS)
        case 1:
            return bytes([chance.choice(range(33, 127))]).translate(None, b"q")
        case 2:
            report = chance.choice(_REPORTS)
            places = [chance.choice((0, 1, chance.randint(1, 100), chance.randint(1, 30), 9999)) for _ in range(20)]
            return report % tuple(places[: report.count(b"%d")])
        case 3:
            return chance.choice(_NONSENSE)
        case 4:
            # Seldom those that leave: there would be no long use.
            return chance.randbytes(chance.randint(1, 20)).translate(None, _LEAVING)
        case _:
            return bytes([chance.choice(_LEAVING)]) if chance.random() < 0.1 else b"\x1b" * 3


@dataclass(slots=True)
class Figures:
    """What came to pass."""

    bursts: int = 0
    sent: int = 0
    openings: int = 0
    stops: int = 0
    runs: int = 0
    slowest_answer_s: float = 0.0
    refused: Counter[str] = field(default_factory=Counter)


class Sitting:
    """The workbench in a terminal for as long as bytes are sent, and a run in a process of its own."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.figures = Figures()
        self._folder = folder
        self._seed = seed
        self._out = folder / "openhcs-results" / "plate" / "slow"
        self._plate = make_demo_plate(folder / "plate", wells=WELLS, sites=1, z_steps=1, size_px=128).folder
        self._pipeline = folder / "slow.yaml"
        self._terminal: Terminal | None = None
        self._write_settings()

    @property
    def terminal(self) -> Terminal:
        """The terminal that is open."""
        assert self._terminal is not None
        return self._terminal

    def play(self, seconds: float) -> Figures:
        """Send bytes for so long; raises Broken where something does not hold."""
        until_s = time.monotonic() + seconds
        run = self._start_run()
        number = 0
        try:
            while time.monotonic() < until_s:
                if run.poll().state.has_ended:
                    _expect_untouched(run)
                    run = self._start_run()
                if self._terminal is None:
                    self._open()
                number += 1
                self._send(number)
                if number % 20 == 0:
                    self._expect_answer()
                if self.terminal.exit_code is not None:
                    # Keys are signals again while an editor has the terminal, and while the program is being stopped.
                    self._expect_given_back(0, 128 + signal.SIGINT, 128 + signal.SIGQUIT)
                else:
                    self.terminal.forget_written()
            if self._terminal is not None:
                self._leave()
        except Broken as broken:
            raise Broken(f"seed {self._seed}, burst {number}: {broken}\n{self._scene()}") from broken
        finally:
            if self._terminal is not None:
                self._terminal.close()
            run.cancel()
            run.wait(60)
        _expect_untouched(run)
        self._expect_no_fault()
        return self.figures

    def _scene(self) -> str:
        """What there is to see of the workbench: its screen, its processes, the end of its log."""
        if self._terminal is None:
            return ""
        program = self._terminal.program
        processes = [program, *program.children(recursive=True)] if program.is_running() else []
        told = [f"{process.pid} {process.status()} {' '.join(process.cmdline())[:100]}" for process in processes]
        log = self._folder / "home" / "logs" / "workbench.log"
        lines = log.read_text("utf-8", "replace").splitlines()[-20:] if log.exists() else []
        return "\n".join([self._terminal.text, *told, *lines])

    # -- the run beside it -------------------------------------------------------------------------------------------

    def _write_settings(self) -> None:
        (self._folder / "slow_functions.py").write_text(
            "import time\nfrom openhcs.processing.types import Image\n__all__ = ['dawdle']\n"
            f"def dawdle(image: Image) -> Image:\n    '''Take time.'''\n    time.sleep({WELL_S})\n    return image\n"
        )
        self._pipeline.write_text("name: slow\nsteps:\n  - name: Dawdle\n    functions: dawdle\n")
        settings = self._folder / "home" / "config" / "settings.yaml"
        settings.parent.mkdir(parents=True)
        settings.write_text("workers: 1\nfunction_modules: [slow_functions]\n")

    def _start_run(self) -> Run:
        """Start a run of every well, which what has been found before does not shorten."""
        self.figures.runs += 1
        (self._folder / "slow.yaml").write_text(
            f"name: slow\nsteps:\n  - name: Dawdle {self.figures.runs}\n    functions: dawdle\n"
        )
        orchestrator = Orchestrator(self._plate, ("slow_functions",))
        orchestrator.initialise()
        orchestrator.compile(load_pipeline(self._pipeline))
        return orchestrator.run(self._out, 1, None, check_room=False)

    # -- the workbench -----------------------------------------------------------------------------------------------

    def _open(self) -> None:
        self.figures.openings += 1
        editor = self._folder / "editor"
        editor.write_text("#!/bin/sh\nsleep 0.3\necho '# seen' >> \"$1\"\n")
        editor.chmod(0o755)
        command = ["-W", "error", "-m", "openhcs", "tui", str(self._plate), "--pipeline", str(self._pipeline)]
        self._terminal = Terminal(
            self._folder,
            [sys.executable, *command],
            "Pipeline",
            VISUAL=str(editor),
            OPENHCS_HOME=str(self._folder / "home"),
            PYTHONPATH=os.pathsep.join((str(Path(__file__).parents[2]), str(self._folder))),
        )

    def _send(self, number: int) -> None:
        chance = random.Random(f"{self._seed}/{number}/how")
        data = burst_of(self._seed, number)
        self.figures.bursts += 1
        self.figures.sent += len(data)
        # Torn anywhere, as a slow link tears.
        cut = chance.randint(0, len(data))
        self.terminal.send(data[:cut])
        self.terminal.read(chance.choice((0.0, 0.0, 0.01, 0.15)))
        self.terminal.send(data[cut:])
        self.terminal.read(chance.choice((0.0, 0.02, 0.05)))
        if chance.random() < 0.06:
            self.terminal.resize(*chance.choice(_SIZES))
        if chance.random() < 0.01 and self.terminal.exit_code is None:
            self._stop(chance.choice((signal.SIGTSTP, signal.SIGSTOP)))

    def _stop(self, number: signal.Signals) -> None:
        stops = self.terminal.stops

        def is_over() -> bool:
            if self.terminal.exit_code is None and self.terminal.program.is_running():
                self.terminal.program.send_signal(number)
            self.terminal.let_go_on()
            self.terminal.read(0.5)
            return self.terminal.stops > stops or self.terminal.exit_code is not None

        self.figures.stops += 1
        self.terminal.wait(is_over, f"the stop by {number.name}", ANSWER_S)

    def _expect_answer(self) -> None:
        """Have the palette opened and look for nothing: keys are heard and drawn."""
        began_s = time.monotonic()
        self.terminal.resize(24, 80)
        while _MARK not in self.terminal.text and self.terminal.exit_code is None:
            if time.monotonic() - began_s > ANSWER_S:
                raise Broken(f"no answer to a key for {ANSWER_S:g} s")
            self.terminal.let_go_on()
            for key in (b"\x1b[201~", b"\x1b", b"\x1b", b"\x1b", b"\x1b", b"\x10", b"~~~"):
                self.terminal.send(key)
                self.terminal.read(0.15)
        self.figures.slowest_answer_s = max(self.figures.slowest_answer_s, time.monotonic() - began_s)
        self.terminal.send(b"\x1b")

    # -- the end -----------------------------------------------------------------------------------------------------

    def _leave(self) -> None:
        processes = [self.terminal.program, *self._own_processes()]
        self.terminal.program.send_signal(signal.SIGTERM)
        self.terminal.let_go_on()
        self.terminal.wait(lambda: self.terminal.exit_code is not None, "the end by SIGTERM", ANSWER_S)
        self._expect_given_back(128 + signal.SIGTERM)
        _, alive = psutil.wait_procs(processes, timeout=10)
        if alive:
            raise Broken(f"processes are left: {alive}")

    def _own_processes(self) -> list[psutil.Process]:
        """Those that the workbench has started and that are to end with it: all but runs."""
        children = self.terminal.program.children(recursive=True)
        return [process for process in children if "openhcs.core.preview_process" in process.cmdline()]

    def _expect_given_back(self, *codes: int) -> None:
        terminal, self._terminal = self.terminal, None
        try:
            if terminal.exit_code not in codes:
                raise Broken(f"exit code {terminal.exit_code}; expected {' or '.join(map(str, codes))}")
            terminal.wait(lambda: terminal.modes == terminal.modes_before, "the terminal's attributes", 5.0)
            left = [mode for mode, to in terminal.mode_settings().items() if to != (mode == b"25")]
            if left:
                raise Broken(f"modes of the terminal left on: {left}")
            # Behind the full screen, on which the traceback of a function of the user's may well have stood.
            said = bytes(terminal.written).rpartition(b"\x1b[?1049l")[2].decode("utf-8", "replace")
            if any(complaint in said for complaint in _COMPLAINTS):
                raise Broken(f"on the terminal: {said}")
        finally:
            terminal.close()

    def _expect_no_fault(self) -> None:
        for line in read_lines(self._folder / "home" / "logs" / "errors.jsonl"):
            if line.get("event") == "error":
                kind = getattr(errors, str(line["type"]), None)
                if kind is None or not issubclass(kind, errors.OpenHCSError):
                    raise Broken(f"an error of the code: {json.dumps(line, indent=1)}")
                self.figures.refused[str(line["message"]).splitlines()[0][:120]] += 1


def _expect_untouched(run: Run) -> None:
    """A run that has ended did so by itself, or was cancelled; its runner was not pulled down."""
    progress = run.poll()
    if progress.state not in (RunState.FINISHED, RunState.CANCELLED):
        raise Broken(f"the run {progress.state.value}: {progress.message}")


def main() -> int:
    """Send bytes for a time; the exit code tells whether something broke."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=60.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        sys.path.append(name)  # where the run's function is
        try:
            figures = Sitting(Path(name), arguments.seed).play(arguments.seconds)
        except Broken as broken:
            print(broken)  # noqa: T201 - a command's output
            return 1
    print(figures)  # noqa: T201 - a command's output
    return 0


if __name__ == "__main__":
    sys.exit(main())
