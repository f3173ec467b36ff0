"""How the screen is drawn, by what the environment and the settings file say."""

from __future__ import annotations

from pathlib import Path

import pytest

from openhcs.core.config import load_settings
from openhcs.tui.effects.screen_settings import read_screen_settings


@pytest.fixture(autouse=True)
def settings_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, outside any terminal multiplexer."""
    for name in ("STY", "TMUX", "OPENHCS_MOUSE", "OPENHCS_PLAIN", "OPENHCS_SETTINGS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENHCS_HOME", str(tmp_path))
    file = tmp_path / "config" / "settings.yaml"
    file.parent.mkdir()
    return file


def test_the_mouse_is_off_in_gnu_screen_unless_asked_for(settings_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """GNU screen holds Escape back with the mouse on: taken where the user says so only, which the settings tell."""
    assert read_screen_settings().mouse
    assert load_settings().mouse
    monkeypatch.setenv("STY", "123.pts-0")
    assert not read_screen_settings().mouse
    assert not load_settings().mouse
    monkeypatch.setenv("TMUX", "/tmp/tmux")
    assert read_screen_settings().mouse
    assert load_settings().mouse
    monkeypatch.delenv("TMUX")
    settings_file.write_text("mouse: true\n")
    assert read_screen_settings().mouse
    monkeypatch.setenv("OPENHCS_MOUSE", "no")
    assert not read_screen_settings().mouse
