"""The guide's examples do what the guide says: each is run as a reader would run it, and its output is compared."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

GUIDE = Path(__file__).resolve().parents[3] / "docs" / "explorer.md"
PLUGIN = ["-p", "no:cacheprovider", "-p", "openhcs.testing.explore.plugin"]


def blocks(language: str) -> dict[str, str]:
    """The blocks in a language, by the name in their first line; text blocks by the block before them."""
    found: dict[str, str] = {}
    name = ""
    for kind, text in re.findall(r"^```(\w+)\n(.*?)^```$", GUIDE.read_text("utf-8"), re.DOTALL | re.MULTILINE):
        if kind == "python":
            name = text.partition("\n")[0].removeprefix("# ")
        if kind == language:
            found[name] = text
    return found


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Python in a folder, with this checkout importable."""
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, timeout=60, check=False,
        env={"PYTHONPATH": str(GUIDE.parents[1]), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )  # fmt: skip


@pytest.mark.parametrize("name", ["test_closing.py", "test_browser.py", "test_reporter.py"])
def test_the_report_of_an_example_is_the_one_in_the_guide(name: str, tmp_path: Path) -> None:
    """A worked example fails with the very lines that the guide shows, and its token replays it."""
    (tmp_path / name).write_text(blocks("python")[name])
    ran = run(tmp_path, "-m", "pytest", *PLUGIN, "-q", name)
    shown = blocks("text")[name]
    assert ran.returncode == 1
    assert shown in ran.stdout
    command = shown.splitlines()[-1].split('"')
    again = run(tmp_path, "-m", "pytest", *PLUGIN, "-q", command[1], command[3])
    assert again.returncode == 1
    assert shown.split("What happened")[1] in again.stdout


@pytest.mark.parametrize(
    ("name", "mends"),
    [
        ("test_closing.py", ["mended"]),
        ("test_browser.py", ["mended"]),
        ("test_reporter.py", ["mended", "mended again"]),
    ],
)
def test_a_mended_example_is_proved(name: str, mends: list[str], tmp_path: Path) -> None:
    """With the guide's mends put behind it, the example passes, and pytest says why."""
    parts = [blocks("python")[name], *(blocks("python")[f"{name}, {mend}"] for mend in mends)]
    (tmp_path / name).write_text("\n\n".join(parts))
    ran = run(tmp_path, "-m", "pytest", *PLUGIN, "-v", name)
    assert ran.returncode == 0, ran.stdout
    assert "PROVED (" in ran.stdout


def test_half_a_mend_is_not_proved(tmp_path: Path) -> None:
    """As the guide says, the freed flag leaves an exception that nobody looks at."""
    name = "test_reporter.py"
    (tmp_path / name).write_text("\n\n".join([blocks("python")[name], blocks("python")[f"{name}, mended"]]))
    ran = run(tmp_path, "-m", "pytest", *PLUGIN, "-q", name)
    assert ran.returncode == 1
    assert "exception never retrieved" in ran.stdout


def test_the_example_without_pytest_prints_what_the_guide_shows(tmp_path: Path) -> None:
    """Its output is the guide's, word for word."""
    (tmp_path / "plain.py").write_text(blocks("python")["plain.py"])
    assert run(tmp_path, "plain.py").stdout == blocks("text")["plain.py"]


def test_the_example_with_a_real_application_is_proved(tmp_path: Path) -> None:
    """prompt_toolkit's own Application, two keys, an event at a busy loop."""
    (tmp_path / "test_application.py").write_text(blocks("python")["test_application.py"])
    ran = run(tmp_path, "-m", "pytest", *PLUGIN, "-v", "test_application.py")
    assert ran.returncode == 0, ran.stdout
    assert "PROVED (" in ran.stdout
