"""The bytes that a frame of the workbench costs, which is what a slow link has to carry.

The first frame, a key that moves the cursor, a change of panes, a dialog, a resize, and the ticks of a run of the demo
plate; each at 80 x 24, 200 x 60 and 300 x 100. A serial line of 9,600 baud carries 960 bytes a second, a phone at the
edge of its network some 5,000.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from openhcs.core import paths
from openhcs.core.demo_plate import make_demo_plate
from openhcs.core.pipeline_file import shipped_pipelines
from openhcs.testing.driver import WorkbenchDriver, workbench

KEYS = (
    ("the cursor one row down", "down", "up"),
    ("the next pane", "tab", "s-tab"),
    ("a dialog, opened", "c-p", "escape"),
)
TURNS = 10
SIZES = ((80, 24), (200, 60), (300, 100))


class Frames:
    """The bytes that each frame wrote."""

    def __init__(self, wb: WorkbenchDriver) -> None:
        self._wb = wb
        self._seen = len(wb.written)
        self.bytes: list[int] = []
        app = wb.launcher.program.app
        assert app is not None
        app.after_render += lambda _: self._take()

    def _take(self) -> None:
        written = len(self._wb.written.encode()) if not self._wb.written.isascii() else len(self._wb.written)
        self.bytes.append(written - self._seen)
        self._seen = written

    def restart(self) -> None:
        """Forget what was written so far."""
        self._take()
        self.bytes.clear()


def tell(what: str, frames: Sequence[int], more: str = "") -> None:
    if frames:
        print(f"  {what:28}{statistics.median(frames):8.0f} median{max(frames):8} most{more}")


def has_run(wb: WorkbenchDriver) -> bool:
    """Whether the run of the plate has ended."""
    row = wb.state.selected
    return row is not None and row.progress is not None and row.progress.state.has_ended


async def measure(plate: Path, size: tuple[int, int]) -> None:
    async with workbench([plate], pipeline=shipped_pipelines()["nuclei"], size=size) as wb:
        tell("the first frame", [len(wb.written.encode())])
        frames = Frames(wb)
        await wb.press("i")
        await wb.wait_for("images in")
        await wb.press("tab")
        for what, key, back in KEYS:
            costs = []
            for _ in range(TURNS):
                frames.restart()
                await wb.press(key)
                costs.append(sum(frames.bytes))
                await wb.press(back)
            tell(what, costs)
        costs = []
        for _ in range(TURNS):
            frames.restart()
            await wb.resize(size[0] - 1, size[1])
            costs.append(sum(frames.bytes))
            await wb.resize(*size)
        tell("a resize", costs)
        frames.restart()
        began_s = time.monotonic()
        await wb.press("r")
        await wb.wait_until(partial(has_run, wb), "the end of the run", timeout_s=300)
        seconds = time.monotonic() - began_s
        ticks = [cost for cost in frames.bytes if cost]
        tell("a tick of a run", ticks, f"   {len(ticks) / seconds:.1f} frames/s, {sum(ticks) / seconds:.0f} bytes/s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ[paths.HOME_VARIABLE] = folder
        os.chdir(folder)
        for number, size in enumerate(SIZES):
            plate = make_demo_plate(Path(folder, f"plate-{number}")).folder
            print(f"bytes for a frame, {size[0]} x {size[1]}")
            asyncio.run(measure(plate, size))


if __name__ == "__main__":
    main()
