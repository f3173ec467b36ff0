"""What strict mode costs, part by part: short tasks, failing and cancelled tasks, and keys with a frame each.

The measure is the same work without it. Run it with `python benchmarks/strict.py --rounds 15`, on Python 3.12 or later
for the watch over swallowed cancellations.
"""

from __future__ import annotations

import argparse
import asyncio
import faulthandler
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from _side_by_side import compare, print_ratios
from prompt_toolkit.application import create_app_session
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.layout.containers import Window
from prompt_toolkit.layout.controls import FormattedTextControl
from prompt_toolkit.output.vt100 import Vt100_Output

from openhcs.tui.utils.program import Program
from openhcs.tui.utils.strict import Strict, strict_mode
from openhcs.tui.utils.swallowed_cancel import CancelWatch, can_watch_cancels
from openhcs.tui.utils.unified_task_manager import UnifiedTaskManager

Mode = Callable[[UnifiedTaskManager], AbstractContextManager[object]]

TASKS = 20_000
KEYS = 150


def ignore(error: BaseException, context: str) -> None:
    return


@contextmanager
def origins(tasks: UnifiedTaskManager) -> Iterator[None]:
    before = sys.get_coroutine_origin_tracking_depth()
    sys.set_coroutine_origin_tracking_depth(1)
    try:
        yield
    finally:
        sys.set_coroutine_origin_tracking_depth(before)


@contextmanager
def watch(tasks: UnifiedTaskManager) -> Iterator[None]:
    watching = CancelWatch(ignore)
    watching.start()
    try:
        yield
    finally:
        watching.stop()


@contextmanager
def faults(tasks: UnifiedTaskManager) -> Iterator[None]:
    faulthandler.enable()
    try:
        yield
    finally:
        faulthandler.disable()


def strictly(full: bool) -> Mode:
    return lambda tasks: strict_mode(ignore, Strict(full=full), tasks=tasks)


MODES: dict[str, Mode] = {
    "not strict": lambda tasks: nullcontext(),
    "faulthandler": faults,
    "origin of coroutines": origins,
    "creator of each task": lambda tasks: tasks.creators_recorded(),
    **({"swallowed cancellations": watch} if can_watch_cancels() else {}),
    "--strict": strictly(full=False),
    "--strict=full": strictly(full=True),
}


async def brief() -> None:
    await asyncio.sleep(0)


async def meets_exceptions() -> None:
    for _ in range(10):
        try:
            raise KeyError
        except KeyError:
            pass
    await asyncio.sleep(0)


async def cleans_up() -> None:
    try:
        await asyncio.sleep(1000)
    finally:
        await asyncio.sleep(0)


def tasks_run(mode: Mode, body: Callable[[], object], count: int, *, cancel: bool = False) -> None:
    """Start `count` managed tasks, a thousand alive at a time, and see them end."""

    async def run() -> None:
        manager = UnifiedTaskManager()
        with mode(manager):
            for _ in range(count // 1000):
                started = [manager.create_task(body()) for _ in range(1000)]  # type: ignore[arg-type]
                await asyncio.sleep(0)
                if cancel:
                    for task in started:
                        task.cancel()
                while manager.active_task_count:
                    await asyncio.sleep(0)

    asyncio.run(run())


class Sink:
    """A terminal that takes everything."""

    encoding = "utf-8"

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        return

    def fileno(self) -> int:
        return -1

    def isatty(self) -> bool:
        return True


def keys_run(mode: Mode) -> None:
    """Press `KEYS` keys, each of which changes every line of the screen."""
    pressed = 0
    program = Program()

    def text() -> str:
        return "\n".join(f"{pressed} {'x' * 70}" for _ in range(24))

    async def press() -> None:
        nonlocal pressed
        assert program.app is not None
        with mode(program.tasks):
            for _ in range(KEYS):
                pressed += 1
                keys.send_text("j")
                frame = program.app.render_counter
                program.invalidate()
                while program.app.render_counter == frame:
                    await asyncio.sleep(0)
        program.exit()

    output = Vt100_Output(Sink(), lambda: Size(rows=24, columns=80))  # type: ignore[arg-type]
    with create_pipe_input() as keys, create_app_session(input=keys, output=output):
        asyncio.run(
            program.run_async(Window(FormattedTextControl(text, focusable=True)), start=press, min_redraw_interval=None)
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=9, help="interleaved rounds (default 9)")
    rounds = parser.parse_args().rounds
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # debug mode tells of every long turn of the loop

    def measure(title: str, run: Callable[[Mode], None], unit: str, each: int, scale: float) -> None:
        subjects = {name: (lambda mode=mode: run(mode)) for name, mode in MODES.items()}
        taken = {name: seconds / each for name, seconds in compare(subjects, rounds).items()}
        print_ratios(title, taken, unit, scale)

    measure("a short managed task, CPU", lambda mode: tasks_run(mode, brief, TASKS), "µs", TASKS, 1e6)
    few = TASKS // 4
    measure(
        "a task that meets ten exceptions, CPU", lambda mode: tasks_run(mode, meets_exceptions, few), "µs", few, 1e6
    )
    measure(
        "a cancelled task that cleans up, CPU",
        lambda mode: tasks_run(mode, cleans_up, few, cancel=True),
        "µs",
        few,
        1e6,
    )
    measure("a key and its frame, CPU", keys_run, "ms", KEYS, 1e3)


if __name__ == "__main__":
    main()
