"""How a column of numbers is spread over a plate, or over its wells, rows or columns: what plots are drawn from.

polars is imported with this module (0.2 s), and everything here blocks: import and call it in a thread.
Checked by tests/core/test_result_statistics.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import polars as pl

from openhcs.core.model import well_position
from openhcs.core.result_query import Grouping, Histogram, Spread
from openhcs.core.result_tables import PLACE_COLUMNS, read_problems, scan_table
from openhcs.core.results import ResultsFolder
from openhcs.errors import StoreError

__all__ = ["histogram", "measured_columns", "spreads"]

_VALUE: Final = "value"
_GROUP: Final = "group"


def measured_columns(out: Path, table: str) -> tuple[str, ...]:
    """The columns of a table that hold numbers measured.

    Raises:
        StoreError: the table is missing or damaged.
    """
    with read_problems(table):
        schema = scan_table(ResultsFolder(out), table).collect_schema()
    return tuple(name for name, kind in schema.items() if kind.is_numeric() and name not in PLACE_COLUMNS)


def histogram(out: Path, table: str, column: str, bins: int) -> Histogram | None:
    """The values of a column in `bins` classes of the same width; None where it has no finite number.

    Raises:
        StoreError: the table is missing, damaged, or has no such column.
    """
    with read_problems(table):
        rows = scan_table(ResultsFolder(out), table).select(pl.col(column).cast(pl.Float64)).collect()[column]
        values = rows.filter(rows.is_finite())
        if values.is_empty():
            return None
        low, high = _number(values.min()), _number(values.max())
        width = (high - low) / bins or 1.0
        classes = ((values - low) / width).cast(pl.Int64).clip(0, bins - 1)
        found = dict(classes.alias(_VALUE).value_counts().iter_rows())
        frame = values.alias(_VALUE).to_frame().lazy().with_columns(pl.lit("").alias(_GROUP))
        spread = _spreads(frame)[0]
    return Histogram(
        edges=tuple(low + width * number for number in range(bins + 1)),
        counts=tuple(int(found.get(number, 0)) for number in range(bins)),
        spread=spread,
        missing=len(rows) - len(values),
    )


def spreads(out: Path, table: str, column: str, by: Grouping) -> Sequence[Spread]:
    """The values of a column by group, in the plate's order; groups without a finite number are left out.

    Raises:
        StoreError: the table is missing, damaged, or has no such column.
    """
    well = pl.col("well")
    group = {
        Grouping.ALL: pl.lit(Grouping.ALL.value),
        Grouping.ROW: well.str.extract(r"^(\D+)"),
        Grouping.COLUMN: well.str.extract(r"(\d+)$"),
        Grouping.WELL: well,
    }[by]
    with read_problems(table):
        source = scan_table(ResultsFolder(out), table)
        if column not in source.collect_schema():
            raise StoreError(f"table {table}: it has no column {column}; expected one that it has.")
        value = pl.col(column).cast(pl.Float64).alias(_VALUE)
        found = _spreads(source.select(group.alias(_GROUP), value).filter(pl.col(_VALUE).is_finite()))
    return sorted(found, key=lambda spread: _place(spread.name, by))


def _spreads(values: pl.LazyFrame) -> Sequence[Spread]:
    value = pl.col(_VALUE)
    frame = values.group_by(_GROUP).agg(
        value.len().alias("count"),
        value.mean().alias("mean"),
        *(value.quantile(share, "linear").alias(str(share)) for share in (0.05, 0.25, 0.5, 0.75, 0.95)),
    )
    return [Spread(str(name), int(count), *map(float, numbers)) for name, count, *numbers in frame.collect().rows()]


def _place(name: str, by: Grouping) -> tuple[int, int]:
    match by:
        case Grouping.WELL:
            return well_position(name)
        case Grouping.ROW:
            return well_position(f"{name}01")
        case Grouping.COLUMN:
            return 0, int(name)
        case Grouping.ALL:
            return 0, 0


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
