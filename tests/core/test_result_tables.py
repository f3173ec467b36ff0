"""Tables of a whole plate: rows, order, choice of wells, export."""

from __future__ import annotations

import math
import os
from pathlib import Path

import polars as pl
import pytest

from openhcs.core.result_query import RowKind, TableQuery
from openhcs.core.result_tables import ResultTable
from openhcs.errors import InputError, StoreError
from tests.core.made_results import write_tables

WELLS = {"A01": [30.0, 1.5, math.nan], "B02": [1000.25, 2.0], "AA01": [7.0]}


def read(table: ResultTable, *columns: str) -> list[tuple[str, ...]]:
    return list(table.read(0, table.height, columns))


@pytest.mark.parametrize("together", [True, False])
def test_rows_are_read_page_by_page_whether_the_run_has_ended_or_not(tmp_path: Path, together: bool) -> None:
    """Files of wells and the file of all wells give the same rows, places first and without the plate."""
    table = ResultTable(write_tables(tmp_path, WELLS, together=together), TableQuery("cells"))
    assert [column.name for column in table.columns] == ["well", "site", "label", "area", "size"]
    assert table.height == 6
    assert table.read(1, 3, ("well", "label")) == [("A01", "2"), ("A01", "3"), ("B02", "1")]
    assert table.read(5, 100, ("well",)) == [("AA01",)]


def test_numbers_of_a_column_have_the_same_decimals(tmp_path: Path) -> None:
    """Decimal points stand below each other: the largest number decides on the digits."""
    table = ResultTable(write_tables(tmp_path, WELLS), TableQuery("cells"))
    assert [row[0] for row in read(table, "area")] == ["30.0", "1.5", "nan", "1000.2", "2.0", "7.0"]


@pytest.mark.parametrize(
    ("sort", "areas"),
    [
        (("area", False), ["1.5", "2.0", "7.0", "30.0", "1000.2", "nan"]),
        (("area", True), ["1000.2", "30.0", "7.0", "2.0", "1.5", "nan"]),
    ],
)
def test_rows_without_a_number_come_last_in_either_order(
    tmp_path: Path, sort: tuple[str, bool], areas: list[str]
) -> None:
    """Who looks for the largest does not meet the missing ones first."""
    table = ResultTable(write_tables(tmp_path, WELLS), TableQuery("cells", sort=sort))
    assert [row[0] for row in read(table, "area")] == areas


def test_wells_are_sorted_as_they_lie_on_the_plate(tmp_path: Path) -> None:
    """Row AA comes after row B."""
    table = ResultTable(write_tables(tmp_path, WELLS), TableQuery("cells", RowKind.MEAN, sort=("well", False)))
    assert read(table, "well") == [("A01",), ("B02",), ("AA01",)]


def test_some_wells_are_chosen(tmp_path: Path) -> None:
    """Only rows of the wells asked for, in the order asked for."""
    query = TableQuery("cells", wells=frozenset({"B02", "AA01"}), sort=("size", True))
    table = ResultTable(write_tables(tmp_path, WELLS), query)
    assert read(table, "well", "size") == [("B02", "1000"), ("AA01", "7"), ("B02", "2")]


@pytest.mark.parametrize(
    ("kind", "areas"), [(RowKind.MEAN, ["15.75", "501.12", "7.00"]), (RowKind.MEDIAN, ["15.75", "501.12", "7.00"])]
)
def test_wells_are_summed_up_without_their_gaps(tmp_path: Path, kind: RowKind, areas: list[str]) -> None:
    """One row a well with its number of rows; a value that is not a number takes no part."""
    table = ResultTable(write_tables(tmp_path, WELLS), TableQuery("cells", kind))
    assert [column.name for column in table.columns] == ["well", "rows", "area", "size"]
    assert read(table, "well", "rows", "area") == [
        ("A01", "3", areas[0]),
        ("B02", "2", areas[1]),
        ("AA01", "1", areas[2]),
    ]


def test_a_table_that_changes_under_the_reader_says_so(tmp_path: Path) -> None:
    """Rows of two versions are never mixed."""
    table = ResultTable(write_tables(tmp_path, WELLS), TableQuery("cells"))
    assert table.is_current
    write_tables(tmp_path, {**WELLS, "C03": [4.0]})
    assert not table.is_current
    with pytest.raises(StoreError, match="has changed"):
        table.read(0, 1, ("area",))


def test_a_well_done_anew_counts_before_the_run_has_ended(tmp_path: Path) -> None:
    """The file of all wells is out of date as soon as one of them is newer."""
    write_tables(tmp_path, WELLS)
    os.utime(tmp_path / "tables" / "cells.parquet", ns=(0, 0))
    write_tables(tmp_path, {"A01": [5.0]}, together=False)
    assert ResultTable(tmp_path, TableQuery("cells")).height == 4


@pytest.mark.parametrize("name", ["cells.csv", "cells.parquet"])
def test_what_is_shown_is_exported(tmp_path: Path, name: str) -> None:
    """The rows asked for, in their order, with all columns, and nothing else in the folder."""
    query = TableQuery("cells", wells=frozenset({"B02"}), sort=("area", False))
    target = tmp_path / "exports" / name
    target.parent.mkdir()
    assert ResultTable(write_tables(tmp_path / "out", WELLS), query).export(target) == 2
    frame = pl.read_csv(target) if name.endswith("csv") else pl.read_parquet(target)
    assert frame["area"].to_list() == [2.0, 1000.25]
    assert frame.columns == ["plate", "well", "site", "label", "area", "size"]
    assert list(target.parent.iterdir()) == [target]


def test_exports_that_cannot_be_are_refused(tmp_path: Path) -> None:
    """A name that says no format, and a folder that is not there, are named."""
    table = ResultTable(write_tables(tmp_path, WELLS), TableQuery("cells"))
    with pytest.raises(InputError, match=r"\.csv or \.parquet"):
        table.export(tmp_path / "cells.xlsx")
    with pytest.raises(StoreError, match=r"export: .*/nowhere/cells\.csv \(No such file .*Choose another place"):
        table.export(tmp_path / "nowhere" / "cells.csv")


def test_tables_that_are_missing_or_damaged_are_named(tmp_path: Path) -> None:
    """Each error says which table."""
    with pytest.raises(StoreError, match="absent"):
        ResultTable(tmp_path, TableQuery("absent"))
    write_tables(tmp_path, WELLS)
    (tmp_path / "tables" / "cells.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(StoreError, match="cells"):
        ResultTable(tmp_path, TableQuery("cells"))
    with pytest.raises(InputError, match="weight"):
        ResultTable(write_tables(tmp_path, WELLS), TableQuery("cells", sort=("weight", False)))
