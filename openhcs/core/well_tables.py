"""Measurements of wells for looking at: a well's table to sort and page through, one number a well for a plate map.

polars is imported when the first table is read (0.2 s); call everything here in a thread.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from openhcs.core.results import ResultsFolder
from openhcs.errors import StoreError

if TYPE_CHECKING:
    import polars as pl

__all__ = ["WellTable", "numeric_columns", "read_well_table", "tables_of_well", "well_mean"]

_PLACE_COLUMNS = frozenset({"plate", "well", "site", "channel", "z", "t", "t_s", "label"})
"""Columns that say which object a row is about, and measure nothing."""


@dataclass(frozen=True)
class WellTable:
    """The rows of one table for one well, to be read row by row."""

    name: str
    columns: tuple[str, ...]
    _frame: pl.DataFrame

    @property
    def height(self) -> int:
        """How many rows there are."""
        return self._frame.height

    def row(self, number: int) -> tuple[str, ...]:
        """The values of one row as text."""
        return tuple(_text(value) for value in self._frame.row(number))

    def sorted_by(self, column: str, *, descending: bool) -> WellTable:
        """The same rows in another order; rows without a value come last."""
        frame = self._frame.sort(column, descending=descending, nulls_last=True, maintain_order=True)
        return WellTable(self.name, self.columns, frame)


def tables_of_well(out: Path, well: str) -> tuple[str, ...]:
    """The names of the tables that have a file for `well`."""
    results = ResultsFolder(out)
    return tuple(sorted(file.parent.name for file in results.tables.glob(f"*/{well}.parquet")))


def read_well_table(out: Path, table: str, well: str) -> WellTable:
    """The rows of a table for one well, without the columns that are the same in every row of it.

    Raises:
        StoreError: it is missing or damaged.
    """
    frame = _read(ResultsFolder(out).well_table(table, well))
    frame = frame.drop([name for name in ("plate", "well") if name in frame.columns])
    return WellTable(table, tuple(frame.columns), frame)


def numeric_columns(out: Path) -> tuple[tuple[str, str], ...]:
    """Every (table, column) of a results folder that holds numbers measured, as told by one well of each table.

    Raises:
        StoreError: a table cannot be read.
    """
    results = ResultsFolder(out)
    found = []
    for folder in sorted(path for path in results.tables.glob("*") if path.is_dir()):
        file = next(iter(sorted(folder.glob("[!.]*.parquet"))), None)
        if file is None:
            continue
        frame = _read(file, rows=0)
        found += [
            (folder.name, name)
            for name, kind in frame.schema.items()
            if kind.is_numeric() and name not in _PLACE_COLUMNS
        ]
    return tuple(found)


def well_mean(out: Path, table: str, column: str, well: str) -> float | None:
    """The mean of a column over a well's rows; None where the well has no number there.

    Raises:
        StoreError: the well's table is damaged.
    """
    file = ResultsFolder(out).well_table(table, well)
    if not file.exists():
        return None
    frame = _read(file, columns=(column,))
    mean = frame[column].drop_nulls().drop_nans().mean() if frame.schema[column].is_float() else frame[column].mean()
    return float(mean) if isinstance(mean, int | float) and math.isfinite(mean) else None


def _read(file: Path, *, columns: Sequence[str] | None = None, rows: int | None = None) -> pl.DataFrame:
    # 0.2 s on first use.
    import polars as pl

    try:
        return pl.read_parquet(file, columns=list(columns) if columns is not None else None, n_rows=rows)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise StoreError(
            f"table cannot be read: {file} ({type(error).__name__}: {error}); expected a table of results. "
            "Run the well again."
        ) from error


def _text(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.5g}" if isinstance(value, float) else str(value)
