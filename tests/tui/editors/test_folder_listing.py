"""Reading, ordering and filtering what a folder holds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from openhcs.tui.editors.folder_listing import (
    LocalDisk,
    SortOrder,
    arranged,
    matching,
    read_folder,
    size_text,
    time_text,
    with_details,
)


def _names(folder: Path, order: SortOrder = SortOrder.NAME) -> list[str]:
    disk = LocalDisk()
    entries = [with_details(disk, folder, entry) for entry in read_folder(disk, folder, lambda: True)]
    return [entry.name for entry in arranged(entries, order)]


def test_folders_first_and_numbers_by_value(tmp_path: Path) -> None:
    """Folders come before files, names without regard to case, and site 2 before site 10."""
    for name in ("site10", "Site2", "a"):
        (tmp_path / name).mkdir()
    for name in ("B.tif", "a.tif"):
        (tmp_path / name).touch()
    assert _names(tmp_path) == ["a", "Site2", "site10", "a.tif", "B.tif"]


def test_newest_and_largest_first(tmp_path: Path) -> None:
    """By time the newest comes first, by size the largest, folders before files in both."""
    (tmp_path / "folder").mkdir()
    for i, (name, size) in enumerate([("old_large", 3000), ("new_small", 1), ("mid", 20)]):
        (tmp_path / name).write_bytes(b"x" * size)
        os.utime(tmp_path / name, (0, [100, 300, 200][i]))
    assert _names(tmp_path, SortOrder.MODIFIED) == ["folder", "new_small", "mid", "old_large"]
    assert _names(tmp_path, SortOrder.SIZE) == ["folder", "old_large", "mid", "new_small"]


def test_broken_links_and_odd_names_are_listed(tmp_path: Path) -> None:
    """A link to nowhere, an undecodable name and one with a line break are entries like others."""
    (tmp_path / "dangling").symlink_to(tmp_path / "gone")
    (tmp_path / "line\nbreak").touch()
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.tif")).touch()
    entries = {
        entry.name: with_details(LocalDisk(), tmp_path, entry)
        for entry in read_folder(LocalDisk(), tmp_path, lambda: True)
    }
    assert len(entries) == 3
    assert entries["dangling"].size is None
    assert not entries["dangling"].is_folder


def test_reading_stops_when_nobody_wants_it(tmp_path: Path) -> None:
    """A listing that is no longer wanted ends at the next entry."""
    for i in range(50):
        (tmp_path / f"{i}").touch()
    left = iter([True] * 5)
    assert len(read_folder(LocalDisk(), tmp_path, lambda: next(left, False))) == 5


def test_the_filter_knows_no_case_and_no_composition(tmp_path: Path) -> None:
    """A filter matches whatever the case, and an accent however it is composed; dot files and suffixes are optional."""
    for name in ("Cafe\u0301.YAML", "plate.tif", ".hidden.yaml"):
        (tmp_path / name).touch()
    (tmp_path / "folder").mkdir()
    entries = read_folder(LocalDisk(), tmp_path, lambda: True)

    def names(**options: object) -> list[str]:
        return [entry.name for entry in matching(entries, **options)]  # type: ignore[arg-type]

    assert names(text="CAFÉ") == ["Cafe\u0301.YAML"]
    assert names(suffixes=[".yaml"]) == ["folder", "Cafe\u0301.YAML"]
    assert names(suffixes=[".yaml"], hidden=True) == ["folder", ".hidden.yaml", "Cafe\u0301.YAML"]
    assert names(files=False) == ["folder"]


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
