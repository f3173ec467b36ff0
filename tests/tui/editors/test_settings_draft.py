"""The settings while they are edited."""

from __future__ import annotations

from pathlib import Path

import pytest

from openhcs.core import paths
from openhcs.core.config import Settings, read_settings
from openhcs.tui.editors.settings_draft import SettingsDraft


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A settings file with some values, and a variable that gives one more."""
    monkeypatch.setenv(paths.HOME_VARIABLE, str(tmp_path))
    monkeypatch.setenv("OPENHCS_RETRIES", "3")
    file = paths.settings_file()
    file.parent.mkdir(parents=True)
    file.write_text("workers: 2\nfunction_modules: [lab.one, lab.two]\nnotify_after_s: null\n")
    return file


@pytest.fixture
def draft(file: Path) -> SettingsDraft:
    return SettingsDraft(read_settings())


def test_every_setting_has_a_text_a_help_and_an_origin(draft: SettingsDraft) -> None:
    """The form is made from the model: nothing is left out, nothing is without a word on what it is for."""
    assert set(draft.names) == set(Settings.model_fields)
    assert all(draft.help(name).endswith(".") for name in draft.names)
    assert draft.text("function_modules") == "lab.one, lab.two"
    assert draft.text("notify_after_s") == ""
    assert draft.label("worker_memory_gib") == "worker memory (GiB)"
    assert draft.origin("workers") == "from the file"
    assert draft.origin("theme") == "default"
    assert not draft.is_changed


def test_what_a_variable_gives_is_fixed_and_says_why(draft: SettingsDraft) -> None:
    """A value from outside would win over the file, so it is not to be edited here."""
    assert draft.why_fixed("retries") == "OPENHCS_RETRIES of the environment gives it"
    assert draft.why_fixed("workers") is None


def test_only_what_was_changed_is_written(draft: SettingsDraft) -> None:
    """A text typed back to what it was is no change."""
    draft.type_text("workers", "4")
    draft.type_text("theme", "light")
    draft.type_text("theme", "dark")
    draft.type_text("well_timeout_s", " ")
    assert draft.changes == {"workers": 4}
    assert draft.origin("workers") == "changed; was 2"
    draft.type_text("workers", "2")
    assert not draft.is_changed


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("workers", "many", "expected a whole number"),
        ("workers", "", "expected a whole number"),
        ("workers", "0", "expected 1 or more"),
        ("worker_memory_gib", "", None),
        ("function_modules", "", None),
        ("function_modules", "lab.one, rm -rf", "expected the name of a Python module"),
        ("results_folder", "/data/a: b", None),
    ],
)
def test_a_text_is_checked_as_it_is_typed(draft: SettingsDraft, name: str, text: str, problem: str | None) -> None:
    """Each wrong text says what is expected; an empty one means none where that is a value."""
    draft.type_text(name, text)
    told = draft.problem(name)
    assert told is None if problem is None else told is not None and told.startswith(problem)


def test_a_reset_takes_the_value_out_of_the_file(draft: SettingsDraft) -> None:
    """The default shows at once; what is not in the file need not be taken out of it."""
    draft.reset("function_modules")
    draft.reset("theme")
    assert draft.text("function_modules") == ""
    assert draft.resets == ["function_modules"]
    assert draft.changes == {}
    assert draft.origin("function_modules") == "will be the default"
    draft.type_text("function_modules", "lab.three")
    assert draft.resets == []
    assert draft.changes == {"function_modules": ["lab.three"]}
