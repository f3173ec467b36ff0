"""What the program remembers between starts: kept, bounded, set aside where it is broken."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from openhcs.core import paths
from openhcs.core.remembered import REMEMBERED_AT_MOST, Remembered, load_remembered, save_remembered


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own for each test."""
    monkeypatch.setenv(paths.HOME_VARIABLE, str(tmp_path))
    return tmp_path


def test_recent_plates_come_first_once_and_bounded() -> None:
    """The list of recent plates has no repetition, the newest first, and does not grow for ever."""
    remembered = Remembered()
    for number in range(REMEMBERED_AT_MOST + 5):
        remembered = remembered.with_plate(Path(f"/plates/{number}"))
    remembered = remembered.with_plate(Path("/plates/10"))
    assert remembered.plates[0] == Path("/plates/10")
    assert len(remembered.plates) == len(set(remembered.plates)) == REMEMBERED_AT_MOST


def test_what_is_remembered_comes_back() -> None:
    """The folder last browsed and the recent files survive a restart."""
    remembered = Remembered().with_folder(Path("/data")).with_pipeline(Path("/p.yaml")).with_plate(Path("/plate é"))
    save_remembered(remembered)
    assert load_remembered() == remembered


@pytest.mark.parametrize("text", ["plates: 3", "][", "\x00\x01"])
def test_a_broken_memory_is_set_aside(text: str, caplog: pytest.LogCaptureFixture) -> None:
    """A state file nobody can read costs a warning, and the next start is clean; the file itself is kept."""
    file = paths.remembered_file()
    file.parent.mkdir(parents=True)
    file.write_text(text)
    with caplog.at_level(logging.WARNING):
        assert load_remembered() == Remembered()
    assert str(file) in caplog.text
    assert file.with_name("remembered.yaml.broken").read_text() == text
    caplog.clear()
    assert load_remembered() == Remembered()
    assert not caplog.records


def test_memory_that_cannot_be_saved_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A read-only home never stops the program."""
    (tmp_path / "taken").write_text("")
    with caplog.at_level(logging.WARNING):
        save_remembered(Remembered(), tmp_path / "taken" / "remembered.yaml")
    assert "not remembered" in caplog.text
