"""Whatever is done for a while, nothing goes wrong and nothing is left behind; for hours of it see `soak`."""

from __future__ import annotations

import gc
import os
import sys
import threading
from pathlib import Path

import pytest

from openhcs.core.demo_plate import make_demo_plate
from openhcs.core.pipeline_file import shipped_pipelines
from openhcs.testing.driver import workbench
from tests.tui.layout.deeds import deed_of
from tests.tui.layout.random_user import User, write_editor
from tests.tui.layout.soak import look_at

FEW = 150
DEEDS = int(os.environ.get("OPENHCS_SOAK_DEEDS", str(FEW)))
"""3,600 stand for an hour of use. Where there are more than a few, plates are run as well."""


@pytest.mark.parametrize("seed", [6])
async def test_random_use_leaves_nothing_behind(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys, text, pastes, clicks, sizes and commands report no error, and leave no task, dialog, thread or process."""
    monkeypatch.setenv("VISUAL", "")  # set back in the end
    write_editor(tmp_path)
    threads = threading.active_count()
    plate = make_demo_plate(tmp_path / "plate", wells=("B02", "B03"), size_px=128).folder
    user = User(seed, [plate], shipped_pipelines()["nuclei"], runs=DEEDS > FEW)
    try:
        await user.use(range(1, DEEDS + 1))
        await user.rest()
        look = look_at(user, DEEDS)
        assert (look.tasks, look.dialogs, look.processes) == (0, 0, 0)
        assert look.threads - threads < 10
    finally:
        await user.leave()


async def test_a_key_kept_down_takes_no_memory(tmp_path: Path) -> None:
    """While nobody pauses, and so nobody looks for garbage, a frame leaves less behind than a fifth of its cells."""
    columns, rows = 160, 48
    plate = make_demo_plate(tmp_path / "plate", wells=("B02", "B03"), size_px=128).folder
    async with workbench([plate], size=(columns, rows)) as wb:
        await wb.press("up", "down")
        gc.collect()
        gc.disable()
        try:
            before = sys.getallocatedblocks()
            await wb.press(*["up", "down"] * 10)
            left = sys.getallocatedblocks() - before
        finally:
            gc.enable()
    assert left / 20 < columns * rows / 5


async def test_who_has_left_comes_back() -> None:
    """A use in which the workbench is left goes on in one that is opened anew, however long ago it has ended."""
    user = User(6, [], shipped_pipelines()["nuclei"])
    try:
        await user.use([1])
        await user.rest()
        await user.workbench.press("c-q")
        await user.workbench.wait_exit()
        await user.use([2])
        assert user.openings == 2
        assert not user.workbench.has_ended
    finally:
        await user.leave()


def test_a_deed_can_be_done_again() -> None:
    """It follows from seed and number alone, so that any stretch of a long use can be repeated."""
    assert [deed_of(3, number) for number in range(40, 60)] == [deed_of(3, number) for number in range(40, 60)]
    assert len({str(deed_of(3, number)) for number in range(100)}) > 50
