"""Steps tried on a well from the pipeline editor, by real keys, on a plate that is really read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from openhcs.core.demo_plate import make_demo_plate
from openhcs.core.pipeline_file import shipped_pipelines
from openhcs.testing.driver import WorkbenchDriver, workbench
from openhcs.tui.effects.wells import Tile, WellReader
from openhcs.tui.well_scene import Frame, Scene

NUCLEI = shipped_pipelines()["nuclei"]
ENDS_WITHIN_S = 10.0
"""What is closed in a thread ends behind the test."""


@pytest.fixture(scope="session")
def sites_plate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two wells of two sites and three z planes each."""
    return make_demo_plate(tmp_path_factory.mktemp("plates") / "tried", wells=("B02", "B03"), size_px=128).folder


@pytest.fixture(autouse=True)
def no_process_is_left() -> Iterator[None]:
    """Leaving the preview ends its process."""
    before = set(psutil.Process().children())
    yield
    begun = set(psutil.Process().children()) - before
    _, left = psutil.wait_procs(begun, timeout=ENDS_WITHIN_S)
    assert not left, [(child.status(), child.cmdline()) for child in left]


@asynccontextmanager
async def at_step(plate: Path, step: int, *, size: tuple[int, int] = (80, 24)) -> AsyncIterator[WorkbenchDriver]:
    """The workbench with the plate initialised, the cursor on a step of the pipeline nuclei."""
    async with workbench([plate], pipeline=NUCLEI, size=size) as wb:
        await wb.press("i")
        await wb.wait_for("images in")
        await wb.wait_idle()
        await wb.press("s-tab", *["down"] * step)
        yield wb


async def test_a_step_is_tried_on_a_well(sites_plate: Path) -> None:
    """`p` shows the image before and after the step with outlines, counts and seconds, on screens of any size."""
    async with at_step(sites_plate, 2) as wb:
        await wb.press("p")
        await wb.wait_for("Step 3, Find nuclei, on B02")
        await wb.wait_for("after, outlines: nuclei")
        await wb.wait_for("on site 1 of B02")
        assert " before " in wb.text
        assert wb.text.count("▀") > 400
        assert "[1 DAPI]" in wb.text
        assert "nuclei: " in wb.line("objects")
        await wb.press("s")
        await wb.wait_for("on site 2 of B02")
        await wb.press("w")
        await wb.wait_for("on site 1 of B03")
        await wb.press("n")
        await wb.wait_for("Count nuclei took")
        assert "counts: 1 row" in wb.text
        await wb.press("c", "l")
        await wb.wait_for("[2 GFP]")
        await wb.wait_until(lambda: "outlines" not in wb.text, "the outlines to go")
        await wb.press("z")
        await wb.wait_for("There is one z plane only")
        await wb.resize(60, 16)
        await wb.wait_until(lambda: 100 < wb.text.count("▀") < 500, "small pictures")
        await wb.resize(200, 60)
        await wb.wait_until(lambda: wb.text.count("▀") > 2000, "large pictures")
        await wb.press("+", "+")
        await wb.wait_for("2.25x")
        await wb.press("?")
        await wb.wait_for("Try the next site of the well")
        await wb.press("escape")
        await wb.wait_gone("Try the next site of the well")
        await wb.press("escape")
        await wb.wait_gone("Step 4, Count nuclei, on")
        await wb.wait_idle()
        assert wb.state.editing.step == 3


async def test_a_step_is_edited_and_tried_again(sites_plate: Path) -> None:
    """`e` in the preview edits the step; OK tries it with its new parameters, and undo belongs to the pipeline."""
    async with at_step(sites_plate, 0) as wb:
        await wb.press("p")
        await wb.wait_for("Subtract background took")
        assert "before, z 2 of 3" in wb.text
        await wb.press("e")
        await wb.wait_for("Stack of")
        await wb.press("c-s")
        await wb.wait_gone("Stack of")
        await wb.press("e")
        await wb.wait_for("Stack of")
        await wb.type(" 2")
        await wb.press("enter")
        await wb.wait_for("Step 1, Subtract background 2, on B02")
        await wb.wait_for("Subtract background 2 took")
        await wb.press("escape")
        await wb.wait_idle()
        await wb.press("u")
        assert "The last change is taken back" in wb.text
        assert wb.state.editing.pipeline.steps[0].name == "Subtract background"


async def test_what_does_not_fit_is_told_in_place(sites_plate: Path, home: Path) -> None:
    """A step that cannot run is told where its picture would be; a step off is tried all the same."""
    file = home / "wrong.yaml"
    file.write_text("name: wrong\nsteps:\n  - name: Blur\n    functions: gaussian_blurr\n", encoding="utf-8")
    async with workbench([sites_plate], pipeline=file) as wb:
        await wb.press("s-tab", "p")
        await wb.wait_for("Initialise the plate first")
        await wb.press("i")
        await wb.wait_for("images in")
        await wb.wait_idle()
        await wb.press("space", "p")
        await wb.wait_for("no function gaussian_blurr")
        await wb.press("escape")
        await wb.wait_idle()


async def test_a_picture_that_comes_late_does_not_replace_a_newer_one(
    sites_plate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking nearer while the first picture of a trial is drawn gives that one up."""
    draw, go_on = WellReader.read_tile, asyncio.Event()
    begun: list[float] = []
    drawn: list[float] = []

    async def held(
        self: WellReader, images: Any, scene: Scene, site: int, frame: Frame, limits: Any, palette: Any
    ) -> Tile:
        begun.append(scene.zoom)
        if len(begun) == 1:
            await go_on.wait()
        tile = await draw(self, images, scene, site, frame, limits, palette)
        drawn.append(scene.zoom)
        return tile

    monkeypatch.setattr(WellReader, "read_tile", held)
    async with at_step(sites_plate, 0) as wb:
        await wb.press("p")
        await wb.wait_until(lambda: len(begun) == 1, "the first picture")
        await wb.press("+", "+")
        await wb.wait_until(lambda: drawn[-2:] == [2.25, 2.25], "both pictures, nearer")
        go_on.set()
        await wb.wait_idle()
        assert 1.0 not in drawn
        await wb.press("escape")


async def test_a_trial_can_be_left_while_it_goes_on(sites_plate: Path) -> None:
    """Escape closes the preview while a step is being tried; what was begun ends with it."""
    async with at_step(sites_plate, 4) as wb:
        await wb.press("p")
        await wb.wait_for("running, starting")
        await wb.press("x")
        await wb.wait_for("Stopped.")
        await wb.press("s")
        await wb.wait_for("running, st")
        await wb.press("escape")
        await wb.wait_gone("Step 5, Measure nuclei, on")
        await wb.wait_idle()
