"""What bash offers after Tab, asked as bash asks: with the script that the program gives it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from openhcs import completion
from openhcs.core import paths
from openhcs.core.demo_plate import make_demo_plate


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a plate, a folder that is none, and two pipeline files, one of them with a space in its name."""
    monkeypatch.setenv(paths.HOME_VARIABLE, str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    make_demo_plate(tmp_path / "plate-1", wells=("B02",), sites=1, size_px=128)
    (tmp_path / "notes").mkdir()
    (tmp_path / "mine.yaml").touch()
    (tmp_path / "not mine.yaml").touch()
    (tmp_path / ".hidden.yaml").touch()
    saved = tmp_path / "home" / "config" / "pipelines"
    saved.mkdir(parents=True)
    (saved / "spots.yaml").touch()
    return tmp_path


def test_bash_completes_commands_options_and_values(here: Path) -> None:
    """The script that --show-completion prints works in bash: a command, an option, a pipeline, a plate, a function."""
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash here")
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    asked = [("openhcs", "att"), ("openhcs", "run", "--dry"), ("openhcs", "run", "-p", "nuc"), ("openhcs", "run", "")]
    asked += [("openhcs", "functions", "gaussian")]
    script = 'eval "$(_OPENHCS_COMPLETE=source_bash openhcs)"\n'
    for words in asked:
        listed = " ".join(f"'{word}'" for word in words)
        script += f"COMP_WORDS=({listed}) COMP_CWORD={len(words) - 1}\n_openhcs_completion openhcs\n"
        script += 'echo "${COMPREPLY[@]}"\n'
    done = subprocess.run([bash, "-c", script], capture_output=True, text=True, env=environment, check=True, cwd=here)
    assert done.stdout.splitlines() == ["attach", "--dry-run", "nuclei", "plate-1", "gaussian_blur"], done.stderr
    assert done.stderr == ""


def test_pipelines_are_shipped_saved_and_files_here(here: Path) -> None:
    """Names that a shell would need quotes for are left to the shell."""
    assert completion.complete_pipeline("") == ["nuclei", "spots", "mine.yaml"]
    assert completion.complete_pipeline("s") == ["spots"]


def test_only_plates_are_offered_and_a_path_that_is_begun_is_the_shells(here: Path) -> None:
    """A folder that holds no plate is not offered."""
    assert completion.complete_plate("") == ["plate-1"]
    assert completion.complete_plate("pl") == []


def test_runs_are_offered_by_their_results_folders(here: Path) -> None:
    """Without runs nothing is offered, and nothing fails."""
    assert completion.complete_run("") == []
    assert completion.complete_live_run("") == []


def test_broken_settings_offer_what_needs_none(here: Path) -> None:
    """A shell that asks sees no error."""
    (here / "home" / "config" / "settings.yaml").write_text("wokers: 1\n")
    assert completion.complete_pipeline("") == ["nuclei"]
    assert completion.complete_run("") == []
    assert ("gaussian_blur", "Blur each plane with a Gaussian.") in completion.complete_function("gauss")
