"""Results folders made without a run: tables and provenance as a run leaves them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from openhcs.core.results import ResultsFolder
from openhcs.core.tables import combine_tables, write_well_table
from openhcs.core.whole_file import write_text

__all__ = ["write_provenance", "write_tables"]


def write_tables(
    out: Path, wells: Mapping[str, list[float]], *, table: str = "cells", column: str = "area", together: bool = True
) -> Path:
    """A table with a row for each of the values of each well, in `column`; `together` as after the end of a run."""
    results = ResultsFolder(out)
    for well, values in wells.items():
        file = results.well_table(table, well)
        file.parent.mkdir(parents=True, exist_ok=True)
        count = len(values)
        rows = {
            "plate": np.array(["P"] * count),
            "well": np.array([well] * count),
            "site": np.ones(count, np.int64),
            "label": np.arange(1, count + 1),
            column: np.array(values, np.float64),
            "size": np.array([int(value) if np.isfinite(value) else 0 for value in values], np.int64),
        }
        write_well_table([rows], file)
    if together:
        combine_tables(results, tuple(wells))
    return out


def write_provenance(out: Path, well: str, **content: object) -> None:
    """What is on record about a well, as far as a test needs it."""
    file = ResultsFolder(out).provenance_file(well)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_text(file, json.dumps({"format": "openhcs provenance 1", **content}))
