"""Programs on the core in a real terminal, in their worst states, under every signal."""

from __future__ import annotations

import os
import re
import shlex
import signal
import sys
import termios
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import psutil
import pyte
import pytest

pytestmark = pytest.mark.terminal

PATIENCE_S = 60.0
SIZE = (24, 100)

_CORE = """
import asyncio, os, sys, threading, time
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.layout import Window
from prompt_toolkit.layout.controls import FormattedTextControl
from openhcs.tui.utils.program import Program

program, keys, state = Program(), KeyBindings(), {"text": "ready"}

def draw():
    if state["text"] is None: raise RuntimeError("cannot draw")
    return state["text"]

async def stubborn():
    while True:
        try: await asyncio.sleep(60)
        except asyncio.CancelledError: state["text"] = "not me"

async def asks():
    await program.errors.handle_error(ValueError("\\x1b[2J\\x1b]0;owned\\x07 an escape"), "\\x1b[31ma dialog")

@keys.add("s")
def _(event):
    for number in range(5): program.tasks.fire_and_forget(stubborn(), f"stubborn {number}")
    state["text"] = "stubborn now"; event.app.invalidate()

@keys.add("e")
def _(event): program.tasks.fire_and_forget(asks())

@keys.add("b")
def _(event):
    os.write(state["tty"], b"")
    state["text"] = "blocking"; event.app.renderer.render(event.app, event.app.layout); time.sleep(1.5)

@keys.add("t")
def _(event):
    threading.Thread(target=time.sleep, args=(600,)).start()
    state["text"] = "a thread sleeps"; event.app.invalidate()

@keys.add("d")
def _(event): state["text"] = None; event.app.invalidate()

@keys.add("x")
def _(event): program.app.exit(exception=RuntimeError("fatal"))

@keys.add("p")
def _(event): print("printed by accident"); sys.stderr.write("complained by accident\\n"); state["text"] = "printed"

@keys.add("q")
def _(event): program.exit(3)

state["tty"] = os.open(os.devnull, os.O_WRONLY)
from openhcs.tui.utils.bounded_run import exit_bounded
exit_bounded(program.show(Window(FormattedTextControl(draw, focusable=True)), key_bindings=keys))
"""

_PLAIN = """
import asyncio, os, signal, sys, threading
from prompt_toolkit.application import Application
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.layout import Float, FloatContainer, HSplit, Layout
from prompt_toolkit.widgets import TextArea
from openhcs.tui.utils.dialog_helpers import *
from openhcs.tui.utils.unified_task_manager import *

area, keys = TextArea("ready"), KeyBindings()
root = FloatContainer(HSplit([area]), floats=[])
app = Application(Layout(root, area), key_bindings=keys, full_screen=True)

class Host:
    async def show_dialog(self, dialog, result_future):
        shown = Float(dialog)
        root.floats.append(shown); app.invalidate()
        try: return await result_future
        finally: root.floats.remove(shown); app.invalidate()

async def fail(): raise ValueError("a task failed")
async def ask(): area.text = f"answered {await prompt_for_text_input('Title', 'Prompt', Host())}"

keys.add("f1")(lambda event: get_task_manager().fire_and_forget(fail(), "fails"))
keys.add("f2")(lambda event: threading.Thread(target=lambda: 1 / 0, name="a worker").start())
keys.add("f3")(lambda event: get_task_manager().fire_and_forget(ask()))
keys.add("f4")(lambda event: os.kill(os.getpid(), signal.SIGUSR1))
keys.add("f5")(lambda event: event.app.exit(result=4))
signal.signal(signal.SIGUSR1, lambda *_: show_global_error_sync(KeyError("from a signal"), "a signal handler", Host()))

async def main():
    setup_global_exception_handler(Host())
    code = await app.run_async(set_exception_handler=False)
    await shutdown_task_manager()
    return code
sys.exit(asyncio.run(main()))
"""

F1, F2, F3, F4, F5 = "\x1bOP", "\x1bOQ", "\x1bOR", "\x1bOS", "\x1b[15~"


class Terminal:
    """A shell that runs a program and then tells its exit code; what a user sees of it."""

    def __init__(self, program: str, folder: Path) -> None:
        script = folder / "program.py"
        script.write_text(textwrap.dedent(program), encoding="utf-8")
        root = str(Path(__file__).parents[4])
        self.child = pexpect.spawn(
            "bash",
            [
                "--norc",
                "-c",
                f"{shlex.quote(sys.executable)} -W error {shlex.quote(str(script))}; echo code $?; read -r",
            ],
            dimensions=SIZE,
            encoding="utf-8",
            timeout=PATIENCE_S,
            cwd=str(folder),
            env={**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "PYTHONPATH": root, "PYTHON_COLORS": "0"},
        )
        self._modes = termios.tcgetattr(self.child.child_fd)
        self._screen = pyte.Screen(SIZE[1], SIZE[0])
        self._stream = pyte.Stream(self._screen)
        self.written = ""
        self.wait_for("ready")
        self.program = psutil.Process(self.child.pid).children()[0]

    @property
    def after(self) -> str:
        """What was written since the screen was given back."""
        return self.written.rpartition("\x1b[?1049l")[2]

    @property
    def display(self) -> str:
        return "\n".join(self._screen.display)

    def wait_until(self, condition: Callable[[], object]) -> None:
        """Read until `condition` holds."""
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, self.display
            try:
                written = self.child.read_nonblocking(65536, timeout=0.1)
            except pexpect.TIMEOUT:
                continue
            self.written += written
            self._stream.feed(written)

    def wait_for(self, text: str) -> None:
        """Read until `text` is on the screen."""
        self.wait_until(lambda: text in self.display)

    def ends_with(self, *codes: int) -> None:
        """The program ends with one of `codes`, and the terminal is as it was."""
        self.wait_until(lambda: re.search(r"code \d+\r\n", self.written))
        assert any(f"code {code}\r" in self.after for code in codes), self.after
        assert "Press ENTER" not in self.written
        for mode in (1000, 1002, 1003, 1006, 2004):
            assert self.written.rfind(f"\x1b[?{mode}h") <= self.written.rfind(f"\x1b[?{mode}l"), mode
        assert self.written.rfind("\x1b[?25l") <= self.written.rfind("\x1b[?25h")
        assert termios.tcgetattr(self.child.child_fd) == self._modes


