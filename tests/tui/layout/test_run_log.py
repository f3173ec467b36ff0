"""The log of a run in the workbench."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from openhcs.core.pipeline_file import shipped_pipelines
from openhcs.core.results import ResultsFolder
from openhcs.core.run_folder import RunFolder
from openhcs.testing.driver import workbench
from tests.tui.layout.gate import RUN_S

NUCLEI = shipped_pipelines()["nuclei"]


@pytest.fixture
def run(home: Path) -> RunFolder:
    """A run that has printed a hundred thousand lines."""
    results = ResultsFolder(home / "openhcs-results" / "demo" / "nuclei")
    folder = RunFolder(results.runs / "20261123T000000.000000Z")
    folder.path.mkdir(parents=True)
    (folder.path / "run.json").write_text("{}")
    folder.log.write_text("".join(f"line {number} of {'B02' if number % 2 else 'B03'}\n" for number in range(100_000)))
    return folder


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
async def test_a_long_log_is_read_at_its_end_searched_filtered_and_followed(
    demo: Path, run: RunFolder, size: tuple[int, int]
) -> None:
    """It opens at its last line; a search goes round; a well's lines are shown alone; what is written comes along."""
    async with workbench([demo], pipeline=NUCLEI, size=size) as wb:
        await wb.press("g")
        await wb.wait_for("nothing yet")
        began = time.monotonic()
        await wb.press("tab")
        await wb.wait_for("line 99999 of B02")
        assert time.monotonic() - began < 5
        assert "100,000 lines" in wb.text
        with run.log.open("a") as log:
            log.write("WARNING: one more\n")
        await wb.wait_for("WARNING: one more")

        await wb.press("home")
        await wb.wait_for("line 0 of B03")
        await wb.press("/")
        await wb.wait_for("Search the log")
        await wb.type("Line 777 ")
        await wb.press("enter")
        await wb.wait_for("'Line 777 ' is not in this log")
        await wb.press("/")
        await wb.wait_for("Search the log")
        await wb.press("c-u")
        await wb.type("line 777")
        await wb.press("enter")
        await wb.wait_for("111 of 111")
        await wb.wait_for("line 77799 of")
        await wb.press("n")
        await wb.wait_for("1 of 111")
        await wb.wait_for("line 777 of B02")

        await wb.press("w")
        await wb.wait_for("Choose a well")
        await wb.type("b03")
        await wb.press("enter")
        await wb.wait_for("50,000 lines, of B03")
        await wb.press("end")
        await wb.wait_for("line 99998 of B03")
        assert "B02" not in wb.text
        await wb.press("v")
        await wb.wait_for("0 lines, of B03, warnings and errors")
        await wb.press("escape")
        await wb.wait_gone("Log of demo")


async def test_the_log_of_a_well_is_of_that_well(demo: Path) -> None:
    """Opened from a well it has what happened to it; long lines are cut where they are not wrapped."""
    async with workbench([demo], pipeline=NUCLEI, size=(60, 24)) as wb:
        await wb.press("r")
        await wb.wait_for("2 wells done", RUN_S)
        await wb.wait_idle()
        await wb.press("tab", "down", "g")
        await wb.wait_for("of B03")
        await wb.wait_for("finished: ")
        assert "B02" not in wb.text
        await wb.press("W", "right", "right")
        await wb.wait_gone("B03   finished: ")
        await wb.press("escape")
        await wb.wait_idle()


async def test_without_a_run_there_is_nothing_to_read(demo: Path) -> None:
    """The log says so where its lines would be."""
    async with workbench([demo], pipeline=NUCLEI) as wb:
        await wb.press("g")
        await wb.wait_for("no run has been in")
        await wb.press("escape")
        await wb.wait_idle()
