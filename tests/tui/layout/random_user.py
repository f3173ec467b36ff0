"""Somebody who presses and clicks anything: random keys, clicks and sizes on the whole workbench, by a seed.

An action a second is busy use, so 3,600 actions stand for an hour. Run as a program it is a soak: it tells what memory
and objects do over the hours, and ends with 1 where an error was reported or where memory went on growing.

    python -m tests.tui.layout.random_user --hours 8
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from openhcs.core import paths
from openhcs.core.demo_plate import make_demo_plate
from openhcs.core.pipeline_file import shipped_pipelines
from openhcs.testing.driver import WorkbenchDriver, workbench

__all__ = ["Look", "use"]

ACTIONS_AN_HOUR = 3600
LOOKS_AN_HOUR = 12
SIZES = ((80, 24), (100, 30), (160, 48), (61, 17), (40, 10))
MIB_AN_HOUR = 1.0
"""What memory may grow by once all has been used; a dialog that leaks costs some 50."""

_LETTERS = tuple("aicdunlsSKJyRtPmvzTE,?jk *+-[]1234/")
"""Not those that leave, start a run of minutes, stop the process, or open an editor, which needs a real terminal."""
_KEYS = (
    "up", "down", "left", "right", "pageup", "pagedown", "home", "end", "tab", "s-tab", "enter", "escape", "backspace",
    "delete", "f1", "f2", "f6", "f10", "f12", "c-p", "c-r", "c-n", "c-s", "c-l", "escape f", "escape p", "escape h",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Look:
    """What the process held after a number of actions."""

    actions: int
    mib: float
    objects: int
    tasks: int
    threads: int
    dialogs: int


@dataclass(slots=True)
class _Use:
    wb: WorkbenchDriver
    chance: random.Random
    done: list[str] = field(default_factory=list)

    async def act(self) -> None:
        wb, kind = self.wb, self.chance.random()
        columns, rows = len(wb.screen()[0]) or 80, len(wb.screen())
        if kind < 0.08:
            # Whoever is lost presses Escape; without it, use would stay in the first dialog.
            self.done.append("escape x 4")
            await wb.press("escape", "escape", "escape", "escape")
        elif kind < 0.5:
            key = self.chance.choice(_KEYS)
            self.done.append(key)
            await wb.press(key)
        elif kind < 0.8:
            key = self.chance.choice(_LETTERS)
            self.done.append(key)
            await wb.type(key)
        elif kind < 0.98:
            x, y = self.chance.randrange(max(columns, 80)), self.chance.randrange(rows)
            self.done.append(f"click {x},{y}")
            await wb.click(x, y, times=self.chance.choice((1, 1, 2)))
        else:
            size = self.chance.choice(SIZES)
            self.done.append(f"size {size[0]}x{size[1]}")
            await wb.resize(*size)


async def use(
    wb: WorkbenchDriver, seed: int, actions: int, look_every: int, tell: Callable[[Look], None] = lambda _: None
) -> list[Look]:
    """Do `actions` random things to the workbench; what it held, every so often with all dialogs closed.

    Raises AssertionError, with the last actions, where a key was not answered.
    """
    user, looks = _Use(wb, random.Random(seed)), list[Look]()
    app = wb.launcher.program.app
    assert app is not None
    app.ttimeoutlen = app.timeoutlen = 0.01  # a lone Escape need not wait for a slow link here
    for number in range(1, actions + 1):
        try:
            await user.act()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}, behind {user.done[-12:]}: {error}") from error
        if wb.launcher.program.app is None or wb.launcher.program.app.is_done:
            raise AssertionError(f"seed {seed}: the workbench was left behind {user.done[-12:]}")
        if number % look_every == 0:
            await _leave_dialogs(wb)
            looks.append(_look(wb, number))
            tell(looks[-1])
    return looks


async def _leave_dialogs(wb: WorkbenchDriver) -> None:
    dialogs = wb.launcher.program.dialogs
    assert dialogs is not None
    await wb.resize(100, 30)
    for _ in range(30):
        if dialogs.depth == 0:
            break
        await wb.press("escape")
    await wb.press("escape", "escape")
    await wb.wait_idle()


def _look(wb: WorkbenchDriver, actions: int) -> Look:
    wb.forget_written()
    gc.collect()
    dialogs = wb.launcher.program.dialogs
    return Look(
        actions,
        psutil.Process().memory_info().rss / 2**20,
        len(gc.get_objects()),
        wb.launcher.program.tasks.active_task_count,
        threading.active_count(),
        dialogs.depth if dialogs is not None else 0,
    )


def _tell(look: Look) -> None:
    hours = look.actions / ACTIONS_AN_HOUR
    print(  # noqa: T201 - a command's output
        f"{hours:6.2f} h {look.mib:8.1f} MiB {look.objects:9,} objects {look.tasks:4} tasks {look.threads:4} threads",
        flush=True,
    )


async def _soak(folder: Path, hours: float, seed: int) -> int:
    plates = [make_demo_plate(folder / f"plate {n}", seed=n, wells=("B02", "B03"), size_px=128).folder for n in (1, 2)]
    actions = round(hours * ACTIONS_AN_HOUR)
    began_s = time.monotonic()
    async with workbench(plates, pipeline=shipped_pipelines()["nuclei"], size=(100, 30)) as wb:
        looks = await use(wb, seed, actions, ACTIONS_AN_HOUR // LOOKS_AN_HOUR, _tell)
    used = looks[len(looks) // 3 :]  # a third warms up: everything is imported and every cache is full
    slope = statistics.linear_regression(
        [look.actions / ACTIONS_AN_HOUR for look in used], [look.mib for look in used]
    ).slope
    print(  # noqa: T201 - a command's output
        f"{actions:,} actions in {time.monotonic() - began_s:.0f} s, no error; "
        f"memory grows by {slope:+.2f} MiB an hour, objects from {used[0].objects:,} to {used[-1].objects:,}"
    )
    return 1 if slope > MIB_AN_HOUR else 0


def main() -> int:
    """Use the workbench for virtual hours."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        os.environ |= {paths.HOME_VARIABLE: f"{name}/home"}
        os.chdir(name)
        return asyncio.run(_soak(Path(name), arguments.hours, arguments.seed))


if __name__ == "__main__":
    sys.exit(main())
