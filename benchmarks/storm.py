"""Ten thousand background failures in one second, with an application on the screen.

The measure is "log-once": a done-callback on each task that logs the first failure of a kind and counts the rest. The
core enters every failure in its ledger, shows one dialog and keeps the loop free. Told are CPU, the peak of memory
above the start, the lag of a 5 ms heartbeat, and how long the program stays busy after the last failure. Each run is a
process of its own; the subjects take turns.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import io
import json
import logging
import statistics
import subprocess
import sys
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from prompt_toolkit.application import create_app_session
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.layout.containers import FloatContainer, Window
from prompt_toolkit.layout.controls import FormattedTextControl
from prompt_toolkit.output.vt100 import Vt100_Output

from openhcs.tui.utils.application import GuardedApplication, GuardedLayout
from openhcs.tui.utils.dialog_host import FloatDialogHost
from openhcs.tui.utils.error_journal import ErrorJournal
from openhcs.tui.utils.focus_manager import FocusManager
from openhcs.tui.utils.safe_error_handler import SafeErrorHandler
from openhcs.tui.utils.unified_task_manager import UnifiedTaskManager

FAILURES = 10_000
STORM_S = 1.0
BATCH_S = 0.01
HEARTBEAT_S = 0.005

Spawn = Callable[[Any, str], object]


async def failing(number: int) -> None:
    await asyncio.sleep(0)
    raise ValueError(f"failure {number}")


async def storm(spawn: Spawn) -> None:
    """Start the failures evenly over `STORM_S`."""
    began = time.perf_counter()
    started = 0
    while started < FAILURES:
        due = min(FAILURES, int((time.perf_counter() - began) / STORM_S * FAILURES) + 1)
        for number in range(started, due):
            spawn(failing(number), f"failing {number}")
        started = due
        await asyncio.sleep(BATCH_S)


async def heartbeat(lags_s: list[float]) -> None:
    while True:
        due = time.perf_counter() + HEARTBEAT_S
        await asyncio.sleep(HEARTBEAT_S)
        lags_s.append(time.perf_counter() - due)


def log_once(folder: Path) -> tuple[Spawn, Callable[[], dict[str, Any]], Any]:
    seen: Counter[tuple[type, int]] = Counter()
    tasks: set[asyncio.Task[None]] = set()
    logger = logging.getLogger("log once")

    def done(task: asyncio.Task[None]) -> None:
        tasks.discard(task)
        error = task.exception()
        if error is not None and error.__traceback__ is not None:
            kind = (type(error), error.__traceback__.tb_lineno)
            seen[kind] += 1
            if seen[kind] == 1:
                logger.error("task failed", exc_info=error)

    def spawn(coro: Any, name: str) -> None:
        task = asyncio.get_running_loop().create_task(coro, name=name)
        tasks.add(task)
        task.add_done_callback(done)

    return spawn, lambda: {"counted": sum(seen.values())}, None


def core(folder: Path) -> tuple[Spawn, Callable[[], dict[str, Any]], Any]:
    tasks = UnifiedTaskManager(max_tasks=FAILURES)
    handler = SafeErrorHandler(ErrorJournal(folder / "errors.jsonl"), tasks=tasks, screen_is_live=lambda: True)
    tasks.set_error_handler(handler.handle_error_sync)

    def told() -> dict[str, Any]:
        ledger = handler.journal.ledger
        return {"counted": ledger.received, "balances": ledger.balances}

    return tasks.fire_and_forget, told, handler


SUBJECTS = {"log once": log_once, "the core": core}


async def measure(subject: str, folder: Path) -> dict[str, Any]:
    logging.basicConfig(filename=folder / "log")
    root = FloatContainer(Window(FormattedTextControl("a screen\n" * 20)), floats=[])
    spawn, told, handler = SUBJECTS[subject](folder)
    screen = Vt100_Output(io.StringIO(), lambda: Size(rows=40, columns=120), term="xterm")
    with create_pipe_input() as keys, create_app_session(input=keys, output=screen):
        app: GuardedApplication[None] = GuardedApplication(
            GuardedLayout(root), on_error=lambda error, context: None, full_screen=True
        )
        host = FloatDialogHost(root, FocusManager(app))
        if handler is not None:
            handler.app_state = host
        running = asyncio.get_running_loop().create_task(app.run_async())
        lags_s: list[float] = []
        beating = asyncio.get_running_loop().create_task(heartbeat(lags_s))
        await asyncio.sleep(0.3)
        lags_s.clear()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        await storm(spawn)
        peak = tracemalloc.get_traced_memory()[1] - before
        tracemalloc.stop()
        lags_s.clear()
        # Each begins with nothing to collect: whether a full collection falls into the second is chance, and 15 ms.
        gc.collect()
        cpu_s = time.process_time()
        await storm(spawn)
        cpu_s = time.process_time() - cpu_s
        storm_lags_s = sorted(lags_s)
        last = time.perf_counter()
        quiet_s = 0.0
        while time.perf_counter() - last < 1.0:
            spent = time.process_time()
            await asyncio.sleep(0.02)
            if time.process_time() - spent > 0.01:
                quiet_s = time.perf_counter() - last
        dialogs = host.depth
        beating.cancel()
        app.exit()
        await asyncio.wait((running, beating))
    return {
        "cpu_s": cpu_s,
        "peak_mb": peak / 1e6,
        "lag_p99_ms": storm_lags_s[int(len(storm_lags_s) * 0.99)] * 1e3,
        "quiet_s": quiet_s,
        "dialogs": dialogs,
        **told(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--subject", choices=SUBJECTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.subject:
        with TemporaryDirectory() as folder:
            print(json.dumps(asyncio.run(measure(options.subject, Path(folder)))))
        return
    taken: dict[str, list[dict[str, Any]]] = {name: [] for name in SUBJECTS}
    for _ in range(options.rounds):
        for name in SUBJECTS:
            run = [sys.executable, __file__, "--subject", name]
            taken[name].append(json.loads(subprocess.run(run, check=True, capture_output=True, text=True).stdout))
    print(
        f"two storms of {FAILURES:,} failures in {STORM_S:g} s each; the first measured for memory, the second for time"
    )
    for name, runs in taken.items():
        medians = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        print(f"  {name:12}", "  ".join(f"{key} {value:.3g}" for key, value in medians.items()))
    ratio = statistics.median(r["cpu_s"] for r in taken["the core"]) / statistics.median(
        r["cpu_s"] for r in taken["log once"]
    )
    print(f"  CPU of the core: {ratio:.2f} x log once")


if __name__ == "__main__":
    main()
