"""Bookmarks and recent folders: kept, bounded, safe from a broken file and from another workbench."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from openhcs.core.places import RECENT_AT_MOST, Places, change_places, load_places


def test_places_come_back(tmp_path: Path) -> None:
    """Bookmarks keep their order, each once; recent folders are the newest, bounded."""
    file = tmp_path / "state" / "places.yaml"
    change_places(lambda places: places.with_bookmark(Path("/a")).with_bookmark(Path("/é")), file)
    change_places(lambda places: places.with_bookmark(Path("/a")), file)
    for number in range(RECENT_AT_MOST + 3):
        change_places(lambda places, number=number: places.with_recent(Path(f"/r{number}")), file)  # type: ignore[misc]
    places = load_places(file)
    assert places.bookmarks == (Path("/é"), Path("/a"))
    assert len(places.recent) == RECENT_AT_MOST
    assert places.recent[0] == Path(f"/r{RECENT_AT_MOST + 2}")
    assert change_places(lambda places: places.without_bookmark(Path("/a")), file).bookmarks == (Path("/é"),)


@pytest.mark.parametrize("text", ["bookmarks: 3", "][", "\x00"])
def test_a_broken_file_is_set_aside(tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture) -> None:
    """A file nobody can read is kept beside, told once, and replaced by the next bookmark."""
    file = tmp_path / "places.yaml"
    file.write_text(text)
    with caplog.at_level(logging.WARNING):
        assert change_places(lambda places: places.with_bookmark(Path("/a")), file).bookmarks == (Path("/a"),)
    assert (tmp_path / "places.yaml.broken").read_text() == text
    assert load_places(file) == Places(bookmarks=(Path("/a"),))


def test_places_that_cannot_be_kept_are_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A read-only home never stops the browser."""
    (tmp_path / "taken").write_text("")
    with caplog.at_level(logging.WARNING):
        places = change_places(lambda places: places.with_bookmark(Path("/a")), tmp_path / "taken" / "places.yaml")
    assert places.bookmarks == (Path("/a"),)
    assert "not kept" in caplog.text
