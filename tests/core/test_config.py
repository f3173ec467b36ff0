"""Settings and what is remembered: read, refused, saved, set aside."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from openhcs.core import paths
from openhcs.core.config import (
    REMEMBERED_AT_MOST,
    Remembered,
    Settings,
    available_cores,
    load_remembered,
    load_settings,
    save_remembered,
    save_settings,
)
from openhcs.errors import SettingsError, StoreError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own for each test."""
    monkeypatch.setenv(paths.HOME_VARIABLE, str(tmp_path))
    monkeypatch.delenv(paths.SETTINGS_VARIABLE, raising=False)
    return tmp_path


def test_one_folder_can_hold_everything(home: Path) -> None:
    """OPENHCS_HOME moves settings, state, journals, pipelines and logs into one folder."""
    for place in (
        paths.settings_file(),
        paths.remembered_file(),
        paths.journals_folder(),
        paths.pipelines_folder(),
        paths.logs_folder(),
    ):
        assert place.is_relative_to(home)


def test_without_a_file_the_defaults_hold() -> None:
    """A machine without a settings file runs on every core and writes beside the user."""
    settings = load_settings()
    assert settings.workers == available_cores() >= 1
    assert settings.results_folder == Path("openhcs-results")
    assert settings.worker_memory_gib is None
    assert settings.pipelines_folder == paths.pipelines_folder()
    assert settings.function_modules == ()


def test_what_was_saved_is_loaded() -> None:
    """Saved settings come back equal."""
    settings = Settings(workers=3, results_folder=Path("/data/results"), function_modules=("lab.functions",))
    save_settings(settings)
    assert load_settings() == settings


def test_defaults_are_not_frozen_into_the_file() -> None:
    """Only what was set is saved, so that the number of workers goes on following the machine."""
    save_settings(Settings(worker_memory_gib=2))
    assert paths.settings_file().read_text().split(":")[0] == "worker_memory_gib"
    assert "workers:" not in paths.settings_file().read_text()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("wokers: 3", ["wokers", "expected workers"]),
        ("nonsense: 3", ["nonsense", "results_folder", "function_modules"]),
        ("workers: many", ["workers", "'many'", "integer"]),
        ("workers: 0", ["workers", "0", "greater than or equal to 1"]),
        ("worker_memory_gib: -1", ["worker_memory_gib", "-1", "greater than 0"]),
        ("function_modules: [lab.functions, 'rm -rf']", ["function_modules.1", "'rm -rf'", "Python module"]),
        ("- a\n- b", ["list", "key: value"]),
        ("workers: 2\nfolder: [\n", ["line 3 is not YAML", "key: value"]),
        ("workers: 2\nworkers: 3", ["line 2", "stands on line 1 already"]),
        ("\x00", ["not YAML"]),
    ],
)
def test_a_wrong_setting_is_refused_by_name(text: str, words: list[str]) -> None:
    """An unknown key or a wrong value is an error that names the file, the key and what was expected."""
    file = paths.settings_file()
    file.parent.mkdir(parents=True)
    file.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    for word in [str(file), *words]:
        assert word in str(caught.value)


def test_every_wrong_setting_is_told_at_once(tmp_path: Path) -> None:
    """Two faults take one round of correcting, not two."""
    file = tmp_path / "two.yaml"
    file.write_text("workers: many\nwokers: 2\n")
    with pytest.raises(SettingsError, match=r"many.*wokers"):
        load_settings(file)


def test_the_environment_names_another_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """OPENHCS_SETTINGS wins over the usual place."""
    file = tmp_path / "cluster.yaml"
    file.write_text("workers: 7\n")
    monkeypatch.setenv(paths.SETTINGS_VARIABLE, str(file))
    assert load_settings().workers == 7


def test_a_named_file_must_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistyped OPENHCS_SETTINGS does not silently mean the defaults."""
    monkeypatch.setenv(paths.SETTINGS_VARIABLE, str(tmp_path / "absent.yaml"))
    with pytest.raises(SettingsError, match=r"absent\.yaml"):
        load_settings()


def test_a_comment_is_a_valid_settings_file(tmp_path: Path) -> None:
    """A file of comments only means the defaults."""
    file = tmp_path / "settings.yaml"
    file.write_text("# workers: 3\n")
    assert load_settings(file) == Settings()


def test_a_failed_save_leaves_the_old_file(tmp_path: Path) -> None:
    """Settings that cannot be saved are an error, and nothing is left behind."""
    (tmp_path / "taken").write_text("a file where a folder should be")
    with pytest.raises(StoreError, match="cannot be saved"):
        save_settings(Settings(workers=2), tmp_path / "taken" / "settings.yaml")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_saving_leaves_no_temporary_file() -> None:
    """The file is replaced whole; its folder holds nothing else afterwards."""
    save_settings(Settings(workers=2))
    save_settings(Settings(workers=3))
    assert list(paths.config_folder().iterdir()) == [paths.settings_file()]


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
