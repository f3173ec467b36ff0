"""The tables of a whole plate for looking at: rows to page through, their order, a choice of wells, and export.

A table of 800,000 rows is not held: of it are kept the order of its rows and the columns that were looked at last.
While a run goes on it is the wells' files put one after the other, afterwards the file of all wells.

polars is imported with this module (0.2 s), and everything here blocks: import and call it in a thread. Statistics of
a column are `result_statistics`. Checked by tests/core/test_result_tables.py.
"""

from __future__ import annotations

import math
import secrets
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import polars as pl

from openhcs.core.model import well_position
from openhcs.core.result_query import Column, RowKind, TableQuery
from openhcs.core.results import ResultsFolder
from openhcs.core.tables import errors_of_polars
from openhcs.errors import InputError, StoreError, TableChangedError

__all__ = ["PLACE_COLUMNS", "ResultTable", "read_problems", "scan_table"]

PLACE_COLUMNS: Final = ("plate", "well", "site", "channel", "z", "t", "t_s", "label")
"""Columns that say which object a row is about, and measure nothing."""

_KEPT_COLUMNS: Final = 16
_SIGNIFICANT: Final = 5
_NUMBER: Final = "__row"
_CSV_SLICE: Final = 50_000


class ResultTable:
    """The rows that a query asks for. Any thread may read; readers wait for each other."""

    def __init__(self, out: Path, query: TableQuery) -> None:
        """Open the table and put its rows in order; 0.5 s for 800,000 rows.

        Raises:
            StoreError: it is missing or damaged.
            InputError: it has no such column.
        """
        self.query = query
        self._results = ResultsFolder(out)
        self._lock = threading.Lock()
        self._stamp = _stamp(_files(self._results, query.table))
        self._kept: dict[str, pl.Series] = {}
        self._formats: dict[str, str] = {}
        with read_problems(query.table):
            self._source = scan_table(self._results, query.table)
            if query.kind is not RowKind.OBJECTS:
                self._source = _by_well(self._source, query.kind).collect().lazy()
            schema = self._source.collect_schema()
            names = [name for name in schema if name != "plate"]
            first = [name for name in PLACE_COLUMNS if name in names]
            names = first + [name for name in names if name not in first]
            if query.sort is not None and query.sort[0] not in schema:
                raise InputError(
                    f"sorting {query.table}: {query.sort[0]}; expected one of its columns: {', '.join(names)}."
                )
            self.columns = tuple(Column(name, schema[name].is_numeric()) for name in names)
            self._order = _order(self._source, query)
            rows = self._source.select(pl.len()).collect().item() if self._order is None else len(self._order)
        self.height = int(rows)

    @property
    def is_current(self) -> bool:
        """Whether its files are those that were there when it was opened."""
        return _stamp(_files(self._results, self.query.table)) == self._stamp

    def read(self, first: int, count: int, columns: Sequence[str]) -> Sequence[tuple[str, ...]]:
        """`count` rows from row `first`, as text of these columns; a column's numbers have the same decimals.

        Raises:
            TableChangedError: the table has changed since it was opened.
            StoreError: it cannot be read.
        """
        if not columns:
            return [()] * max(0, min(count, self.height - first))
        with self._lock:
            if any(name not in self._kept for name in columns):
                self._load(columns)
            numbers = self._order.slice(first, count) if self._order is not None else None
            shown = []
            for name in columns:
                column = self._kept.pop(name)
                self._kept[name] = column  # the one looked at last is the last to go
                values = column[numbers] if numbers is not None else column.slice(first, count)
                form = self._formats[name]
                shown.append([_text(value, form) for value in values.to_list()])
            while len(self._kept) > max(_KEPT_COLUMNS, len(columns)):
                del self._kept[next(iter(self._kept))]
        return list(zip(*shown, strict=True))

    def _load(self, columns: Sequence[str]) -> None:
        missing = [name for name in columns if name not in self._kept]
        with self._unchanged(), read_problems(self.query.table):
            frame = self._source.select(missing).collect()
        for name in missing:
            self._kept[name] = frame[name]
            self._formats[name] = _format_of(frame[name])

    @contextmanager
    def _unchanged(self) -> Iterator[None]:
        """Say that the table has changed, if so, whatever comes of reading it; rows of wells are read already."""
        failure: StoreError | None = None
        try:
            yield
        except StoreError as error:
            failure = error
        if self.query.kind is RowKind.OBJECTS and not self.is_current:
            raise TableChangedError(
                f"table {self.query.table}: it has changed since it was opened; expected the same. Open it again."
            ) from failure
        if failure is not None:
            raise failure

    def export(self, path: Path) -> int:
        """Write these rows, all columns, as `path` says by its end: `.csv` or `.parquet`; return their number.

        The file is put in place as one.

        Raises:
            InputError: the name ends in neither.
            StoreError: it cannot be written.
        """
        suffix = path.suffix.lower()
        if suffix not in (".csv", ".parquet"):
            raise InputError(f"export: {path.name}; expected a name ending in .csv or .parquet. Choose another name.")
        aside = path.with_name(f".openhcs-{secrets.token_hex(8)}{suffix}")
        with _exporting(path):
            try:
                with self._unchanged(), errors_of_polars(path):
                    self._write(aside, suffix)
                aside.replace(path)
            finally:
                aside.unlink(missing_ok=True)
        return self.height

    def _write(self, path: Path, suffix: str) -> None:
        rows = self._source
        if self._order is not None:
            rows = rows.select(pl.all().gather(pl.lit(self._order)))
        if suffix == ".parquet":
            rows.collect().write_parquet(path)
        else:
            rows.collect().write_csv(path, batch_size=_CSV_SLICE)


