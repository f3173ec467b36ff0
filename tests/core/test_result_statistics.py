"""How a column's numbers are spread."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from openhcs.core.result_query import Grouping
from openhcs.core.result_statistics import histogram, measured_columns, spreads
from openhcs.errors import StoreError
from tests.core.made_results import write_tables

WELLS = {"A01": [0.0, 1.0, 2.0, math.nan], "A10": [10.0], "B02": [3.0, 5.0], "AA10": [math.inf]}


def test_values_are_counted_in_classes(tmp_path: Path) -> None:
    """Every finite value is in one class, the largest in the last; the others are counted as missing."""
    found = histogram(write_tables(tmp_path, WELLS), "cells", "area", 5)
    assert found is not None
    assert found.edges == (0.0, 2.0, 4.0, 6.0, 8.0, 10.0)
    assert found.counts == (2, 2, 1, 0, 1)
    assert found.missing == 2
    assert (found.spread.count, found.spread.mean, found.spread.median) == (6, 3.5, 2.5)


@pytest.mark.parametrize("column", ["count", "value", "group", "mean", "0.5"])
def test_a_column_may_have_any_name(tmp_path: Path, column: str) -> None:
    """Also one that is used in counting: `count` is what the table of counts has."""
    out = write_tables(tmp_path, WELLS, column=column)
    found = histogram(out, "cells", column, 5)
    assert found is not None
    assert found.counts == (2, 2, 1, 0, 1)
    assert [spread.median for spread in spreads(out, "cells", column, Grouping.WELL)] == [1.0, 10.0, 4.0]


def test_values_that_are_all_the_same_are_one_class(tmp_path: Path) -> None:
    """A column without any spread can be drawn too."""
    found = histogram(write_tables(tmp_path, {"A01": [4.0, 4.0]}), "cells", "area", 3)
    assert found is not None
    assert found.counts == (2, 0, 0)


def test_a_column_without_numbers_has_no_histogram(tmp_path: Path) -> None:
    """There is nothing to draw, and that is no error."""
    assert histogram(write_tables(tmp_path, {"A01": [math.nan]}), "cells", "area", 3) is None


@pytest.mark.parametrize(
    ("by", "names", "medians"),
    [
        (Grouping.ALL, ["all wells"], [2.5]),
        (Grouping.WELL, ["A01", "A10", "B02"], [1.0, 10.0, 4.0]),
        (Grouping.ROW, ["A", "B"], [1.5, 4.0]),
        (Grouping.COLUMN, ["01", "02", "10"], [1.0, 4.0, 10.0]),
    ],
)
def test_values_are_put_together_by_place(tmp_path: Path, by: Grouping, names: list[str], medians: list[float]) -> None:
    """By well, row, column or not at all, in the plate's order; groups without a finite number are left out."""
    found = spreads(write_tables(tmp_path, WELLS), "cells", "area", by)
    assert [spread.name for spread in found] == names
    assert [spread.median for spread in found] == medians


def test_measured_columns_are_told_from_places(tmp_path: Path) -> None:
    """Site and label are numbers and measure nothing."""
    out = write_tables(tmp_path, WELLS)
    assert measured_columns(out, "cells") == ("area", "size")
    with pytest.raises(StoreError, match="weight"):
        spreads(out, "cells", "weight", Grouping.ROW)
