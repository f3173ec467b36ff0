"""Hours of use of the whole workbench: random deeds, and what the process holds meanwhile.

    python -m tests.tui.layout.soak --hours 8                      # eight virtual hours by one seed
    python -m tests.tui.layout.soak --seed 7 --from 1 --to 2400    # those deeds again, on a new workbench

A deed a second, without a pause, is busy use, so 3,600 deeds stand for an hour. Every fifteen virtual minutes all
dialogs are closed and runs are waited for; what is held then must not grow. Ends with 1 where something went wrong or
grows.

Pipelines and tables are saved wherever the file browser happens to stand, and files are replaced: run it as a user, or
in a container, that can write nothing of value.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from openhcs.core import paths
from openhcs.core.demo_plate import make_demo_plate
from openhcs.core.pipeline_file import shipped_pipelines
from openhcs.tui.utils.allocator import return_free_memory
from tests.tui.layout.random_user import Found, User, write_editor

__all__ = ["DEEDS_AN_HOUR", "LOOKS_AN_HOUR", "MIB_AN_HOUR", "WARMING", "Look", "look_at"]

DEEDS_AN_HOUR: Final = 3600
LOOKS_AN_HOUR: Final = 4
MIB_AN_HOUR: Final = 1.0
"""What memory may grow by once all has been used; a dialog that leaks costs some 50."""

WARMING: Final = 1 / 3
"""The part at the beginning that does not count: everything is imported and every cache is filled in it."""


@dataclass(frozen=True, slots=True)
class Look:
    """What the process held at rest, after a number of deeds."""

    deeds: int
    mib: float
    objects: int
    tasks: int
    dialogs: int
    threads: int
    files: int
    processes: int


def look_at(user: User, deeds: int) -> Look:
    """Look at the process of a workbench that is at rest."""
    wb = user.workbench
    wb.forget_written()
    gc.collect()
    return_free_memory()
    me = psutil.Process()
    return Look(
        deeds,
        me.memory_info().rss / 2**20,
        len(gc.get_objects()),
        wb.launcher.program.tasks.active_task_count,
        wb.dialogs,
        threading.active_count(),
        me.num_fds(),
        len(user.processes()),
    )


def _tell(look: Look, user: User, answers_s: list[float]) -> None:
    ordered = sorted(answers_s) or [0.0]
    print(  # noqa: T201 - a command's output
        f"{look.deeds / DEEDS_AN_HOUR:6.2f} h {look.mib:7.1f} MiB {look.objects:9,} objects {look.tasks} tasks "
        f"{look.threads:3} threads {look.files:3} files {look.processes:2} processes, {user.openings} openings; a deed "
        f"{ordered[len(ordered) // 2] * 1e3:.0f} ms, p99 {ordered[len(ordered) * 99 // 100] * 1e3:.0f} ms",
        flush=True,
    )


async def _soak(user: User, first: int, last: int) -> tuple[list[Look], Counter[str]]:
    """Use the workbench; what was held at each rest, and which kinds of objects have been added since the warming."""
    looks, before = list[Look](), Counter[str]()
    every = DEEDS_AN_HOUR // LOOKS_AN_HOUR
    try:
        for start in range(first, last + 1, every):
            numbers = range(start, min(start + every, last + 1))
            user.answers_s.clear()
            await user.use(numbers)
            await user.rest()
            looks.append(look_at(user, numbers[-1]))
            _tell(looks[-1], user, user.answers_s)
            if not before and numbers[-1] - first > (last - first) * WARMING:
                before = _kinds()
        return looks, _kinds() - before
    finally:
        await user.leave()


def _kinds() -> Counter[str]:
    return Counter(f"{type(thing).__module__}.{type(thing).__qualname__}" for thing in gc.get_objects())


def _slope(looks: list[Look], what: str) -> float:
    """By how much something grows an hour, behind the warming."""
    used = looks[int(len(looks) * WARMING) :]
    if len(used) < 3:
        return 0.0
    hours = [look.deeds / DEEDS_AN_HOUR for look in used]
    return statistics.linear_regression(hours, [float(getattr(look, what)) for look in used]).slope


def _report(user: User, looks: list[Look], added: Counter[str], folder: Path, took_s: float) -> int:
    runs = len(list(folder.rglob("runs/*/journal.jsonl")))
    slope = _slope(looks, "mib")
    figures = (
        f"{looks[-1].deeds:,} deeds in {took_s:.0f} s, {user.openings} openings, {runs} runs; an hour adds "
        f"{slope:+.2f} MiB, {_slope(looks, 'objects'):+,.0f} objects, {_slope(looks, 'threads'):+.2f} threads, "
        f"{_slope(looks, 'files'):+.2f} files, {_slope(looks, 'processes'):+.2f} processes"
    )
    lines = [
        figures,
        *_most("added", added, 15),
        *_most("refused", user.refusals),
        *_most("logged", user.complaints),
    ]
    print("\n".join(lines))  # noqa: T201 - a command's output
    return 1 if slope > MIB_AN_HOUR else 0


def _most(what: str, counted: Counter[str], at_most: int = 40) -> list[str]:
    return [f"{what} {count} x {text}" for text, count in counted.most_common(at_most)]


def main() -> int:
    """Use the workbench for virtual hours."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--from", dest="first", type=int, default=1, help="the number of the first deed")
    parser.add_argument("--to", dest="last", type=int, help="the number of the last deed, in place of hours")
    parser.add_argument(
        "--plate", type=Path, action="append", default=[], help="one more plate to use; may be given again"
    )
    parser.add_argument("--stay", action="store_true", help="never press a key that leaves")
    parser.add_argument("--each", action="store_true", help="tell each deed, and how long it took")
    arguments = parser.parse_args()
    last = arguments.last or arguments.first - 1 + round(arguments.hours * DEEDS_AN_HOUR)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        # A session of its own has nobody who could continue it, so that it is not really stopped by being suspended.
        alone = _begin_session()
        os.environ |= {paths.HOME_VARIABLE: f"{name}/home"}
        os.chdir(name)
        write_editor(folder)
        plates = [
            make_demo_plate(folder / f"plate {n}", seed=n, wells=("B02", "B03"), size_px=128).folder for n in (1, 2)
        ]
        plates += [plate.absolute() for plate in arguments.plate]
        user = User(arguments.seed, plates, shipped_pipelines()["nuclei"], stops=alone, leaves=not arguments.stay)
        if arguments.each:
            user.on_deed = lambda number, deed, took_s: print(f"{number:6} {took_s * 1e3:7.0f} ms {deed}", flush=True)  # noqa: T201
        began_s = time.monotonic()
        with user.listening():
            try:
                looks, added = asyncio.run(_soak(user, arguments.first, last))
            except Found as found:
                print(found)  # noqa: T201 - a command's output
                raise
        return _report(user, looks, added, folder, time.monotonic() - began_s)


def _begin_session() -> bool:
    """Begin a session, unless this process leads one; whether it does now."""
    with suppress(PermissionError):  # it leads a group of processes already
        os.setsid()
    return os.getsid(0) == os.getpid()


if __name__ == "__main__":
    sys.exit(main())
