"""A well that is written, and written anew in a process that is killed on the way; for `test_replacing`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

import openhcs.core.swap
from openhcs.core.model import Channel, FunctionCall, PlaneKey, Step, WellPlan
from openhcs.core.results import ResultsFolder
from openhcs.core.store import PartResult, WellStore

CHANGES = frozenset({"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.chmod"})
"""What Python announces before it changes a file system, by the names of its audit events."""


def plan_of(value: int) -> WellPlan:
    """The plan of a well all of whose values are `value`."""
    return WellPlan(
        well="B02",
        root="/plates/P",
        plate="P",
        format="ImageXpress",
        channels=(Channel(1, "DAPI"),),
        pixel_size_um=0.5,
        planes=((PlaneKey("B02", 1, 1, 1, 1), "a.tif"),),
        steps=(Step("Project", (FunctionCall("project_maximum"),)),),
        independent=(),
        versions={},
        hash=str(value),
    )


def write(folder: ResultsFolder, value: int, before_commit: Callable[[], None] = lambda: None) -> None:
    """Write images, label images and a table of `value`."""
    images = {PlaneKey("B02", 1, 1, 0, 1): np.full((16, 16), value, np.float32)}
    labels = {"nuclei": {PlaneKey("B02", 1, 0, 0, 1): np.full((16, 16), value, np.int32)}}
    with WellStore(plan_of(value), folder.path) as store:
        store.add_part(PartResult(images, labels))
        store.write_images()
        before_commit()
        store.commit({"counts": [{"count": np.array([value])}]}, {})


def write_until_killed(out: Path, value: int, step: int, can_exchange: bool) -> None:
    """Write the well in a process of its own, which is killed before the `step`th change that its commit makes."""
    left = step

    def kill(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        if event in CHANGES and str(arguments[0]).startswith(str(out)):
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    if not can_exchange:
        openhcs.core.swap.exchange = lambda one, other: False
    write(ResultsFolder(out), value, lambda: sys.addaudithook(kill))
