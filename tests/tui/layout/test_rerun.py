"""Some wells of a plate from the workbench: a few to try, the chosen ones, those that failed."""

from __future__ import annotations

from pathlib import Path

from openhcs.core.demo_plate import make_demo_plate
from openhcs.core.model import Status
from openhcs.core.pipeline_file import shipped_pipelines
from openhcs.testing.driver import workbench
from tests.tui.layout.gate import RUN_S

NUCLEI = shipped_pipelines()["nuclei"]


async def test_wells_are_tried_chosen_and_run_again(home: Path) -> None:
    """Two wells are tried; a third is named and fails; repaired, it is run again, and the plate is finished.

    What is done stays in view and is not done again; a key that has nothing to do says why.
    """
    plate = make_demo_plate(home / "demo", wells=("B02", "B03", "B04"), sites=1, z_steps=1, size_px=128).folder
    broken = next(file for file in sorted(plate.rglob("*B03*")) if file.suffix.lower() == ".tif")
    intact = broken.read_bytes()
    broken.write_bytes(intact[:1000])
    async with workbench([plate], pipeline=NUCLEI, size=(110, 30)) as wb:
        await wb.press("w")
        await wb.wait_for("The wells of demo are not known yet: i initialises it")
        await wb.press("t")
        await wb.wait_for("2 of 3 wells done", RUN_S)
        await wb.wait_idle()
        assert "> o demo" in wb.text
        await wb.press("f")
        await wb.wait_for("No well of demo failed or was cancelled in the last run")

        await wb.press("w")
        await wb.wait_for("Run chosen wells")
        await wb.type("Q9")
        await wb.press("enter")
        await wb.wait_for("expected wells that the plate has: B02-B04")
        wb.take_errors()
        await wb.press("escape")
        await wb.wait_gone("expected wells that the plate has")
        await wb.press("w")
        await wb.wait_for("Run chosen wells")
        await wb.type("3")
        await wb.press("enter")
        await wb.wait_for("1 of 3 failed", RUN_S)
        await wb.wait_idle()
        assert "from an earlier run" in wb.line("B02")

        broken.write_bytes(intact)
        await wb.press("f")
        await wb.wait_for("3 wells done", RUN_S)
        await wb.wait_idle()
        assert wb.state.selected is not None
        assert wb.state.selected.status is Status.FINISHED
        assert "from an earlier run" not in wb.line("B03")
