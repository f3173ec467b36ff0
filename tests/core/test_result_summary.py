"""A results folder at a glance."""

from __future__ import annotations

from pathlib import Path

import pytest

from openhcs.core.result_summary import ResultSummary, SummaryReader
from openhcs.errors import StoreError
from tests.core.made_results import write_provenance, write_tables


def test_wells_are_summed_up(tmp_path: Path) -> None:
    """Objects by label and well, warnings grouped over wells, the slowest well first, and the tables there are."""
    write_tables(tmp_path, {"A01": [1.0], "B02": [2.0]})
    write_provenance(tmp_path, "B02", objects={"nuclei": 7}, seconds=1.5, warnings={"dim": 2})
    write_provenance(tmp_path, "A01", objects={"nuclei": 3}, seconds=2.5, warnings={"dim": 1, "odd": 1})
    summary = SummaryReader(tmp_path).read()
    assert summary.wells == ("A01", "B02")
    assert summary.objects == {"nuclei": {"A01": 3, "B02": 7}}
    assert list(summary.seconds) == ["A01", "B02"]
    assert [(group.text, group.times, group.wells) for group in summary.warnings] == [
        ("dim", 3, ("A01", "B02")),
        ("odd", 1, ("A01",)),
    ]
    assert summary.tables == ("cells",)


def test_a_well_that_is_done_anew_is_read_anew(tmp_path: Path) -> None:
    """The reader keeps what it knows of a well until the well's file is another one."""
    reader = SummaryReader(tmp_path)
    assert reader.read() == ResultSummary()
    write_provenance(tmp_path, "A01", objects={"nuclei": 3})
    assert reader.read().objects == {"nuclei": {"A01": 3}}
    write_provenance(tmp_path, "A01", objects={"nuclei": 12345})
    assert reader.read().objects == {"nuclei": {"A01": 12345}}


def test_records_of_another_version_are_refused(tmp_path: Path) -> None:
    """What another version wrote is not read as if it was ours."""
    write_provenance(tmp_path, "A01", format="other")
    with pytest.raises(StoreError, match="provenance"):
        SummaryReader(tmp_path).read()
