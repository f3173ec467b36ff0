"""The start of the workbench, and of the smallest application on its core, against one on prompt_toolkit alone.

Each sample is a fresh interpreter with byte code at hand, on a pseudo-terminal of its own. A sample tells the CPU time
of the process, of all its threads, and the time on the clock from its first own import until everything is imported
and until the first frame is painted; and its peak of memory then. The workbench is the whole command `openhcs tui`,
reading its arguments included. The subjects take turns, so that a busy moment of the machine hits all; medians are
compared. Run it with `make bench`, or `python benchmarks/startup.py --samples 40`.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import pty
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).parents[1]

BARE = """
import asyncio, threading
from prompt_toolkit.application import Application
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.layout import Layout
from prompt_toolkit.layout.containers import Window
from prompt_toolkit.layout.controls import FormattedTextControl

keys = KeyBindings()
for key in "kthcsd7bq":
    keys.add(key)(lambda event: event.app.exit())

def draw():
    return "k key  t task  h thread  c callback  s storm  d drawing (7 mends)  b block  q quit"

imported()
window = Window(FormattedTextControl(draw, focusable=True))
Application(
    Layout(window), full_screen=True, mouse_support=True, key_bindings=keys, after_render=painted
).run()
"""

CORE = """
from smallest_app import ErrorBoundary, FormattedTextControl, Window, draw, keys, program

imported()
window = Window(FormattedTextControl(draw, focusable=True))
body = ErrorBoundary(lambda: window, "pane", program.errors.handle_error_sync)
program.show(body, key_bindings=keys, after_render=painted)
"""

WORKBENCH = """
from openhcs.__main__ import main
from openhcs.tui.layout.simple_launcher import SimpleOpenHCSTUILauncher
from openhcs.tui.utils.program import Program

imported()
run_async = Program.run_async
Program.run_async = lambda self, body, **options: run_async(self, body, **options, after_render=painted)
sys.argv = ["openhcs", "tui"]
main()
"""

PROBE = """
import resource, sys, time
report_file = sys.argv[1]
def imported():
    global at_import
    at_import = time.process_time() - cpu, time.perf_counter() - clock
def painted(app):
    if app.is_done:
        return
    figures = *at_import, time.process_time() - cpu, time.perf_counter() - clock
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    with open(report_file, "w") as report:
        print(*figures, peak, file=report)
    app.exit(result=0)
cpu, clock = time.process_time(), time.perf_counter()
"""


class Sample(NamedTuple):
    """One start: seconds of CPU and on the clock until all is imported and until the first frame, and MiB."""

    import_cpu: float
    import_clock: float
    frame_cpu: float
    frame_clock: float
    mebibytes: float


TITLES = Sample("import, CPU", "import, clock", "first frame, CPU", "first frame, clock", "peak memory")  # type: ignore[arg-type]


def measure(program: str, byte_code: str) -> Sample:
    """Run `program` until its first frame in a fresh interpreter on a terminal of 100 x 24."""
    terminal, child_side = pty.openpty()
    fcntl.ioctl(child_side, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join((str(REPOSITORY), str(REPOSITORY / "examples"))),
        "PYTHONPYCACHEPREFIX": byte_code,
        "TERM": "xterm-256color",
        "OPENHCS_HOME": str(Path(byte_code, "home")),
    }
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    report = Path(byte_code, "report")
    command = [sys.executable, "-c", PROBE + program, str(report)]
    with subprocess.Popen(command, stdin=child_side, stdout=child_side, stderr=subprocess.PIPE, env=environment) as run:
        os.close(child_side)
        while run.poll() is None:
            # Whatever is written is taken, so that nobody waits for the terminal.
            if select.select([terminal], [], [], 0.01)[0]:
                with contextlib.suppress(OSError):  # Linux says so when the program has left the terminal
                    os.read(terminal, 65536)
        os.close(terminal)
        if run.returncode:
            raise SystemExit(run.stderr.read().decode() if run.stderr else "")
    figures = report.read_text().split()
    report.unlink()
    return Sample(*map(float, figures))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--samples", type=int, default=15, help="interpreters started for each subject (default 15)")
    samples = parser.parse_args().samples

    subjects = {"prompt_toolkit alone": BARE, "on the core": CORE, "the workbench": WORKBENCH}
    taken: dict[str, list[Sample]] = {name: [] for name in subjects}
    with tempfile.TemporaryDirectory() as byte_code:
        for program in subjects.values():
            measure(program, byte_code)  # the first import writes byte code; it is not the cost of a start
        for number in range(samples):
            for name in list(subjects)[:: 1 if number % 2 else -1]:
                taken[name].append(measure(subjects[name], byte_code))

    print(f"{'':24}{'alone':>12}{'core':>12}{'ratio':>8}{'workbench':>12}{'ratio':>8}")
    for at, title in enumerate(TITLES):
        alone, core, whole = (statistics.median(sample[at] for sample in runs) for runs in taken.values())
        scale, unit = (1, "MiB") if title == TITLES.mebibytes else (1000, "ms")
        figures = [f"{value * scale:8.1f} {unit:3}" for value in (alone, core, whole)]
        print(f"{title:24}{figures[0]}{figures[1]}{core / alone:8.2f}{figures[2]}{whole / alone:8.2f}")


if __name__ == "__main__":
    main()
