"""Whatever is pressed and clicked for a while, nothing goes wrong and nothing is left behind; see `random_user`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from openhcs.core.demo_plate import make_demo_plate
from openhcs.core.pipeline_file import shipped_pipelines
from openhcs.testing.driver import workbench
from tests.tui.layout.random_user import use

ACTIONS = int(os.environ.get("OPENHCS_SOAK_ACTIONS", "150"))
"""3,600 stand for an hour of use."""


@pytest.mark.parametrize("seed", [1])
async def test_random_use_leaves_nothing_behind(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Random keys, clicks and sizes report no error, and leave neither tasks nor dialogs."""
    monkeypatch.chdir(tmp_path)
    plate = make_demo_plate(tmp_path / "plate", wells=("B02", "B03"), size_px=128).folder
    async with workbench([plate], pipeline=shipped_pipelines()["nuclei"], size=(100, 30)) as wb:
        looks = await use(wb, seed, ACTIONS, ACTIONS)
        assert [(look.tasks, look.dialogs) for look in looks] == [(0, 0)] * len(looks)
