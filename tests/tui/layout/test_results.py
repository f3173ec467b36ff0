"""The results of a plate in the workbench: at a glance, plotted, as tables, exported, and why wells failed."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from openhcs.core.demo_plate import make_demo_plate
from openhcs.core.pipeline_file import shipped_pipelines
from openhcs.core.result_query import TableQuery
from openhcs.core.result_tables import ResultTable
from openhcs.testing.driver import WorkbenchDriver, workbench
from openhcs.tui.effects.results import ResultReader
from tests.tui.layout.gate import RUN_S, Gate, closed_gate

NUCLEI = shipped_pipelines()["nuclei"]


@pytest.fixture
def gate(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """A pipeline whose wells wait until `open` is called."""
    monkeypatch.syspath_prepend(home)
    with closed_gate(home, "held_wells", "hold", "return image") as gate:
        yield gate


def copied(wb: WorkbenchDriver) -> str:
    """What the terminal was asked last to put in its clipboard."""
    return base64.b64decode(re.findall(r"\x1b]52;c;([^\a]*)\a", wb.written)[-1]).decode()


def columns_of(line: str) -> list[str]:
    return line.strip("║ ‹›>").split()


async def run(wb: WorkbenchDriver, end: str) -> None:
    await wb.press("r")
    await wb.wait_for(end, RUN_S)
    await wb.wait_idle()


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
async def test_results_are_looked_at_by_keys(
    demo: Path, home: Path, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a run: its summary and plate, plots of counts and columns, a table that is sorted, summed up and exported.

    Results of an earlier session are there as well, before the plate has been run in this one. What was done is told
    also while tables are read, and stays when that is over.
    """
    open_table, go_on, opened = ResultReader.open_table, asyncio.Event(), asyncio.Event()

    async def held(self: ResultReader, query: TableQuery) -> ResultTable:
        await go_on.wait()
        opened.set()
        return await open_table(self, query)

    monkeypatch.setattr(ResultReader, "open_table", held)
    out = home / "openhcs-results" / "demo" / "nuclei"
    async with workbench([demo], pipeline=NUCLEI, size=size) as wb:
        await wb.press("o")
        await wb.wait_for("Results will go to: openhcs-results/demo/nuclei")
        await run(wb, "o shows the results")
    async with workbench([demo], pipeline=NUCLEI, size=size) as wb:
        await wb.press("o")
        await wb.wait_for("2 done, of 2")
        await wb.wait_for("nuclei of each well")
        assert "wells a minute" in wb.text
        assert "No warnings." in wb.text
        await wb.wait_for("reading ")
        await wb.press("y")
        assert copied(wb) == str(out)
        assert f"copied {out}"[:60] in wb.text
        go_on.set()
        await opened.wait()
        await wb.wait_until(lambda: "read the table" not in str(wb.launcher.program.tasks.snapshot()), "the table")
        assert f"copied {out}"[:60] in wb.text

        await wb.press("tab")
        await wb.wait_for("nuclei counted of every well")
        assert "B02 █" in wb.text
        await wb.press("b")
        await wb.wait_for("by row, the mean of its wells")
        await wb.press("b", "b", "b", "left")
        await wb.wait_for("over all wells")
        await wb.wait_for("⣿")
        await wb.press("b")
        await wb.wait_for("25 to 75 %")

        await wb.press("tab")
        rows = pl.read_parquet(out / "tables" / "measurements.parquet")
        await wb.wait_for(f"measurements: {rows.height} rows, every row")
        await wb.wait_for("B02       1      1")
        await wb.press("right", "right", "s", "s")
        await wb.wait_for("by label, falling")
        await wb.wait_until(lambda: columns_of(wb.line("> "))[2] == str(rows["label"].max()), "the last label on top")
        await wb.press("/")
        await wb.wait_for("Choose wells")
        await wb.type("3")
        await wb.press("enter")
        chosen = rows.filter(pl.col("well") == "B03")
        await wb.wait_for(f"{chosen.height} rows, every row, of 1 well, by label, falling")
        await wb.press("e")
        await wb.wait_for("measurements-1-well.csv")
        await wb.press("enter")
        await wb.wait_for(f"{chosen.height} rows written to")
        written = pl.read_csv(out.parent / "measurements-1-well.csv")
        assert written["label"].to_list() == sorted(chosen["label"], reverse=True)
        await wb.press("b")
        await wb.wait_for("1 row, mean of each well")
        await wb.press("enter")
        await wb.wait_for("Well B03 of demo")
        await wb.press("escape")
        await wb.wait_gone("Well B03 of demo")
        await wb.press("m")
        await wb.wait_for("counts: ")
        await wb.press("escape")
        await wb.wait_gone("Results of demo")