@contextmanager
def _exporting(path: Path) -> Iterator[None]:
    """Turn an `OSError` inside into a `StoreError`; the file it names may be the one aside."""
    try:
        yield
    except StoreError:
        raise
    except OSError as error:
        raise StoreError(
            f"export: {path} ({error.strerror or error}); expected a folder that can be written. Choose another place."
        ) from error


def scan_table(results: ResultsFolder, table: str) -> pl.LazyFrame:
    """All rows of a table, in the plate's order; a column that a well lacks is null there.

    Raises:
        StoreError: no well has it.
    """
    files = _files(results, table)
    if not files:
        raise StoreError(f"table: {table} in {results.tables}; expected rows of at least one well. Run the plate.")
    return pl.concat([pl.scan_parquet(file, glob=False) for file in files], how="diagonal_relaxed")


@contextmanager
def read_problems(table: str) -> Iterator[None]:
    """Turn what polars says of a file that cannot be read into a `StoreError` that names the table."""
    try:
        yield
    except (StoreError, InputError):
        raise
    except (OSError, pl.exceptions.PolarsError) as error:
        raise StoreError(
            f"table cannot be read: {table} ({type(error).__name__}: {error}); expected a table of results. Run the "
            "wells again."
        ) from error


def _files(results: ResultsFolder, table: str) -> Sequence[Path]:
    """The file of all wells if it is newer than all of theirs, else theirs."""
    by_well = sorted((results.tables / table).glob("[!.]*.parquet"), key=lambda file: well_position(file.stem))
    together = results.tables / f"{table}.parquet"
    try:
        whole = together.stat().st_mtime_ns
        if all(file.stat().st_mtime_ns <= whole for file in by_well):
            return [together]
    except FileNotFoundError:
        pass  # a run has not come to its end yet, or is just replacing a well
    return by_well


def _stamp(files: Sequence[Path]) -> Collection[tuple[Path, int, int]]:
    stamp = []
    for file in files:
        try:
            found = file.stat()
        except FileNotFoundError:
            continue
        stamp.append((file, found.st_mtime_ns, found.st_size))
    return stamp


def _by_well(source: pl.LazyFrame, kind: RowKind) -> pl.LazyFrame:
    """One row a well: how many rows it has, and the mean or median of each measured column without its gaps."""
    schema = source.collect_schema()
    measured = [name for name, dtype in schema.items() if dtype.is_numeric() and name not in PLACE_COLUMNS]
    values = [pl.col(name).fill_nan(None) if schema[name].is_float() else pl.col(name) for name in measured]
    summed = [value.mean() if kind is RowKind.MEAN else value.median() for value in values]
    return source.group_by("well", maintain_order=True).agg(pl.len().alias("rows"), *summed)


def _order(source: pl.LazyFrame, query: TableQuery) -> pl.Series | None:
    """The numbers of the rows asked for, in their order; None for all as they are."""
    if not query.wells and query.sort is None:
        return None
    rows = source.with_row_index(_NUMBER)
    if query.wells:
        rows = rows.filter(pl.col("well").is_in(sorted(query.wells)))
    if query.sort is not None:
        name, descending = query.sort
        # Row AA comes after row Z.
        keys = [pl.col(name).str.len_chars(), pl.col(name)] if name == "well" else [_without_nan(rows, name)]
        rows = rows.sort(keys, descending=descending, nulls_last=True, maintain_order=True)
    return rows.select(_NUMBER).collect()[_NUMBER]


def _without_nan(rows: pl.LazyFrame, name: str) -> pl.Expr:
    """Rows without a number come last, whichever way they are sorted."""
    return pl.col(name).fill_nan(None) if rows.collect_schema()[name].is_float() else pl.col(name)


def _format_of(column: pl.Series) -> str:
    """How the column's numbers are written: alike, with five digits that tell of the largest."""
    if not column.dtype.is_float():
        return ""
    sizes = column.filter(column.is_finite()).abs()
    largest = sizes.max()
    if not isinstance(largest, float) or largest == 0:
        return ".1f"
    digits = math.floor(math.log10(largest)) + 1
    if not -3 < digits < 10:
        return f".{_SIGNIFICANT - 1}e"
    return f".{max(0, _SIGNIFICANT - max(digits, 1))}f" if digits > 0 else f".{_SIGNIFICANT - digits - 1}f"


def _text(value: object, form: str) -> str:
    if value is None:
        return ""
    return format(value, form) if isinstance(value, float) else str(value)
