"""Plots of results, for the width there is."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from pathlib import Path

import pytest
from prompt_toolkit.formatted_text import fragment_list_to_text
from prompt_toolkit.utils import get_cwidth

from openhcs.core.model import well_name
from openhcs.core.result_query import Grouping, Histogram, Spread
from openhcs.tui.effects.results import ResultReader
from openhcs.tui.panes.drawn_page import DrawnPage
from openhcs.tui.panes.result_plot_page import ResultPlotPage
from openhcs.tui.panes.result_plots import Plot, Plotted, drawn_plot
from openhcs.tui.panes.whole_screen import LatestTasks
from openhcs.tui.state import AppState
from openhcs.tui.utils.unified_task_manager import UnifiedTaskManager
from tests.tui.screen import in_loop, shown

WELLS = {well_name(row, column): float(row + column) for row in range(16) for column in range(24)}


def drawn(values: dict[str, float], width: int, by: Grouping = Grouping.ALL) -> list[str]:
    lines = drawn_plot(Plot(Plotted("nuclei"), by, bars=values), width)
    return [fragment_list_to_text(line).rstrip() for line in lines]


@pytest.mark.parametrize(("width", "columns"), [(80, 1), (118, 1), (198, 3), (298, 3)])
def test_bars_stand_beside_each_other_where_there_is_room(width: int, columns: int) -> None:
    """384 bars take as many columns as fit; each row of the plate begins anew, and is read downwards."""
    lines = drawn(WELLS, width)[2:]
    assert len(lines[0].split()) == 3 * columns
    assert max(map(get_cwidth, lines)) <= width
    if columns > 1:
        down = 24 // columns
        assert [line.split()[0] for line in lines[:down]] == [f"A{column:02}" for column in range(1, down + 1)]
        assert lines[0].split()[3] == f"A{down + 1:02}"
        assert lines[down] == ""
        assert lines[down + 1].split()[0] == "B01"
    told = " ".join(lines).split()
    assert set(WELLS) <= set(told)


def test_bars_of_groups_are_one_block() -> None:
    """Rows or columns of the plate stand below each other, and no bar is longer than it needs to be."""
    rows = {chr(65 + row): float(row + 1) for row in range(8)}
    lines = drawn(rows, 298, Grouping.ROW)[2:]
    assert [line.split()[0] for line in lines] == list("ABCDEFGH")
    assert max(map(get_cwidth, lines)) <= 110
    columns = {f"{column:02}": float(column) for column in range(1, 25)}
    assert len(drawn(columns, 298, Grouping.COLUMN)[2:]) == 8


@in_loop
async def test_for_a_screen_reader_plots_are_lines_of_words() -> None:
    """Bars, boxes and classes are a line each, without bars, at any width."""
    edges, spread = (0.0, 1.0, 2.0), Spread("B", 9, 1.2, 0.1, 0.5, 1.0, 1.5, 1.9)
    nuclei, area = Plotted("nuclei"), Plotted("area_px", "cells")
    for plot, told in (
        (Plot(nuclei, Grouping.ALL, bars=WELLS), [" nuclei counted of every well", " A01: 0", " A02: 1"]),
        (
            Plot(area, Grouping.ROW, spreads=[spread]),
            [" cells: area_px by row", " B: 9 values: mean 1.2, median 1, 5 % 0.1, 95 % 1.9"],
        ),
        (
            Plot(area, Grouping.ALL, histogram=Histogram(edges, (4, 5), spread, 0)),
            [" cells: area_px over all wells", " 9 values: mean 1.2, median 1, 5 % 0.1, 95 % 1.9", " 0 to 1: 4"],
        ),
    ):
        page = DrawnPage(partial(drawn_plot, plot))
        async with shown(page, columns=200, rows=8, plain=True) as screen:
            assert screen.lines[: len(told)] == told


@in_loop
async def test_a_plot_follows_a_run_and_stays_in_place(tmp_path: Path) -> None:
    """What has changed is read again, and only then; the lines on the screen are not scrolled away."""
    counts = {well_name(row, 0): row for row in range(26)}
    reads: list[str] = []

    def count(name: str) -> dict[str, int]:
        reads.append(name)
        return counts

    tasks = UnifiedTaskManager()
    reader = ResultReader(tmp_path, AppState())
    page = ResultPlotPage(reader, LatestTasks("results", tasks), count, lambda _: nullcontext())
    try:
        async with shown(page, rows=12, focus=page.window) as screen:
            page.offer([Plotted("nuclei")])
            await screen.wait_for("A01 ")
            await screen.press("end")
            await screen.wait_for("Z01 ")
            counts["Z02"] = 7
            page.keep_up()
            page.note_change()
            page.keep_up()
            await screen.wait(lambda: len(reads) == 2, "the second reading")
            await screen.press("end")
            await screen.wait_for("Z02 ")
            assert "A01 " not in screen.text
            page.keep_up()
            assert len(reads) == 2
    finally:
        await tasks.shutdown()
