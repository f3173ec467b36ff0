"""Settings: read from all places, refused, changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from openhcs.core import paths
from openhcs.core.config import (
    Settings,
    Source,
    available_cores,
    change_settings,
    load_settings,
    read_settings,
    setting_problem,
    variable_of,
)
from openhcs.errors import SettingsError, StoreError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own for each test."""
    monkeypatch.setenv(paths.HOME_VARIABLE, str(tmp_path))
    for name in (paths.SETTINGS_VARIABLE, "OPENHCS_NICENESS"):
        monkeypatch.delenv(name, raising=False)
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


def test_what_was_changed_is_loaded() -> None:
    """Changed settings come back equal."""
    change_settings({"workers": 3, "results_folder": Path("/data/results"), "function_modules": ["lab.functions"]})
    assert load_settings() == Settings(
        workers=3, results_folder=Path("/data/results"), function_modules=("lab.functions",)
    )


def test_defaults_are_not_frozen_into_the_file() -> None:
    """Only what was changed is in the file, so that the number of workers goes on following the machine."""
    change_settings({"worker_memory_gib": 2})
    assert paths.settings_file().read_text() == "worker_memory_gib: 2.0\n"


def test_a_change_leaves_the_rest_of_the_file_as_it_was(tmp_path: Path) -> None:
    """Comments, order and quotes that the user wrote stay; a reset takes one value out."""
    file = tmp_path / "settings.yaml"
    text = '# of our lab\nworkers: 3  # two are for others\nresults_folder: "/data/x y"\n\n# at night\nretries: 2\n'
    file.write_text(text)
    change_settings({"workers": 4}, file=file)
    assert file.read_text() == text.replace("workers: 3", "workers: 4")
    change_settings({"theme": "light"}, reset=["retries"], file=file)
    assert file.read_text().startswith(text[: text.index("retries")].replace("workers: 3", "workers: 4"))
    assert read_settings(file).settings.theme == "light"
    assert read_settings(file).sources["retries"] is Source.DEFAULT


def test_a_wrong_change_changes_nothing(tmp_path: Path) -> None:
    """A value that would be refused when read is refused when written."""
    file = tmp_path / "settings.yaml"
    file.write_text("workers: 3\n")
    with pytest.raises(SettingsError, match="workers: 0, expected"):
        change_settings({"workers": 0}, file=file)
    assert file.read_text() == "workers: 3\n"


def test_every_value_knows_where_it_comes_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flag wins over a variable, that over the file, that over the default."""
    file = tmp_path / "settings.yaml"
    file.write_text("workers: 2\nretries: 2\nwell_timeout_s: 2\n")
    monkeypatch.setenv("OPENHCS_RETRIES", "3")
    monkeypatch.setenv("OPENHCS_WELL_TIMEOUT_S", "3")
    known = read_settings(file, {"well_timeout_s": 4.0, "workers": None})
    assert (known.settings.workers, known.sources["workers"]) == (2, Source.FILE)
    assert (known.settings.retries, known.sources["retries"]) == (3, Source.ENVIRONMENT)
    assert (known.settings.well_timeout_s, known.sources["well_timeout_s"]) == (4.0, Source.FLAG)
    assert known.sources["theme"] is Source.DEFAULT
    assert set(known.sources) == set(Settings.model_fields)
    assert known.file == file


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("workers", "3", 3),
        ("worker_memory_gib", "null", None),
        ("check_room", "no", False),
        ("results_folder", "/data/x: y", Path("/data/x: y")),
        ("scheduler", "tcp://10.0.0.1:8786", "tcp://10.0.0.1:8786"),
        ("function_modules", "lab.one, lab.two", ("lab.one", "lab.two")),
        ("function_modules", "[lab.one]", ("lab.one",)),
    ],
)
def test_a_variable_gives_any_setting(name: str, text: str, value: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every setting can be given as `OPENHCS_<NAME>`; a list has commas between its parts."""
    monkeypatch.setenv(variable_of(name), text)
    assert getattr(load_settings(), name) == value


def test_a_scheduler_file_behind_nobodys_home_is_a_path_like_others() -> None:
    """There is none, which is told when it is looked for."""
    assert setting_problem("scheduler", "~nobody-here/s.json") is None


def test_a_wrong_variable_or_flag_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error tells which variable and which option to correct."""
    monkeypatch.setenv("OPENHCS_WORKERS", "many")
    with pytest.raises(SettingsError, match="variable OPENHCS_WORKERS: 'many', expected a whole number"):
        load_settings()
    monkeypatch.delenv("OPENHCS_WORKERS")
    with pytest.raises(SettingsError, match="well_timeout_s on the command line: -1, expected more than 0"):
        read_settings(flags={"well_timeout_s": -1})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("wokers: 3", ["wokers", "expected workers"]),
        ("nonsense: 3", ["nonsense", "results_folder", "function_modules"]),
        ("workers: many", ["workers", "'many'", "whole number"]),
        ("workers: 0", ["workers", "0", "1 or more"]),
        ("worker_memory_gib: -1", ["worker_memory_gib", "-1", "more than 0"]),
        ("function_modules: [lab.functions, 'rm -rf']", ["function_modules.1", "'rm -rf'", "Python module"]),
        ("results_folder: ~nobody-here/out", ["results_folder", "'~nobody-here/out'", "somebody with a home"]),
        (f"results_folder: {'x' * 300}", ["results_folder", "255 between two slashes"]),
        ('pipelines_folder: "a\\0b"', ["pipelines_folder", "a path of at most 1000 bytes"]),
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
        change_settings({"workers": 2}, file=tmp_path / "taken" / "settings.yaml")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_saving_leaves_no_temporary_file() -> None:
    """The file is replaced whole; its folder holds nothing else afterwards."""
    change_settings({"workers": 2})
    change_settings({"workers": 3})
    assert list(paths.config_folder().iterdir()) == [paths.settings_file()]
