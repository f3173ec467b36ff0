"""Plays random keys, clicks, resizes, stops and faults on `chaos.py` in a real terminal, and looks how it bears them.

    python -m tests.terminal.chaos_run --seed 7                 # one life
    python -m tests.terminal.chaos_run --seed 7 --seconds 3600  # that seed and those after it, for an hour
    python -m tests.terminal.chaos_run --seed 7 --only 3,17     # of that life these actions alone

A seed names the whole life: what is done, and how it ends. What fails is made shorter, and told as a command to run it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import select
import signal
import sys
import tempfile
import termios
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pexpect
import psutil
import pyte

from openhcs.tui.utils.journal_file import read_lines
from tests.terminal import one_job_shell
from tests.terminal.chaos import EXIT_CODE

APP = Path(__file__).with_name("chaos.py")
BOUND_S = 8.0
"""How long the application may take to answer a key, whatever was done to it; the machine may be busy."""

START_S = 60.0

EXIT_S = 15.0
"""How long leaving may take: 3 s for tasks that ignore it, and some for threads and the loop."""

# -- what is done ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Send:
    """Bytes to the terminal, as keys, the mouse and pastes are."""

    data: bytes

    def __str__(self) -> str:
        return f"send {self.data!r}" if len(self.data) < 80 else f"send {self.data[:60]!r}... ({len(self.data)} bytes)"


@dataclass(frozen=True, slots=True)
class Click:
    """A click on the first place that shows `text`, if one does."""

    text: str


@dataclass(frozen=True, slots=True)
class Resize:
    """Another size of the terminal."""

    rows: int
    columns: int


@dataclass(frozen=True, slots=True)
class Stop:
    """A stop of the program by `number`, and `fg` in its shell."""

    number: signal.Signals


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing, for a while."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Check:
    """A look whether all is well."""


Action = Send | Click | Resize | Stop | Pause | Check

# Ctrl-C, Ctrl-Q and q may leave; Ctrl-F begins a fault.
_CONTROL = [bytes([code]) for code in range(32) if code not in (3, 6, 17)]
_LETTERS = [char.encode() for char in "abcdefghijklmnoprstuvwxyz0123456789 ?/äß漢"]
_KEYS = [
    *(b"\x1b[" + end for end in (b"A", b"B", b"C", b"D", b"H", b"F", b"5~", b"6~", b"Z", b"3~", b"1;5C")),
    *(b"\t", b"\r", b"\x7f", b"\x1b", b"\x1b", b"\x1bOQ", b"\x1b[17~", b"\x1b[15~"),
]
_JUNK = [
    b"\xff\xfe",
    b"\xc3",
    b"\x1b[999;999R",
    b"\x1b[1;1R",
    b"\x1b[<0;500;500M",
    b"\x1b[M   ",
    b"\x1b]0;x\x07",
    b"\x00",
]
_BUTTONS = [
    "[BOOM]",
    "Yes",
    "OK",
    "Cancel",
    "row 3",
    "fragile",
    "Details",
    "Close",
    "restart",
    "Type or",
    "Copy",
    "Next",
]
FAULTS = "abcdefghijklmnoprstuvwxyzABCDEFGHIJKLMN"


def actions_of(seed: int, count: int) -> list[Action]:
    """The life that `seed` names: `count` actions, with a check after each burst of them."""
    rng = random.Random(seed)
    actions: list[Action] = []
    while len(actions) < count:
        pause_s = rng.choice((0.0, 0.0, 0.02, 0.1))
        for _ in range(rng.randint(3, 14)):
            actions.append(_one_of(rng))
            if pause_s:
                actions.append(Pause(pause_s))
        actions.append(Check())
    return actions


def _one_of(rng: random.Random) -> Action:
    x, y = rng.randint(1, 100), rng.randint(1, 30)
    match rng.choices(range(9), (24, 30, 8, 10, 6, 4, 3, 2, 3))[0]:
        case 0:
            return Send(b"\x06" + rng.choice(FAULTS).encode())
        case 1:
            return Send(b"".join(rng.choice(rng.choice((_LETTERS, _KEYS, _CONTROL))) for _ in range(rng.randint(1, 5))))
        case 2:
            return Click(rng.choice(_BUTTONS))
        case 3:
            return Send(b"\x1b[<0;%d;%dM\x1b[<0;%d;%dm" % (x, y, x, y))
        case 4:
            return Send(b"\x1b[<%d;%d;%dM" % (rng.choice((64, 65, 35, 2)), x, y) * rng.randint(1, 20))
        case 5:
            return Resize(*rng.choice(((24, 80), (24, 80), (60, 200), (10, 40), (5, 20), (2, 5), (1, 1), (30, 100))))
        case 6:
            return Send(b"\x1b[200~" + rng.choice((b"a paste\n", b"\x1b[2J\x07", b"x" * 9000)) + b"\x1b[201~")
        case 7:
            return Stop(rng.choice((signal.SIGTSTP, signal.SIGTSTP, signal.SIGSTOP)))
        case _:
            return Send(rng.choice(_JUNK))


# -- the terminal --------------------------------------------------------------------------------------------------

_READY = "READY"
_PING = b"\x1b[20~"
_MODES = {b"1049": False, b"1000": False, b"1002": False, b"1003": False, b"1006": False, b"2004": False, b"25": True}
"""The terminal's modes that the application may change, and what each is to be in the end."""

