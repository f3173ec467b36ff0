"""Takes the pictures of docs/images: runs the program in a real pseudo-terminal, presses keys, draws the screen.

A picture is what a user sees, so it cannot drift from the program: `make screenshots` takes them all anew. A scenario
is a list of `Shot`s. Another program can be pictured too:

    python scripts/screenshots.py --command "openhcs doctor" --wait-for "problems" --picture doctor
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pexpect
import pyte
from terminal_svg import to_svg

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
PROGRAM = Path(sys.executable).with_name("openhcs")
QUIET_S = 0.1
"""A frame is whole when nothing follows it for this long; a running plate changes several times a second."""


class Shot(NamedTuple):
    """Press `keys`, wait until the screen shows `wait_for` (a regular expression), and draw `picture`.svg if named."""

    keys: str
    wait_for: str
    picture: str = ""


class Screen(pyte.Screen):
    """A pyte screen that knows, and passes over, the private forms of SGR that prompt_toolkit may send."""

    def select_graphic_rendition(self, *attrs: int, private: bool = False) -> None:
        if not private:
            super().select_graphic_rendition(*attrs)


class Terminal:
    """A program in a pseudo-terminal of its own, and the screen it draws."""

    def __init__(self, command: Sequence[str], columns: int, rows: int, folder: Path) -> None:
        self.screen = Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        # A home of its own: a picture must not show the files of whoever takes it.
        environment = {name: value for name, value in os.environ.items() if name not in ("TMUX", "STY", "NO_COLOR")}
        environment |= {"TERM": "xterm-256color", "COLORTERM": "truecolor", "OPENHCS_HOME": str(folder / "home")}
        self._child = pexpect.spawn(
            command[0], list(command[1:]), dimensions=(rows, columns), env=environment, cwd=str(folder)
        )

    def press(self, keys: str) -> None:
        """Type `keys` as the terminal would send them."""
        self._child.send(keys)

    def wait_for(self, pattern: str, timeout_s: float) -> None:
        """Read until a whole frame on the screen matches `pattern`.

        Raises:
            TimeoutError: It did not, or the program ended; the message holds the screen.
        """
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            moved = self._read()
            if not moved and re.search(pattern, self.text):
                return
            if not moved and not self._child.isalive():
                break
        raise TimeoutError(f"the screen never showed {pattern!r}:\n{self.text}")

    @property
    def text(self) -> str:
        """What the screen shows, without colours."""
        return "\n".join(self.screen.display)

    def close(self) -> None:
        """End the program, whatever it is doing."""
        self._child.close(force=True)

    def _read(self) -> bool:
        """Take in what the program draws next; False when it draws nothing for a while."""
        try:
            self._stream.feed(self._child.read_nonblocking(2**16, QUIET_S))
        except pexpect.TIMEOUT:
            return False
        except pexpect.EOF:
            time.sleep(QUIET_S)
            return False
        return True


ESCAPE = "\x1b"
DOWN = "\x1b[B"
DEMO = (
    Shot("", "1 of 5"),
    Shot(ESCAPE, "starts from every z plane"),
    Shot("r", "[3-5]/8", "workbench"),
    Shot("", "8 wells done"),
    Shot("o", "nuclei of each well"),
    Shot("\t", "(?s)counted of every well.*C05", "results"),
    Shot(ESCAPE, "Wells of demo-plate"),
    Shot("\tmv", "Colour the wells by"),
    Shot(f"{DOWN}\r", "objects in the well", "plate-map"),
    Shot("\r", "(?s)as acquired(?!.*reading).*▀▀▀▀"),
    Shot("b", "results  1"),
    Shot("l", "outlines: nuclei"),
    Shot("+", "site 1, 1x"),
    Shot("++", "(?s)site 1, [^1].*▀(?!.*reading)", "well"),
    Shot(ESCAPE, "site 2"),
    Shot(ESCAPE, "Wells of demo-plate"),
    Shot(f"\t{DOWN}{DOWN}\r", "Group by", "step-editor"),
)
"""What the README shows, in order. The plate is made in an empty folder first."""


def photograph(
    command: Sequence[str], shots: Sequence[Shot], folder: Path, columns: int, rows: int, timeout_s: float
) -> None:
    """Run `command` in `folder` and draw the pictures of `shots` into docs/images."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    terminal = Terminal(command, columns, rows, folder)
    try:
        for shot in shots:
            terminal.press(shot.keys)
            terminal.wait_for(shot.wait_for, timeout_s)
            if shot.picture:
                file = IMAGES / f"{shot.picture}.svg"
                file.write_text(to_svg(terminal.screen, f"{shot.picture} in a terminal"), encoding="utf-8")
                print(file.relative_to(IMAGES.parents[1]))
    finally:
        terminal.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--columns", type=int, default=110)
    parser.add_argument("--rows", type=int, default=32)
    parser.add_argument("--timeout", type=float, default=120, help="seconds to wait for each screen (default 120)")
    parser.add_argument("--command", default=f"{shlex.quote(str(PROGRAM))} demo", help="the program to picture")
    parser.add_argument("--wait-for", help="picture the screen that shows this text, in place of the whole scenario")
    parser.add_argument("--picture", default="picture", help="name of that picture's file")
    options = parser.parse_args()
    shots = (Shot("", options.wait_for, options.picture),) if options.wait_for else DEMO
    with tempfile.TemporaryDirectory(prefix="openhcs-") as folder:
        command = shlex.split(options.command)
        photograph(command, shots, Path(folder), options.columns, options.rows, options.timeout)


if __name__ == "__main__":
    main()
