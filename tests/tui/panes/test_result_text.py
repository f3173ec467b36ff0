"""How results read on the screen."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

from prompt_toolkit.formatted_text import StyleAndTextTuples

from openhcs.core.model import well_name
from openhcs.core.progress import RunProgress, RunState, WellProgress, WellState
from openhcs.core.result_query import Grouping, Histogram, Spread
from openhcs.core.result_summary import ResultSummary
from openhcs.tui.panes import result_text
from openhcs.tui.panes.result_plots import grouped_counts
from openhcs.tui.widgets.colour_scale import Palette

COUNTS = {"B02": 10, "B03": 30, "C02": 20, "AA10": 40}


def texts(lines: list[StyleAndTextTuples]) -> list[str]:
    return ["".join(fragment[1] for fragment in line).rstrip() for line in lines]


def run_of(*states: WellState) -> RunProgress:
    wells = {f"A{at:02}": WellProgress(f"A{at:02}", state) for at, state in enumerate(states, start=1)}
    return RunProgress(RunState.FINISHED, plate="P", pipeline="nuclei", started_s=100.0, ended_s=160.0, wells=wells)


def test_a_run_is_told_in_two_lines() -> None:
    """How it ended, and what became of its wells; names from files cannot drive the terminal."""
    progress = run_of(WellState.FINISHED, WellState.REUSED, WellState.FAILED)
    head, wells = texts(result_text.run_lines(progress))
    assert head == "  P with nuclei: 1 of 3 wells failed, 2 finished in 1 min 00 s"
    assert wells == "  Wells     1 done, 1 done earlier, 1 failed, of 3"
    assert texts(result_text.pace_lines(progress, 0.0)) == ["  Rate      2 wells a minute"]


def test_a_run_that_did_nothing_has_no_rate() -> None:
    """Wells of an earlier run say nothing of this one's pace."""
    assert result_text.pace_lines(run_of(WellState.REUSED), 0.0) == []


def test_the_plate_is_drawn_in_characters() -> None:
    """A well the fuller the more it has, in its place; those that failed say so, and what is not there stays empty."""
    lines = texts(result_text.heat_lines("nuclei", {"B02": 1, "B04": 5, "C03": 3}, Palette.SHAPES, 60))
    assert lines[1:] == ["     2  3  4", "  B ··    ██", "  C    ▒▒"]
    counts = {"B02": 1, "B04": 5, "C03": 3}
    lines = texts(result_text.heat_lines("nuclei", counts, Palette.SHAPES, 60, failed={"B04", "D02"}))
    assert lines[0].endswith("3   X failed")
    assert lines[1:] == ["     2  3  4", "  B ··    XX", "  C    ██", "  D XX"]


def test_counts_are_put_together_by_place() -> None:
    """Rows and columns are means of their wells, in the plate's order: row AA after row C."""
    assert list(grouped_counts(COUNTS, Grouping.WELL)) == ["B02", "B03", "C02", "AA10"]
    assert grouped_counts(COUNTS, Grouping.ROW) == {"B": 20.0, "C": 20.0, "AA": 40.0}
    assert grouped_counts(COUNTS, Grouping.COLUMN) == {"02": 15.0, "03": 30.0, "10": 40.0}


def test_bars_are_as_long_as_their_values() -> None:
    """The largest fills the room; nothing is wider than the screen."""
    lines = texts(result_text.bar_lines({"B02": 5.0, "B03": 10.0}, 40))
    assert [line.count("█") for line in lines] == [15, 30]
    assert all(len(line) <= 40 for line in lines)


def test_spreads_stand_on_one_scale() -> None:
    """From the 5th to the 95th percentile, with a box and its median, and the median as a number."""
    low = Spread("A", 9, 2.0, 0.0, 1.0, 2.0, 3.0, 4.0)
    high = Spread("B", 9, 8.0, 6.0, 7.0, 8.0, 9.0, 10.0)
    head, first, second, key = texts(result_text.spread_lines([low, high], 40))
    assert head.split() == ["0", "10", "median"]
    assert first.index("├") < first.index("█") < first.index("┤") < second.index("├") < second.index("█")
    assert (first.split()[-1], second.split()[-1]) == ("2", "8")
    assert "25 to 75 %" in key
    assert max(map(len, (head, first, second, key))) <= 40


def test_a_histogram_has_a_bar_for_each_class() -> None:
    """With where the class goes from and to, and how many values it has."""
    found = Histogram((0.0, 0.5, 1.0), (3, 1), Spread("", 4, 0.4, 0.0, 0.1, 0.2, 0.5, 0.9), 0)
    first, second = texts(result_text.histogram_lines(found, 60))
    assert first.split()[:3] == ["0.00", "to", "0.50"]
    assert first.endswith(" 3")
    assert first.count("⣿") > 2 * second.count("⣿") > 0


def test_the_plate_has_its_distribution_beside_it_or_below() -> None:
    """How many wells have so many objects, in classes of equal width that hold all of them; no line is too long."""
    counts = {well_name(row, column): 3 * row + column for row in range(8) for column in range(12)}
    summary = ResultSummary(objects={"nuclei": counts})
    narrow = texts(result_text.summary_lines(None, summary, Path("/out"), "", 0.0, 76))
    assert max(map(len, narrow)) <= 76
    assert narrow.index("  wells by nuclei") > next(at for at, line in enumerate(narrow) if line.startswith("  H "))
    wide = texts(result_text.summary_lines(None, summary, Path("/out"), "", 0.0, 116))
    assert max(map(len, wide)) <= 116
    first = next(at for at, line in enumerate(wide) if "wells by nuclei" in line)
    assert wide[first].startswith("  nuclei of each well")
    bars = [re.search(r"(\d+) to (\d+) +\S+ +(\d+)$", line) for line in wide[first + 1 :]]
    classes = [tuple(map(int, bar.groups())) for bar in bars if bar is not None]
    assert classes[0][0] == 0
    assert classes[-1][1] >= 32
    assert all(before[1] + 1 == after[0] for before, after in pairwise(classes))
    assert sum(wells for _, _, wells in classes) == 96
    few = ResultSummary(objects={"nuclei": {"A01": 5, "A02": 9}})
    assert not any("wells by" in line for line in texts(result_text.summary_lines(None, few, Path("/out"), "", 0, 200)))
