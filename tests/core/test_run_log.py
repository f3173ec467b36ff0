"""A run's log: followed, filtered, searched."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from openhcs.core.journal import Event, EventKind, JournalWriter, Json
from openhcs.core.results import ResultsFolder
from openhcs.core.run_folder import RunFolder
from openhcs.core.run_log import LogReader
from openhcs.core.run_log_query import LogKind, LogLevel, LogPage, LogQuery
from openhcs.errors import StoreError

PRINTED = """\
starting
2026-11-23 - distributed.worker - WARNING - A01 is slow
A02 is fine
Traceback (most recent call last):
ValueError: odd image of A02
an Error that is not told
"""


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A run that has said a few things."""
    folder = RunFolder(ResultsFolder(tmp_path).runs / "20261123T000000.000000Z")
    folder.path.mkdir(parents=True)
    (folder.path / "run.json").write_text("{}")
    folder.log.write_text(PRINTED)
    with JournalWriter(folder.journal) as journal:
        for kind, well, data in events():
            journal.append(Event(1_795_392_966.0, kind, well, data))
    return folder


def events() -> list[tuple[EventKind, str | None, Mapping[str, Json]]]:
    return [
        (EventKind.RUN_STARTED, None, {"plate": "P", "pipeline": "nuclei", "wells": ["A01", "A02"]}),
        (EventKind.WELL_STARTED, "A01", {}),
        (EventKind.STEP_STARTED, "A01", {"step": 6, "steps": 10, "name": "Blur", "where": "site 2, step 1 of 5"}),
        (EventKind.WELL_RETRIED, "A01", {"message": "its worker was lost"}),
        (EventKind.WELL_FAILED, "A01", {"message": "image of A01 is cut short"}),
        (EventKind.WELL_FINISHED, "A02", {"objects": {"nuclei": 7}}),
        (EventKind.RUN_FINISHED, None, {}),
    ]


def texts(page: LogPage) -> list[str]:
    chosen = page.passing if page.passing is not None else range(page.total)
    found = []
    for number in chosen:
        block, place = page.block_of(number)
        found.append(page.blocks[block][place])
    return found


def test_what_happened_is_told_in_words(run: RunFolder, tmp_path: Path) -> None:
    """A line an event: when, to which well, what."""
    told = [line.split("  ", 1)[1] for line in texts(LogReader(tmp_path).read(LogQuery()))]
    assert told == [
        "run   started: 2 wells of P with nuclei",
        "A01   started",
        "A01   site 2, step 1 of 5: Blur",
        "A01   tried again: its worker was lost",
        "A01   failed: image of A01 is cut short",
        "A02   finished: 7 nuclei",
        "run   finished",
    ]


@pytest.mark.parametrize(
    ("kind", "well", "level", "numbers"),
    [
        (LogKind.EVENTS, "A01", LogLevel.ALL, [1, 2, 3, 4]),
        (LogKind.EVENTS, "", LogLevel.WARNINGS, [3, 4]),
        (LogKind.EVENTS, "A02", LogLevel.ERRORS, []),
        (LogKind.PRINTED, "A02", LogLevel.ALL, [2, 4]),
        (LogKind.PRINTED, "", LogLevel.WARNINGS, [1, 3, 4, 5]),
        (LogKind.PRINTED, "A02", LogLevel.ERRORS, [4]),
    ],
)
def test_lines_are_filtered_by_well_and_level(
    run: RunFolder, tmp_path: Path, kind: LogKind, well: str, level: LogLevel, numbers: list[int]
) -> None:
    """Only lines about the well, and only those that are as bad."""
    page = LogReader(tmp_path).read(LogQuery(kind, well, level))
    assert page.passing is not None
    assert list(page.passing) == numbers


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        (LogQuery(LogKind.PRINTED, search="error"), [4, 5]),
        (LogQuery(LogKind.PRINTED, search="Error that"), [5]),
        (LogQuery(LogKind.PRINTED, search="ERROR"), []),
        (LogQuery(LogKind.PRINTED, well="A02", search="a"), [2, 4]),
        (LogQuery(LogKind.EVENTS, search="7 nuclei"), [5]),
    ],
)
def test_texts_are_found(run: RunFolder, tmp_path: Path, query: LogQuery, numbers: list[int]) -> None:
    """As they are shown, among the lines that the filter lets through; capitals count where there are any."""
    assert list(LogReader(tmp_path).read(query).found) == numbers


def test_a_log_is_followed(run: RunFolder, tmp_path: Path) -> None:
    """New lines are there in the next answer; one that was half written is looked at again when it is whole."""
    reader = LogReader(tmp_path)
    query = LogQuery(LogKind.PRINTED, level=LogLevel.ERRORS)
    with run.log.open("a") as log:
        log.write("this is an ERR")
        log.flush()
        page = reader.read(query)
        assert (page.total, list(page.passing or ())) == (7, [3, 4, 5])
        log.write("OR\n")
    page = reader.read(query)
    assert (page.total, list(page.passing or ())) == (7, [3, 4, 5, 6])
    assert texts(page)[-1] == "this is an ERROR"


def test_the_log_of_a_newer_run_takes_the_place_of_the_old_one(run: RunFolder, tmp_path: Path) -> None:
    """The run that was started last is the one that is shown."""
    reader = LogReader(tmp_path)
    assert reader.read(LogQuery(LogKind.PRINTED)).total == 6
    newer = RunFolder(run.path.with_name("20261124T000000.000000Z"))
    newer.path.mkdir()
    (newer.path / "run.json").write_text("{}")
    assert reader.read(LogQuery(LogKind.PRINTED)).total == 0
    newer.log.write_text("again\n")
    assert texts(reader.read(LogQuery(LogKind.PRINTED))) == ["again"]


def test_without_a_run_there_is_no_log(tmp_path: Path) -> None:
    """That is told, with what to do."""
    with pytest.raises(StoreError, match="no run has been in"):
        LogReader(tmp_path).read(LogQuery())
