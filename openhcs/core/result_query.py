"""What can be asked of the tables of a plate, and what is answered: values, light enough for any front end.

`result_tables` and `result_statistics` answer. Standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

__all__ = ["Column", "Grouping", "Histogram", "RowKind", "Spread", "TableQuery"]


class RowKind(Enum):
    """What a row is; the value is the word for it."""

    OBJECTS = "every row"
    MEAN = "mean of each well"
    MEDIAN = "median of each well"


@dataclass(frozen=True, slots=True)
class TableQuery:
    """What is asked of a table: which rows, of which `wells` (none named: all), sorted by a column (descending?)."""

    table: str
    kind: RowKind = RowKind.OBJECTS
    wells: frozenset[str] = frozenset()
    sort: tuple[str, bool] | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """One column, and whether it holds numbers."""

    name: str
    is_number: bool


class Grouping(Enum):
    """What the values are put together by; the value is the word for it."""

    ALL = "all wells"
    ROW = "row"
    COLUMN = "column"
    WELL = "well"


@dataclass(frozen=True, slots=True)
class Spread:
    """The values of one group: how many, their mean and median, and between what they lie.

    `low` and `high` are the 5th and 95th percentile, `quarter` and `three_quarters` the 25th and 75th.
    """

    name: str
    count: int
    mean: float
    low: float
    quarter: float
    median: float
    three_quarters: float
    high: float


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many values fall between each two of `edges`; `missing` counts rows without a number."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    spread: Spread
    missing: int
