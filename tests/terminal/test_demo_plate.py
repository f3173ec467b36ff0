"""The program in a real pseudo-terminal: `openhcs demo`, from the command to results by keys, and back to the shell."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pexpect
import pyte
import pytest

pytestmark = pytest.mark.terminal

PATIENCE_S = 120.0
COLUMNS, ROWS = 80, 24


class Terminal:
    """A shell in a pseudo-terminal, with `more` in its environment, and what its screen shows."""

    def __init__(self, folder: Path, *, size: tuple[int, int] = (COLUMNS, ROWS), **more: str) -> None:
        environment = {
            **os.environ,
            "TERM": "xterm-256color",
            "PS1": "$ ",
            "LC_ALL": "C.UTF-8",
            "OPENHCS_HOME": str(folder / "home"),
            **more,
        }
        columns, rows = size
        self._child = pexpect.spawn(
            "sh",
            ["-i"],
            cwd=str(folder),
            env=environment,
            dimensions=(rows, columns),
            encoding="utf-8",
            codec_errors="replace",
        )
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.Stream(self._screen)
        self.written = ""

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self._screen.display)

    def send(self, keys: str) -> None:
        self._child.send(keys)

    def send_bytes(self, data: bytes) -> None:
        """What a terminal sends that is in another encoding."""
        os.write(self._child.child_fd, data)

    def wait_for(self, *texts: str) -> None:
        """Read until one of `texts` is on the screen."""
        self._read_until(lambda shown: any(text in shown for text in texts), f"{texts}")

    def wait_for_shell(self) -> None:
        """Read until the screen ends with the shell's prompt."""
        self._read_until(lambda shown: shown.rstrip().endswith("$"), "the shell")

    def _read_until(self, condition: Callable[[str], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition(self.text):
            assert time.monotonic() < deadline, f"waited in vain for {what}; the screen:\n{self.text}"
            try:
                written = self._child.read_nonblocking(65536, timeout=1)
            except pexpect.TIMEOUT:
                continue
            self.written += written
            self._stream.feed(written)

    def resize(self, columns: int, rows: int) -> None:
        """Give the terminal another size; the program hears of it by a signal."""
        self._screen.resize(rows, columns)
        self._child.setwinsize(rows, columns)

    def close(self) -> None:
        self._child.close(force=True)


def test_the_demo_goes_from_the_command_to_results_and_gives_the_terminal_back(tmp_path: Path) -> None:
    """`openhcs demo` opens on the plate; `i`, `c`, `r` bring it to results; `q` leaves the shell as it was."""
    program = shlex.join([sys.executable, "-m", "openhcs", "demo", "--folder", "plate"])
    terminal = Terminal(tmp_path)
    try:
        terminal.wait_for("$")
        terminal.send(f"{program}; echo code=$?; stty -a; echo the e''nd\n")
        terminal.wait_for("not initialised")
        terminal.wait_for("Pipeline nuclei")
        assert "\x1b[?1049h" in terminal.written
        terminal.send("i")
        terminal.wait_for("> - ")
        terminal.send("c")
        terminal.wait_for("> o ")
        terminal.send("r")
        terminal.wait_for("> ! ")
        terminal.wait_for("8 wells done", "failed")
        assert "> ✓ " in terminal.text
        assert "8 wells done" in terminal.text
        terminal.send("q")
        terminal.wait_for("the end")
        assert "code=0" in terminal.written
        after = terminal.written.rpartition("\x1b[?1049l")[2]
        assert "code=0" in after
        flags = after.split()
        assert {"echo", "icanon", "isig"} <= {flag.rstrip(";") for flag in flags}
        for mode in ("1000", "1003", "1006", "2004"):
            assert terminal.written.rfind(f"\x1b[?{mode}l") > terminal.written.rfind(f"\x1b[?{mode}h")
        assert terminal.written.rfind("\x1b[?25h") > terminal.written.rfind("\x1b[?25l")
    finally:
        terminal.close()
    results = tmp_path / "openhcs-results"
    assert any(results.rglob("*.parquet"))
