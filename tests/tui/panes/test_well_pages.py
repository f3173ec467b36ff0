"""The table of a well's measurements, by keys and by mouse."""

from __future__ import annotations

import polars as pl

from openhcs.core.well_tables import WellTable
from openhcs.tui.panes.well_pages import TablePage
from tests.tui.screen import Tasks, in_loop, shown

NAMES = ("site", "channel", "z", "t", "label", "area_px", "solidity", "intensity_mean")
TABLE = WellTable("measurements", NAMES, pl.DataFrame({name: [at, at + 1] for at, name in enumerate(NAMES)}))


@in_loop
async def test_columns_out_of_sight_are_reached_by_mouse() -> None:
    """A mark at either end of the names stands for columns that have no room, and a click on it goes there."""
    tasks = Tasks()
    page = TablePage(lambda column, descending: None, tasks)
    page.show(TABLE)
    async with shown(page, columns=50, rows=8, tasks=tasks) as screen:
        assert "site" in screen.text
        assert "solidity" not in screen.text
        assert "‹" not in screen.text
        for _ in range(3):
            await screen.click("›")
        assert "intensity_mean" in screen.text
        assert "›" not in screen.text
        while "‹" in screen.text:
            await screen.click("‹")
        assert "site" in screen.text


@in_loop
async def test_for_a_screen_reader_a_row_names_its_columns() -> None:
    """The column that the keys have reached comes first in every row, and the title tells it and the order."""
    tasks = Tasks()
    page = TablePage(lambda column, descending: None, tasks)
    page.show(TABLE)
    async with shown(page, columns=80, rows=8, tasks=tasks, focus=page.window, plain=True) as screen:
        assert screen.lines[0] == " measurements: 2 rows, column 1 of 8: site"
        await screen.press("right", "right", "right", "right", "right")
        assert screen.line("area_px 6").startswith("area_px 6, solidity 7, intensity_mean 8, site 1, ")
        await screen.press("s")
        assert screen.lines[0] == " measurements: 2 rows, column 6 of 8: area_px, sorted up"
