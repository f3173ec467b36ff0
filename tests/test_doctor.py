"""What `openhcs doctor` finds, on healthy and on broken installations."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from openhcs.core import paths
from openhcs.doctor import Finding, Verdict, examine, is_healthy, to_json, to_text


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own for each test, and a current directory in it."""
    monkeypatch.setenv(paths.HOME_VARIABLE, str(tmp_path / "home"))
    monkeypatch.delenv(paths.SETTINGS_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def found(name: str) -> Finding:
    """The one finding of that name."""
    (finding,) = [finding for finding in examine(try_imports=False) if finding.name == name]
    return finding


def write_settings(text: str) -> None:
    """Put `text` where the settings are read from."""
    paths.settings_file().parent.mkdir(parents=True, exist_ok=True)
    paths.settings_file().write_text(text)


def test_a_working_installation_is_healthy(home: Path) -> None:
    """Where everything is installed and writable there is no problem, every place is named, and nothing is written."""
    findings = examine()
    assert is_healthy(findings)
    assert found("state").value.startswith(str(home))
    assert found("ngio").verdict is Verdict.OK
    assert "engine imports" in {finding.name for finding in findings}
    assert not home.exists()


def test_broken_settings_are_a_problem_with_a_next_step() -> None:
    """A mistyped setting makes doctor fail, naming the file; everything else is still examined."""
    write_settings("wokers: 3\n")
    finding = found("settings")
    assert finding.verdict is Verdict.PROBLEM
    assert "expected workers" in finding.value
    assert str(paths.settings_file()) in finding.next_step
    assert not is_healthy(examine(try_imports=False))
    assert found("cores").verdict is Verdict.OK


def test_a_results_folder_that_is_a_file_is_a_problem(tmp_path: Path) -> None:
    """A place that results cannot go to is found before a run is lost on it."""
    (tmp_path / "taken").write_text("")
    write_settings(f"results_folder: {tmp_path / 'taken'}\n")
    assert found("results").verdict is Verdict.PROBLEM
    assert "is a file" in found("results").next_step


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_results_folder_without_permission_is_a_problem(tmp_path: Path) -> None:
    """A read-only results folder is found before a run is lost on it."""
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    write_settings(f"results_folder: {locked / 'results'}\n")
    assert found("results").verdict is Verdict.PROBLEM
    assert "cannot be written" in found("results").next_step


def test_an_absent_function_module_is_a_problem() -> None:
    """A module of the user's that is not installed is named; one that is installed is not run."""
    write_settings("function_modules: [absent_lab.functions, this]\n")
    absent, present = [finding for finding in examine(try_imports=False) if finding.name == "function module"]
    assert absent.verdict is Verdict.PROBLEM
    assert "absent_lab.functions" in absent.value
    assert present.verdict is Verdict.OK
    assert "this" not in sys.modules


def test_without_a_terminal_the_headless_commands_are_named() -> None:
    """In a pipe the missing terminal is a note, not a problem, and says what works without one."""
    report = subprocess.run([sys.executable, "-m", "openhcs", "doctor"], capture_output=True, text=True, check=True)
    assert "openhcs run" in report.stdout
    assert "no problems" in report.stdout


def test_the_json_holds_what_the_text_says() -> None:
    """Both forms carry the same findings."""
    findings = examine(try_imports=False)
    document = json.loads(to_json(findings))
    assert document["ok"] is True
    assert [one["name"] for one in document["findings"]] == [finding.name for finding in findings]
    text = to_text(findings)
    assert all(finding.value in text for finding in findings)


@pytest.mark.terminal
@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, ["100 x 30", "16 million", "mouse *likely", "neither"]),
        ({"TERM": "dumb"}, ["TERM is dumb", "unlikely"]),
        ({"TERM": "screen", "STY": "x"}, ["off in GNU screen", "screen"]),
        ({"TERM": "screen", "TMUX": "x", "SSH_CONNECTION": "y"}, ["256 \\(TERM=screen", "set -g mouse", "tmux, ssh"]),
        ({"TERM": "linux"}, ["16 \\(TERM=linux"]),
        ({"TERM": "vt100"}, ["none \\(TERM=vt100"]),
        ({"TERM": "xterm", "NO_COLOR": "1"}, ["none, because NO_COLOR"]),
        ({"TERM": "xterm", "PYTHONIOENCODING": "ascii"}, ["without check marks", "C.UTF-8"]),
    ],
)
def test_the_terminal_is_described(settings: dict[str, str], words: list[str]) -> None:
    """Size, colours, characters, mouse and surroundings are those of the terminal doctor runs in."""
    kept = ("PATH", "HOME", paths.HOME_VARIABLE)
    environment = {name: os.environ[name] for name in kept if name in os.environ} | settings
    program = "from openhcs.doctor import examine, to_text; print(to_text(examine(try_imports=False)))"
    child = pexpect.spawn(
        sys.executable, ["-c", program], env=environment, dimensions=(30, 100), encoding="utf-8", timeout=60
    )
    for word in words:
        child.expect(word)
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