async def test_results_are_looked_at_by_mouse(demo: Path, home: Path) -> None:
    """A click on a well of the plate opens it, tabs turn pages, a column's name sorts by it, and columns are hidden.

    A table that has changed, as it does while a run goes on, is read anew, and the cursor stays where it is.
    """
    async with workbench([demo], pipeline=NUCLEI, size=(100, 30)) as wb:
        await run(wb, "o shows the results")
        await wb.press("o")
        await wb.wait_for("nuclei of each well")
        _, y = wb.find("nuclei of each well")
        await wb.click(wb.screen()[y + 1].index("3"), y + 2)
        await wb.wait_for("Well B03 of demo")
        await wb.press("escape")
        await wb.wait_gone("Well B03 of demo")
        await wb.click_text(" Table ")
        await wb.wait_for("area_px")
        await wb.wait_for("B02       1      1")
        await wb.click_text("area_px")
        await wb.wait_for("by area_px, rising")
        await wb.click_text("area_px^")
        await wb.wait_for("by area_px, falling")
        assert "solidity" not in wb.text
        await wb.click_text("›")
        await wb.wait_for("solidity")
        await wb.click_text("‹")
        await wb.wait_gone("solidity")
        await wb.click_text("Columns")
        await wb.wait_for("[x] area_px")
        await wb.press("n")
        x, y = wb.find("[ ] label")
        await wb.click(x + 1, y)
        await wb.wait_for("[x] label")
        await wb.click(x + 1, y)
        await wb.press("enter")
        await wb.wait_for("columns hidden")
        assert "area_px" not in wb.screen()[5]
        await wb.press("c")
        await wb.wait_for("[ ] area_px")
        await wb.press("a", "enter")
        await wb.wait_gone("columns hidden")
        table = home / "openhcs-results" / "demo" / "nuclei" / "tables" / "measurements.parquet"
        rows = pl.read_parquet(table)
        await wb.press("down", "down")
        at = wb.screen().index(wb.line("> "))
        rows.head(-7).write_parquet(table)
        await wb.press(*["right"] * len(rows.columns))
        await wb.wait_for(f"{rows.height - 7} rows")
        assert wb.screen().index(wb.line("> ")) == at
        await wb.press("escape")


async def test_wells_that_failed_of_one_cause_are_run_again_together(home: Path) -> None:
    """`F` shows why wells failed, each cause once, with its wells and its error; `r` runs these wells again.

    The list takes the lines it needs, and the error, with its traceback, the rest of the screen.
    """
    plate = make_demo_plate(home / "demo", wells=("B02", "B03", "B04"), sites=1, z_steps=1, size_px=128).folder
    whole: dict[Path, bytes] = {}
    for well in ("B02", "B04"):
        file = next(file for file in sorted(plate.rglob(f"*{well}*")) if file.suffix.lower() == ".tif")
        whole[file] = file.read_bytes()
        file.write_bytes(whole[file][:1000])
    async with workbench([plate], pipeline=NUCLEI, size=(100, 30)) as wb:
        await wb.press("F")
        await wb.wait_for("No well of demo has failed")
        await run(wb, "2 of 3 failed")
        await wb.press("F")
        await wb.wait_for("+ 2 wells: ")
        assert "Failures (2)" in wb.text
        await wb.press("F")
        await wb.wait_for(">       B02")
        assert wb.find("Well B02")[1] == wb.find(">       B02")[1] + 3
        assert "Traceback" in wb.text
        await wb.press("F")
        await wb.wait_for(">       B04")
        await wb.press("y")
        assert "B04" in copied(wb)
        await wb.press("e")
        await wb.wait_for("Well B04 failed")
        await wb.press("escape")
        await wb.wait_gone("Well B04 failed")
        for file, content in whole.items():
            file.write_bytes(content)
        await wb.press("home", "r")
        await wb.wait_for("No well has failed.", RUN_S)
        await wb.press("escape")
        await wb.wait_for("3 wells done", RUN_S)
        await wb.wait_idle()
        wb.take_errors()


async def test_results_follow_a_run(demo: Path, gate: Gate) -> None:
    """Opened while wells wait, the results say so, and what a well leaves behind is there when it is done."""
    async with workbench([demo], pipeline=gate.pipeline, size=(100, 30)) as wb:
        await wb.press("r")
        await wb.wait_for("0/2", RUN_S)
        await wb.press("o")
        await wb.wait_for("of 2")
        await wb.wait_for("none yet")
        await wb.press("tab", "tab")
        await wb.wait_for("There are no measurements yet.")
        await wb.press("s-tab", "s-tab")
        gate.open()
        await wb.wait_for("2 done, of 2", RUN_S)
        await wb.press("escape")
        await wb.wait_idle()
