"""Reading, ordering and filtering what a folder holds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from openhcs.tui.editors.folder_listing import LocalDisk, size_text, time_text
from openhcs.tui.editors.folder_table import Entry, FolderTable, SortOrder


def read(folder: Path) -> FolderTable:
    """The table of `folder`, with all details."""
    table, disk = FolderTable(folder), LocalDisk()
    table.take(disk.scan(folder), lambda: True)
    table.arrange()
    table.begin_details()
    table.read_details(disk, lambda: True)
    table.arrange()  # links are folders only now
    return table


def names(table: FolderTable, order: SortOrder = SortOrder.NAME, *, backwards: bool = False) -> list[str]:
    return [table.names[row] for row in table.arranged(order, backwards)]


def test_folders_first_and_numbers_by_value(tmp_path: Path) -> None:
    """Folders come before files, names without regard to case, and site 2 before site 10."""
    for name in ("site10", "Site2", "a"):
        (tmp_path / name).mkdir()
    for name in ("B.tif", "a.tif"):
        (tmp_path / name).touch()
    table = read(tmp_path)
    assert names(table) == ["a", "Site2", "site10", "a.tif", "B.tif"]
    assert names(table, backwards=True) == ["site10", "Site2", "a", "B.tif", "a.tif"]
    assert table.folder_count == 3


def test_newest_and_largest_first(tmp_path: Path) -> None:
    """By time the newest comes first, by size the largest, folders before files in both; backwards the other way."""
    (tmp_path / "folder").mkdir()
    for i, (name, size) in enumerate([("old_large", 3000), ("new_small", 1), ("mid", 20)]):
        (tmp_path / name).write_bytes(b"x" * size)
        os.utime(tmp_path / name, (0, [100, 300, 200][i]))
    table = read(tmp_path)
    assert names(table, SortOrder.MODIFIED) == ["folder", "new_small", "mid", "old_large"]
    assert names(table, SortOrder.SIZE) == ["folder", "old_large", "mid", "new_small"]
    assert names(table, SortOrder.SIZE, backwards=True) == ["folder", "new_small", "mid", "old_large"]


def test_broken_links_and_odd_names_are_listed(tmp_path: Path) -> None:
    """Links to nowhere and to themselves, an undecodable name and one with a line break are entries like others."""
    (tmp_path / "dangling").symlink_to(tmp_path / "gone")
    (tmp_path / "round").symlink_to(tmp_path / "round")
    (tmp_path / "line\nbreak").write_bytes(b"12")
    (tmp_path / "back").symlink_to(tmp_path)
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.tif")).touch()
    table = read(tmp_path)
    entries = {entry.name: entry for entry in map(table.entry, table.by_name)}
    assert len(entries) == 5
    assert entries["dangling"] == Entry("dangling", False, problem="gone", is_link=True)
    assert entries["round"].problem == "link loop"
    assert entries["line\nbreak"].size == 2
    assert entries["back"].is_folder
    assert names(table)[0] == "back"


def test_reading_stops_when_nobody_wants_it(tmp_path: Path) -> None:
    """A listing that is no longer wanted ends at the next entry."""
    for i in range(50):
        (tmp_path / f"{i}").touch()
    left = iter([True] * 5)
    table = FolderTable(tmp_path)
    table.take(LocalDisk().scan(tmp_path), lambda: next(left, False))
    assert len(table) == 5


def test_the_filter_knows_no_case_and_no_composition(tmp_path: Path) -> None:
    """A filter matches whatever the case, and an accent however it is composed; dot files and suffixes are optional."""
    for name in ("Cafe\u0301.YAML", "plate.tif", ".hidden.yaml"):
        (tmp_path / name).touch()
    (tmp_path / "folder").mkdir()
    table = read(tmp_path)

    def found(**options: Any) -> list[str]:
        return [table.names[row] for row in table.matching(table.by_name, **options)]

    assert found(text="CAFÉ") == ["Cafe\u0301.YAML"]
    assert found(suffixes=[".yaml"], hidden=False) == ["folder", "Cafe\u0301.YAML"]
    assert found(suffixes=[".yaml"]) == ["folder", ".hidden.yaml", "Cafe\u0301.YAML"]
    assert found(files=False) == ["folder"]


@pytest.mark.parametrize(
    ("size", "text"),
    [(None, ""), (0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (9949, "9.9 kB"), (9951, "10 kB"), (999_600, "1.0 MB")],
)
def test_sizes_are_short(size: int | None, text: str) -> None:
    """A size has two or three digits and a unit."""
    assert size_text(size) == text


def test_an_impossible_time_is_no_error() -> None:
    """A time beyond the calendar is shown as unknown."""
    assert time_text(1e30) == "?"
    assert time_text(None) == ""