_PWNED = re.compile(rb"\x1b\]2;PWNED|\x1b\[7;31mPWNED|\x9b2J|\x07\x1b\[7;31m|PWNED\x1b\[\?1049l")
_COMPLAINTS = ("Press ENTER", "was destroyed but", "never retrieved", "never awaited", "Exception ignored in")


_NUMBERED = re.compile(r"fault #(\d+)#")
_WITHOUT_NUMBER = ("mute", "SystemExit")
"""Kinds of fault that cannot say which of them they are."""


class Broken(AssertionError):
    """An invariant that does not hold."""


class Terminal:
    """An application under its shell in a pseudo-terminal, with what it has written so far.

    Args:
        job: its command; `APP` unless given.
        ready: what it shows when it can be used.
        more: of its environment.
    """

    def __init__(self, folder: Path, job: Sequence[str] = (), ready: str = _READY, **more: str) -> None:
        environment = {**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "PYTHONPATH": str(APP.parents[2])}
        environment |= more
        job = job or [sys.executable, "-W", "error", str(APP), str(folder)]
        shell = ["-I", "-S", one_job_shell.__file__, *job]
        self._shell = pexpect.spawn(sys.executable, shell, cwd=str(folder), dimensions=(24, 80), env=environment)
        self.fd: int = self._shell.child_fd
        self.modes_before = termios.tcgetattr(self.fd)
        os.set_blocking(self.fd, False)
        self.screen = pyte.Screen(80, 24)
        self._stream = pyte.ByteStream(self.screen)
        self.written = bytearray()
        self._resumed = 0
        self.wait(lambda: ready in self.text, "the first frame", START_S)
        self.program = psutil.Process(self._shell.pid).children()[0]

    @property
    def text(self) -> str:
        # Not `display`, which fails on a wide character of which one half is overwritten.
        cells, columns = self.screen.buffer, range(self.screen.columns)
        return "\n".join("".join(cells[y][x].data for x in columns) for y in range(self.screen.lines))

    @property
    def modes(self) -> list[Any]:
        return termios.tcgetattr(self.fd)

    @property
    def stops(self) -> int:
        """How often the application has been stopped."""
        return self.written.count(one_job_shell.STOPPED.encode())

    @property
    def exit_code(self) -> int | None:
        """What the application ended with, None while it has not."""
        found = re.search(rf"{one_job_shell.ENDED} (\d+)\.".encode(), self.written)
        return int(found[1]) if found is not None else None

    def send(self, data: bytes) -> None:
        """Type `data`, reading on: an application that waits for us to read must not be waited for.

        What one that has been left does not read is for nobody.
        """
        deadline = time.monotonic() + BOUND_S
        while data and self.exit_code is None:
            if time.monotonic() > deadline:
                raise Broken(f"the application has not read its keys for {BOUND_S} s")
            if select.select([self.fd], [self.fd], [], 0.1)[1]:
                data = data[os.write(self.fd, data[:512]) :]
            self.read(0)

    def read(self, seconds: float) -> None:
        """Take what is written, for `seconds`."""
        until_s = time.monotonic() + seconds
        while select.select([self.fd], [], [], max(0.0, until_s - time.monotonic()))[0]:
            try:
                data = os.read(self.fd, 65536)
            except BlockingIOError:
                continue
            except OSError:
                # The other side is closed.
                return
            self.written += data
            self._stream.feed(data)
            while self.stops > self._resumed:
                self._resumed += 1
                # Before the line that the shell waits for: what the line discipline holds by a Ctrl-V or a Ctrl-S.
                os.write(self.fd, b"\x11\x11\r")

    def let_go_on(self) -> None:
        """Where the terminal is not raw, take back a Ctrl-S, and type the shell's line again.

        A Ctrl-S lets nobody write, the shell neither; a Ctrl-C throws away what was typed before it and not yet read.
        """
        if self.modes[0] & termios.IXON:
            os.write(self.fd, b"\x11\r")

    def wait(self, condition: Callable[[], object], what: str, seconds: float = 20.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise Broken(f"waited {seconds} s in vain for {what}")
            self.read(0.02)

    def resize(self, rows: int, columns: int) -> None:
        self.screen.resize(rows, columns)
        self._shell.setwinsize(rows, columns)

    def mode_settings(self) -> dict[bytes, bool]:
        """How the application left each mode of the terminal."""
        found = re.findall(rb"\x1b\[\?(\d+)([hl])", bytes(self.written))
        return {number: to == b"h" for number, to in found if number in _MODES}

    def forget_written(self) -> None:
        """Forget what was written, but for how it left the modes: whoever goes on for long looks through it often."""
        modes = self.mode_settings()
        rest = self.written[-100:]  # it may end in the middle of what the shell says
        self.written[:] = b"".join(b"\x1b[?%b%b" % (number, b"h" if to else b"l") for number, to in modes.items())
        self.written += rest
        self._resumed = self.stops

    def close(self) -> None:
        self._shell.close(force=True)


@contextmanager
def _terminal(folder: Path) -> Iterator[Terminal]:
    terminal = Terminal(folder)
    processes = [terminal.program, *terminal.program.children(recursive=True)]
    try:
        yield terminal
    finally:
        terminal.close()
        for process in processes:
            if process.is_running():
                process.kill()


# -- one life ------------------------------------------------------------------------------------------------------

ENDINGS = ("q", "SIGTERM", "SIGHUP", "SIGINT", "SIGKILL", "SystemExit")


@dataclass
class Figures:
    """What was done in lives so far, and the longest wait for an answer."""

    lives: int = 0
    actions: int = 0
    faults: int = 0
    errors: int = 0
    slowest_answer_s: float = 0.0
    slowest_seed: int = 0
    by_kind: Counter[str] = field(default_factory=Counter)


class Life:
    """One run of the application, in a folder of its own."""

    def __init__(self, folder: Path, figures: Figures) -> None:
        self.folder = folder
        self._figures = figures
        self._last_ping = 0
        self._actions: dict[type[Action], Callable[[Any], None]] = {
            Send: lambda action: self.terminal.send(action.data),
            Click: self._click,
            Resize: lambda action: self.terminal.resize(action.rows, action.columns),
            Stop: self._stop,
            Pause: lambda action: self.terminal.read(action.seconds),
            Check: lambda action: self.check(),
        }

    def play(self, actions: Sequence[Action], ending: str) -> None:
        """Do `actions`, then end; raises Broken where an invariant does not hold."""
        with _terminal(self.folder) as self.terminal:
            for action in actions:
                self._actions[type(action)](action)
                self.terminal.read(0)
                self._figures.actions += not isinstance(action, Pause | Check)
            self.check()
            self._end(ending)
        self._figures.lives += 1
        for line in self.injected():
            self._figures.by_kind[line["kind"]] += 1
            self._figures.faults += 1
            self._figures.errors += line["times"]

    # -- actions -------------------------------------------------------------------------------------------------

    def _click(self, action: Click) -> None:
        for y, line in enumerate(self.terminal.text.splitlines(), 1):
            if action.text in line:
                x = line.index(action.text) + 2
                return self.terminal.send(b"\x1b[<0;%d;%dM\x1b[<0;%d;%dm" % (x, y, x, y))
        return None

    def _stop(self, action: Stop) -> None:
        # A shell takes what was typed for itself. Were that the end of a paste, the application would wait for it.
        self.ping()
        stops = self.terminal.stops

        def is_stopped() -> bool:
            # One that comes while the application is about to go on after the one before is part of that.
            self.terminal.program.send_signal(action.number)
            self.terminal.read(0.5)
            return self.terminal.stops > stops

        self.terminal.wait(is_stopped, f"the stop by {action.number.name}")

    # -- invariants ----------------------------------------------------------------------------------------------

    def ping(self) -> dict[str, Any]:
        """The application's own account of itself."""
        began_s = time.monotonic()
        last = self._last_ping
        while self._last_ping == last:
            if time.monotonic() - began_s > BOUND_S:
                raise Broken(f"no answer to a key for {BOUND_S} s")
            # A key may fall prey to the one before it: Ctrl-V takes any, and so does half an escape sequence.
            self.terminal.send(_PING)
            again_s = time.monotonic() + 1.0
            while time.monotonic() < again_s and self._last_ping == last:
                self.terminal.read(0.02)
                if self.terminal.exit_code is not None:
                    raise Broken("the application has ended")
                self._last_ping = max(self._last_ping, self._state().get("ping", 0))
        self._figures.slowest_answer_s = max(self._figures.slowest_answer_s, time.monotonic() - began_s)
        return self._state()

    def _state(self) -> dict[str, Any]:
        try:
            state: dict[str, Any] = json.loads(self.terminal.screen.title)
        except ValueError:
            return {}
        return state

    def injected(self) -> list[dict[str, Any]]:
        """The faults that the application says it has produced."""
        return [json.loads(line) for line in (self.folder / "injected.jsonl").read_text().splitlines()]

    def check(self) -> None:
        """Look whether every invariant holds."""
        self.ping()
        state = self._settled_state()
        if state["error_dialogs"] > 1:
            raise Broken(f"{state['error_dialogs']} error dialogs at once")
        if sum("Esc Close" in line for line in self.terminal.text.splitlines()) > 1:
            raise Broken("two error dialogs on the screen")
        received, *became = state["ledger"]
        if received != sum(became):
            raise Broken(f"the ledger does not balance: {state['ledger']}")
        if not state["notice"]:
            if not state["focus_in_top"]:
                raise Broken("the focus is not in the topmost dialog")
            self._check_typing(state)
        elif "try again" in self.terminal.text:
            self.terminal.send(b"r")
        if found := _PWNED.search(self.terminal.written):
            raise Broken(f"untrusted text reached the terminal: {found[0]!r}")
        self._check_journal()

    def _settled_state(self) -> dict[str, Any]:
        """The state once all that was injected has arrived: threads, finalisers and waiting tasks take a moment."""
        deadline = time.monotonic() + 5
        while True:
            state, injected = self.ping(), sum(line["times"] for line in self.injected())
            if state["ledger"][0] == injected:
                return state
            if time.monotonic() > deadline:
                raise Broken(f"{injected} errors were injected, {state['ledger'][0]} arrived: {self._difference()}")
            self.terminal.read(0.1)

    def _difference(self) -> str:
        """What the journal lacks of what was injected, and has beyond it."""
        entered = self._entered()
        injected = {line["number"]: line["kind"] for line in self.injected() if line["kind"] not in _WITHOUT_NUMBER}
        lacks = [f"#{number} {kind}" for number, kind in injected.items() if number not in entered]
        strange = [
            f"{line['type']} in {line['context']}: {str(line['message'])[:200]}\n{str(line['traceback'])[-2000:]}"
            for line in read_lines(self.folder / "errors.jsonl")
            if line.get("event") == "error" and not _NUMBERED.match(str(line["message"]))
        ]
        return "; ".join([f"no entry of {', '.join(lacks) or 'none'}", *strange])

    def _check_typing(self, state: dict[str, Any]) -> None:
        """Where a text of a dialog has the focus, letters land there."""
        if not state["dialogs"] or state["typed"] is None or state["error_dialogs"]:
            return
        self.terminal.send(b"zz")
        after = self.ping()
        is_same = after["dialogs"] == state["dialogs"] and after["typed"] is not None
        if is_same and after["typed"] not in (state["typed"] + 2, state["typed"]):
            raise Broken(f"two letters typed into a dialog: it had {state['typed']}, now {after['typed']}")

    def _entered(self) -> Counter[int]:
        """How many entries each numbered fault has in the journal's file."""
        lines = read_lines(self.folder / "errors.jsonl")
        messages = [str(line["message"]) for line in lines if line.get("event") == "error"]
        return Counter(int(found[1]) for message in messages if (found := _NUMBERED.match(message)))

    def _check_journal(self) -> None:
        repeated = [number for number, times in self._entered().items() if times > 1]
        # One of many is entered anew when the user has closed the dialog that tells of it, or is of another type.
        several = [line for line in self.injected() if line["number"] in repeated and line["times"] == 1]
        if several:
            raise Broken(f"entered more than once: {several}")

    def _check_whole_journal(self) -> None:
        lines = read_lines(self.folder / "errors.jsonl")
        counted = Counter[str]()
        for line in lines:
            counted[str(line["event"])] += line.get("times", 1)
        own = sum(line.get("type") == "StuckTask" for line in lines)
        received = counted["error"] + counted["repeated"] + counted["missed"] - own
        injected = sum(line["times"] for line in self.injected())
        if received != injected:
            raise Broken(f"{injected} errors were injected, {received} are in the journal: {self._difference()}")

    # -- the end -------------------------------------------------------------------------------------------------

    def _end(self, ending: str) -> None:
        terminal = self.terminal
        processes = [terminal.program, *terminal.program.children(recursive=True)]
        terminal.resize(24, 80)
        if ending == "q":
            self._go_to_list()
            terminal.send(b"q")
        elif ending == "SystemExit":
            terminal.send(b"\x06X")
        else:
            terminal.program.send_signal(signal.Signals[ending])
        terminal.wait(lambda: terminal.exit_code is not None, f"the end by {ending}", EXIT_S)
        expected = {"q": 0, "SystemExit": EXIT_CODE}.get(ending)
        expected = 128 + signal.Signals[ending] if expected is None else expected
        if terminal.exit_code != expected:
            raise Broken(f"exit code {terminal.exit_code} after {ending}; expected {expected}")
        terminal.wait(lambda: not any(map(_is_alive, processes)), "the end of every process", 5.0)
        terminal.wait(lambda: terminal.modes == terminal.modes_before, "the terminal's attributes", 2.0)
        left = {mode: to for mode, to in terminal.mode_settings().items() if to != _MODES[mode]}
        if left:
            raise Broken(f"modes of the terminal left on: {left}")
        after = bytes(terminal.written).rpartition(b"\x1b[?1049l")[2].decode("utf-8", "replace")
        complaints = [complaint for complaint in _COMPLAINTS if complaint.encode() in terminal.written]
        if complaints:
            raise Broken(f"on the terminal: {complaints}\n{after[-3000:]}")
        if ending != "SIGKILL":
            self._check_whole_journal()

    def _go_to_list(self) -> None:
        for _ in range(30):
            state = self.ping()
            if state["notice"]:
                self.terminal.send(b"r")
            elif state["dialogs"]:
                self.terminal.send(b"\x1b")
                self.terminal.read(0.15)
            else:
                return self.terminal.send(b"\x1bOQ")
        raise Broken("Escape does not close the dialogs")


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


# -- lives ---------------------------------------------------------------------------------------------------------


def play(seed: int, count: int, figures: Figures, only: Collection[int] | None = None) -> str | None:
    """Play the life of `seed`, of its actions only those with the numbers in `only`; what broke, or None."""
    actions = actions_of(seed, count)
    chosen = [action for number, action in enumerate(actions) if only is None or number in only]
    slowest_s = figures.slowest_answer_s
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        life = Life(Path(folder), figures)
        try:
            life.play(chosen, ENDINGS[seed % len(ENDINGS)])
        except Broken as broken:
            return f"{broken}\n{life.terminal.text}"
    if figures.slowest_answer_s > slowest_s:
        figures.slowest_seed = seed
    return None


def shrink(seed: int, count: int, broken: str, seconds: float) -> list[int]:
    """Fewer of the actions of `seed` that still break the same, looked for at most for `seconds`: halves, quarters"""
    deadline = time.monotonic() + seconds
    kept = list(range(len(actions_of(seed, count))))
    size = len(kept) // 2
    while size:
        start = 0
        while start < len(kept):
            if time.monotonic() > deadline:
                return kept
            fewer = kept[:start] + kept[start + size :]
            if _kind(play(seed, count, Figures(), fewer)) == _kind(broken):
                kept = fewer
            else:
                start += size
        size //= 2
    return kept


def _kind(broken: str | None) -> str | None:
    """What broke, without the figures of this time."""
    return re.sub(r"\d+", "", re.split("[:\n]", broken)[0]) if broken is not None else None


def report(seed: int, count: int, broken: str, only: Collection[int] | None = None) -> str:
    """What broke, what was done for it, and the command that does it again."""
    steps = [
        f"  {number}: {action}" for number, action in enumerate(actions_of(seed, count)) if only and number in only
    ]
    command = f"python -m tests.terminal.chaos_run --seed {seed} --actions {count}"
    if only is not None:
        command += f" --only {','.join(map(str, sorted(only)))}"
    return "\n".join([f"seed {seed}: {broken}", *steps, command])


def main() -> int:
    """Play lives until the time is over; the exit code tells whether one broke."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=0.0, help="go on with the next seeds for so long")
    parser.add_argument("--actions", type=int, default=150, help="how many of them make a life")
    parser.add_argument("--only", type=lambda text: {int(number) for number in text.split(",")}, default=None)
    parser.add_argument("--shrink", type=float, default=120.0, metavar="S", help="how long to make a failure shorter")
    arguments = parser.parse_args()
    figures, began_s, seed, failures = Figures(), time.monotonic(), arguments.seed, 0
    while True:
        broken = play(seed, arguments.actions, figures, arguments.only)
        if broken is not None:
            failures += 1
            only = arguments.only or shrink(seed, arguments.actions, broken, arguments.shrink)
            print(report(seed, arguments.actions, broken, only), flush=True)  # noqa: T201 - a command's output
        seed += 1
        if time.monotonic() - began_s >= arguments.seconds or arguments.only is not None:
            break
    seconds = time.monotonic() - began_s
    print(f"{failures} of {seed - arguments.seed} lives broke in {seconds:.0f} s; {figures}")  # noqa: T201
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
