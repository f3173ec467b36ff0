"""From a key to the frame that shows it, on a terminal, while a plate runs on all workers of the same machine.

The workbench and a list on prompt_toolkit alone have a pseudo-terminal each; they are pressed in turn, so that a busy
moment of the machine hits both. A key counts as painted when the terminal shows the selection on the next row.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pty
import random
import select
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Sequence
from pathlib import Path

import pyte

from openhcs.core import paths
from openhcs.core.demo_plate import make_demo_plate

REPOSITORY = Path(__file__).parents[1]
COLUMNS, ROWS = 100, 30
PATIENCE_S = 60.0

BARE = """
from prompt_toolkit.application import Application
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.layout import Layout
from prompt_toolkit.layout.containers import Window
from prompt_toolkit.layout.controls import FormattedTextControl

keys, at = KeyBindings(), 0

@keys.add("j")
def down(event):
    global at
    at += 1

@keys.add("k")
def up(event):
    global at
    at -= 1

def draw():
    return [("reverse" if row == at else "", f"{'>' if row == at else ' '} row {row}\\n") for row in range(24)]

Application(Layout(Window(FormattedTextControl(draw, focusable=True))), full_screen=True, key_bindings=keys).run()
"""


class Terminal:
    """A program on a pseudo-terminal, and what its screen shows."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self.fd, child_side = pty.openpty()
        fcntl.ioctl(child_side, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
        self.process = subprocess.Popen(
            command, stdin=child_side, stdout=child_side, stderr=child_side, env=environment, cwd=folder,
            start_new_session=True,
        )  # fmt: skip
        os.close(child_side)
        self._screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self._screen)

    @property
    def text(self) -> str:
        return "\n".join(self._screen.display)

    @property
    def selected(self) -> int:
        """The lowest row of the screen that is marked as selected."""
        return max((y for y, line in enumerate(self._screen.display) if "> " in line[:4]), default=-1)

    def read(self, timeout_s: float) -> bool:
        """Take what has been written; False where nothing was, in that time."""
        if not select.select([self.fd], [], [], timeout_s)[0]:
            return False
        self._stream.feed(os.read(self.fd, 65536))
        return True

    def wait_for(self, text: str) -> None:
        end_s = time.monotonic() + PATIENCE_S
        while text not in self.text:
            self.read(0.1)
            if time.monotonic() > end_s:
                raise SystemExit(f"waited in vain for {text!r}:\n{self.text}")

    def press(self, key: str) -> float:
        """Seconds from a key that moves the selection to the frame that shows it."""
        while self.read(0):
            pass
        before, began_s = self.selected, time.perf_counter()
        os.write(self.fd, key.encode())
        while self.selected == before:
            self.read(1.0)
            if time.perf_counter() - began_s > PATIENCE_S:
                raise SystemExit(f"the selection does not move:\n{self.text}")
        return time.perf_counter() - began_s

    def close(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        os.close(self.fd)


def measure(terminals: dict[str, Terminal], keys: int, chance: random.Random) -> dict[str, list[float]]:
    """Press every terminal in turn, at the pace of somebody who types fast."""
    taken: dict[str, list[float]] = {name: [] for name in terminals}
    for number in range(keys):
        for name, terminal in terminals.items():
            taken[name].append(terminal.press("jk"[number % 2]))
            time.sleep(chance.uniform(0.01, 0.06))
    return taken


def tell(title: str, taken: dict[str, list[float]]) -> None:
    print(title)
    for name, seconds in taken.items():
        cuts = statistics.quantiles(seconds, n=100)
        print(
            f"  {name:24} p50 {cuts[49] * 1e3:6.1f} ms   p99 {cuts[98] * 1e3:6.1f} ms   "
            f"most {max(seconds) * 1e3:6.1f} ms   of {len(seconds)} keys"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--keys", type=int, default=200, help="keys pressed in each (default 200)")
    keys, chance = parser.parse_args().keys, random.Random(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ[paths.HOME_VARIABLE] = name
        wells = tuple(f"{row}{column:02}" for row in "ABCDEFGH" for column in range(1, 13))
        print("making a plate of 96 wells", flush=True)
        plate = make_demo_plate(folder / "plate", wells=wells, size_px=256).folder
        terminals = {
            "prompt_toolkit alone": Terminal([sys.executable, "-c", BARE], folder),
            "the workbench": Terminal([sys.executable, "-m", "openhcs", "tui", str(plate), "-p", "nuclei"], folder),
        }
        workbench = terminals["the workbench"]
        try:
            terminals["prompt_toolkit alone"].wait_for("row 23")
            workbench.wait_for("not initialised")
            os.write(workbench.fd, b"i")
            workbench.wait_for("images in 96 wells")
            os.write(workbench.fd, b"\t")
            workbench.wait_for("═ Wells of ")
            tell("at rest", measure(terminals, keys, chance))
            os.write(workbench.fd, b"r")
            workbench.wait_for("so far")
            tell("while the plate runs", measure(terminals, keys, chance))
            print("  the run went on" if "so far" in workbench.text else "  the run had ended before the last key")
            os.write(workbench.fd, b"x")
        finally:
            for terminal in terminals.values():
                terminal.close()


if __name__ == "__main__":
    main()
