"""Measurement tables: a parquet file a well, and all wells together at the end of a run, as CSV too where asked for.

Columns keep the types that functions give them, behind those that say what a row is about (`result_checks`). Rows are
sorted: wells in row-major order, in a well by site, channel, z, t and label. Wells are put together in batches, so
memory holds some of them and not the plate: 1,536 wells of 500 objects take 80 MiB.

polars is imported with this module (0.2 s): only workers and the runner may import it.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from openhcs.core.results import ResultsFolder, explained

__all__ = ["Rows", "combine_tables", "errors_of_polars", "write_well_table"]

Rows = Mapping[str, npt.NDArray[np.generic]]
"""Equally long columns by name."""

_ORDER = ("site", "channel", "z", "t", "label")
_BATCH_FILES = 64
_BATCH_BYTES = 16 << 20
_CSV_SLICE = 50_000
_RUSTS_ERRNO = re.compile(r"\(os error (\d+)\)")


def write_well_table(parts: Sequence[Rows], path: Path) -> int:
    """Write the rows of one well, sorted, and return their number; raises `OSError`.

    Parts may differ in their columns (a value that a part lacks is null) and in the width of their numbers.
    """
    table = pl.concat([pl.DataFrame(dict(part)) for part in parts], how="diagonal_relaxed")
    order = [column for column in _ORDER if column in table.columns]
    with errors_of_polars(path):
        (table.sort(order, maintain_order=True) if order else table).write_parquet(path)
    return table.height


def combine_tables(folder: ResultsFolder, wells: Sequence[str], *, csv: bool = False) -> Mapping[str, int]:
    """Write `<table>.parquet`, and with `csv` `<table>.csv`, of the rows of all these wells; return the rows by table.

    Each file is put in place as one. Without `csv` a CSV file of an earlier run is removed: it would be out of date. A
    table that none of these wells has is left alone while another well has it; one that no well has any more, since
    another pipeline has replaced them all, is removed.

    Raises:
        StoreError: a table cannot be read or written.
    """
    rows: dict[str, int] = {}
    with explained(folder.tables):
        tables = sorted(path.name for path in folder.tables.glob("*") if path.is_dir())
        for table in tables:
            files = [file for well in wells if (file := folder.well_table(table, well)).exists()]
            if files:
                rows[table] = _combine(folder, table, files, csv=csv)
            else:
                _remove_if_empty(folder.tables / table)
    return rows


def _combine(folder: ResultsFolder, table: str, files: Sequence[Path], *, csv: bool) -> int:
    """Put one table of all these files in place; return its rows."""
    folder.temporary.mkdir(exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix="tables-", dir=folder.temporary))
    together, text = aside / "together.parquet", aside / "together.csv"
    try:
        with errors_of_polars(folder.tables / table):
            parts = [_write_part(batch, aside / f"{number}.parquet") for number, batch in enumerate(_batches(files))]
            if len(parts) == 1:
                together = parts[0]
            else:
                _concatenated(parts).sink_parquet(together, maintain_order=True)
            rows: int = pl.scan_parquet(together).select(pl.len()).collect().item()
            if csv:
                _write_csv(together, rows, text)
        together.replace(folder.tables / f"{table}.parquet")
        if csv:
            text.replace(folder.tables / f"{table}.csv")
        else:
            (folder.tables / f"{table}.csv").unlink(missing_ok=True)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return rows


def _batches(files: Sequence[Path]) -> Iterator[Sequence[Path]]:
    """Neighbours, as many as may be in memory together."""
    batch: list[Path] = []
    size = 0
    for file in files:
        batch.append(file)
        size += file.stat().st_size
        if len(batch) == _BATCH_FILES or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _write_part(files: Sequence[Path], path: Path) -> Path:
    _concatenated(files).collect().write_parquet(path)
    return path


def _write_csv(table: Path, rows: int, path: Path) -> None:
    """Slice by slice, since polars' own way of doing it holds half of the text."""
    with path.open("wb") as file:
        for start in range(0, max(rows, 1), _CSV_SLICE):
            pl.scan_parquet(table).slice(start, _CSV_SLICE).collect().write_csv(file, include_header=start == 0)


def _concatenated(files: Sequence[Path]) -> pl.LazyFrame:
    """The rows of all files, one after the other; a column that one lacks is null there."""
    return pl.concat([pl.scan_parquet(file, glob=False) for file in files], how="diagonal_relaxed")


@contextmanager
def errors_of_polars(path: Path) -> Iterator[None]:
    """Turn what polars says of the system's errors into `OSError`; their numbers are in polars' texts only."""
    try:
        yield
    except (pl.exceptions.PolarsError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        found = _RUSTS_ERRNO.search(str(error))
        number = int(found[1]) if found else 0
        raise OSError(number, os.strerror(number) if number else str(error), str(path)) from error


def _remove_if_empty(table: Path) -> None:
    """Remove the files of all wells together where no well has this table."""
    if any(table.iterdir()):
        return
    for suffix in ("parquet", "csv"):
        table.with_name(f"{table.name}.{suffix}").unlink(missing_ok=True)
    table.rmdir()
