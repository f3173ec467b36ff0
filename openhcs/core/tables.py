"""Measurement tables as parquet and CSV files: a file a well, and all wells together at the end of a run.

polars is imported with this module (0.2 s): only workers and the runner may import it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from openhcs.core.results import ResultsFolder, explained

__all__ = ["Rows", "combine_tables", "write_well_table"]

Rows = Mapping[str, npt.NDArray[np.generic]]
"""Equally long columns by name."""


def write_well_table(parts: Sequence[Rows], path: Path) -> int:
    """Write the rows of one well, part after part, and return their number.

    Parts may differ in their columns (a value that a part lacks is null) and in the width of their numbers.
    """
    table = pl.concat([pl.DataFrame(dict(part)) for part in parts], how="diagonal_relaxed")
    table.write_parquet(path)
    return table.height


def combine_tables(folder: ResultsFolder, wells: Sequence[str]) -> Mapping[str, int]:
    """Write `<table>.parquet` and `<table>.csv` with the rows of all these wells; return the rows by table.

    Each file is put in place as one. A table that none of these wells has is left alone while another well has it; one
    that no well has any more, since another pipeline has replaced them all, is removed.

    Raises:
        StoreError: a table cannot be read or written.
    """
    rows: dict[str, int] = {}
    with explained(folder.tables):
        tables = sorted(path.name for path in folder.tables.glob("*") if path.is_dir())
        for table in tables:
            files = [file for well in wells if (file := folder.well_table(table, well)).exists()]
            if not files:
                _remove_if_empty(folder.tables / table)
                continue
            together = pl.concat([pl.read_parquet(file) for file in files], how="diagonal_relaxed")
            for suffix in ("parquet", "csv"):
                temporary = folder.tables / f".{table}.{suffix}"
                if suffix == "csv":
                    together.write_csv(temporary)
                else:
                    together.write_parquet(temporary)
                temporary.replace(folder.tables / f"{table}.{suffix}")
            rows[table] = together.height
    return rows


def _remove_if_empty(table: Path) -> None:
    """Remove the files of all wells together where no well has this table."""
    if any(table.iterdir()):
        return
    for suffix in ("parquet", "csv"):
        table.with_name(f"{table.name}.{suffix}").unlink(missing_ok=True)
    table.rmdir()