@pytest.fixture
def open_terminal(tmp_path: Path) -> Iterator[Callable[[str], Terminal]]:
    """Opens terminals, and closes them."""
    opened: list[Terminal] = []

    def open_(program: str) -> Terminal:
        opened.append(Terminal(program, tmp_path))
        return opened[-1]

    yield open_
    for terminal in opened:
        for process in psutil.Process(terminal.child.pid).children(recursive=True):
            process.kill()
        terminal.child.close(force=True)


STATES = {
    "a dialog is up": ("e", "an escape"),
    "stubborn tasks": ("s", "stubborn now"),
    "the loop is blocked": ("b", "blocking"),
    "a thread sleeps": ("t", "a thread sleeps"),
    "it cannot draw": ("d", "cannot draw"),
}


@pytest.mark.parametrize(
    ("state", "number"),
    [
        ("a dialog is up", signal.SIGTERM),
        ("stubborn tasks", signal.SIGHUP),
        ("the loop is blocked", signal.SIGTERM),
        ("a thread sleeps", signal.SIGINT),
        ("it cannot draw", signal.SIGQUIT),
    ],
)
def test_signals_in_the_worst_state(
    state: str, number: signal.Signals, open_terminal: Callable[[str], Terminal]
) -> None:
    """Whatever the program is in the middle of, a signal ends it in seconds with the shell's code."""
    terminal = open_terminal(_CORE)
    key, sign = STATES[state]
    terminal.child.send(key)
    terminal.wait_for(sign)
    began = time.monotonic()
    terminal.program.send_signal(number)
    terminal.ends_with(128 + number)
    assert time.monotonic() - began < 15


def test_a_storm_of_signals(open_terminal: Callable[[str], Terminal]) -> None:
    """Resizes, continues and ends in a row end the program once, by one of them."""
    terminal = open_terminal(_CORE)
    terminal.child.send("es")
    terminal.wait_for("an escape")
    for number in (signal.SIGWINCH, signal.SIGCONT, signal.SIGWINCH, signal.SIGTERM, signal.SIGTERM, signal.SIGINT):
        terminal.program.send_signal(number)
    terminal.ends_with(128 + signal.SIGTERM, 128 + signal.SIGINT)


def test_escapes_and_prints(open_terminal: Callable[[str], Terminal]) -> None:
    """Escape sequences in an error are shown and not executed; prints do not end the program, which leaves by key."""
    terminal = open_terminal(_CORE)
    terminal.child.send("e")
    terminal.wait_for("an escape")
    assert "owned\x07" not in terminal.written
    assert "\x1b]0;owned" not in terminal.written
    terminal.child.send("q")
    terminal.wait_until(lambda: "an escape" not in terminal.display)
    terminal.child.send("p")
    terminal.wait_for("printed")
    terminal.child.send("q")
    terminal.ends_with(3)


def test_a_fatal_error(open_terminal: Callable[[str], Terminal]) -> None:
    """An exception that ends the application is on stderr with its traceback after the screen is given back, code 1."""
    terminal = open_terminal(_CORE)
    terminal.child.send("x")
    terminal.ends_with(1)
    assert "RuntimeError: fatal" in terminal.after
    assert "Traceback" in terminal.after


def test_a_plain_application(open_terminal: Callable[[str], Terminal]) -> None:
    """An application of prompt_toolkit's own shows errors of tasks, threads and signals in one dialog, and prompts."""
    terminal = open_terminal(_PLAIN)
    terminal.child.send(F1)
    terminal.wait_for("a task failed")
    terminal.child.send(F2)
    terminal.wait_for("1 of 2")
    terminal.child.send(F4)
    terminal.wait_for("1 of 3")
    terminal.child.send("nn")
    terminal.wait_for("from a signal")
    terminal.child.send("q")
    terminal.wait_until(lambda: "from a signal" not in terminal.display)
    terminal.child.send(F3)
    terminal.wait_for("Prompt")
    terminal.child.send("typed\r")
    terminal.wait_for("answered typed")
    assert "Traceback" not in terminal.display
    terminal.child.send(F5)
    terminal.ends_with(4)
