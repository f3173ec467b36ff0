"""The command as a shell sees it: output, formats, exit codes, settings, silence, baseline."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from openhcs.verify import RULES
from openhcs.verify.command import main

BAD = "import asyncio\n\n\nasync def stop(work):\n    task = asyncio.create_task(work())\n    task.cancel()\n"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Each test stands in an empty project."""
    (tmp_path / "pyproject.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def says(capsys: pytest.CaptureFixture[str], *arguments: str, code: int) -> str:
    """What the command writes to standard output, ending with the exit code `code`."""
    ended = main(arguments)
    written = capsys.readouterr()
    assert ended == code, written
    return written.out


def settings(text: str) -> None:
    """Write the project's settings."""
    Path("pyproject.toml").write_text(f"[tool.openhcs-verify]\n{text}\n")


def test_a_finding_is_one_line_as_other_linters_write_it(capsys: pytest.CaptureFixture[str]) -> None:
    """Path, line, column from 1, code, message; exit code 1."""
    Path("app.py").write_text(BAD)
    assert re.fullmatch(r"app\.py:6:5: HCS101 `task` .+\n", says(capsys, "app.py", code=1))
    assert says(capsys, code=1) == says(capsys, ".", code=1)


def test_nothing_found_is_exit_code_0(capsys: pytest.CaptureFixture[str]) -> None:
    """A clean project says nothing on standard output."""
    Path("app.py").write_text("x = 1\n")
    assert says(capsys, ".", code=0) == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["absent.py"], "absent.py"),
        (["."], "no Python file"),
        (["--select", "XYZ"], "XYZ"),
        (["--ignore", "HCS999"], "HCS999"),
        (["--explain", "HCS999"], "HCS999"),
        (["--write-baseline"], "--baseline"),
        (["--baseline", "absent.json", "app"], "absent.json"),
    ],
)
def test_what_cannot_be_used_is_exit_code_2(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One message that names it, on standard error."""
    Path("app").mkdir()
    if "app" in arguments:
        Path("app/app.py").write_text(BAD)
    assert main(arguments) == 2
    written = capsys.readouterr()
    assert words in written.err
    assert written.err.startswith("error: ")
    assert written.out == ""


def test_only_broken_files_are_exit_code_2_and_some_are_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    """The reader is told what was not checked, with its line."""
    Path("broken.py").write_text("x = 1\ndef (:\n")
    assert main(["."]) == 2
    assert "broken.py:2: cannot be parsed" in capsys.readouterr().err
    Path("good.py").write_text("x = 1\n")
    assert main(["."]) == 0
    assert "broken.py:2: cannot be parsed" in capsys.readouterr().err


@pytest.mark.parametrize("comment", ["# noqa", "# noqa: HCS101", "# NOQA:HCS1", "# noqa: E501, HCS101 - it only waits"])
def test_a_noqa_silences_its_line(comment: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Bare, by code, by the beginning of a code, with a reason."""
    Path("app.py").write_text(BAD.replace("cancel()", f"cancel()  {comment}"))
    assert says(capsys, ".", code=0) == ""


def test_a_noqa_for_something_else_silences_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Another code is another matter."""
    Path("app.py").write_text(BAD.replace("cancel()", "cancel()  # noqa: HCS102, E501"))
    assert "HCS101" in says(capsys, ".", code=1)


def test_rules_are_chosen_by_options_and_settings(capsys: pytest.CaptureFixture[str]) -> None:
    """Options say which rules; without them the settings do; ignored files and folders are left out."""
    Path("app.py").write_text(BAD)
    Path("vendored").mkdir()
    Path("vendored/x.py").write_text(BAD)
    assert says(capsys, ".", "--select", "HCS2,HCS3", code=0) == ""
    assert says(capsys, ".", "--ignore", "hcs101", code=0) == ""
    settings('exclude = ["vendored"]')
    assert says(capsys, ".", code=1).count("HCS101") == 1
    settings('exclude = ["vendored"]\n[tool.openhcs-verify.per-file-ignores]\n"app*" = ["HCS1"]')
    assert says(capsys, ".", code=0) == ""
    settings('ignore = ["HCS101"]')
    assert says(capsys, ".", code=0) == ""
    assert "HCS101" in says(capsys, ".", "--select", "HCS101", code=1)
    settings('select = ["HCS2"]')
    assert says(capsys, ".", code=0) == ""


@pytest.mark.parametrize("text", ["selekt = []", "select = 3", 'select = ["E501"]', "select = [", "baseline = 3"])
def test_wrong_settings_are_told(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A misspelt key or a wrong value ends with exit code 2 and names the file."""
    Path("app.py").write_text(BAD)
    settings(text)
    assert main(["."]) == 2
    assert "pyproject.toml" in capsys.readouterr().err


def test_a_baseline_knows_findings_after_their_lines_have_moved(capsys: pytest.CaptureFixture[str]) -> None:
    """What was written down is not told again, wherever it moves; what is new is told, also a second of the same."""
    Path("app.py").write_text(BAD)
    says(capsys, ".", "--baseline", "known.json", "--write-baseline", code=0)
    Path("app.py").write_text("# moved\n\n" + BAD)
    assert says(capsys, ".", "--baseline", "known.json", code=0) == ""
    settings('baseline = "known.json"')
    assert says(capsys, ".", code=0) == ""
    Path("app.py").write_text(BAD + "    task.cancel()\n")
    assert says(capsys, ".", code=1).count("HCS101") == 1
    Path("app.py").write_text(BAD.replace("task", "other").replace("create_other", "create_task"))
    assert says(capsys, ".", code=1).count("HCS101") == 1


def test_json_holds_everything(capsys: pytest.CaptureFixture[str]) -> None:
    """Places, messages and what a fixer needs, as one document; columns count characters."""
    Path("app.py").write_text(BAD.replace("    task.cancel()", '    "é"; task.cancel()'))
    Path("broken.py").write_text("def (:\n")
    document = json.loads(says(capsys, ".", "--format", "json", code=1))
    (finding,) = document["findings"]
    assert (finding["code"], finding["name"]) == ("HCS101", "cancel-not-awaited")
    assert (finding["path"], finding["line"], finding["column"], finding["end_column"]) == ("app.py", 6, 10, 23)
    assert finding["function"] == "stop"
    assert finding["data"] == {"task": "task", "function": "async"}
    assert [item["path"] for item in document["unreadable"]] == ["broken.py"]
    assert document["files"] == 2


def test_sarif_is_version_2_1_0(capsys: pytest.CaptureFixture[str]) -> None:
    """Code scanning gets rules, places, related places and fingerprints that survive a move."""
    sample = Path(__file__).parent / "samples" / "hcs401_package"
    document = json.loads(says(capsys, str(sample), "--format", "sarif", code=1))
    assert document["version"] == "2.1.0"
    (run,) = document["runs"]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == list(RULES)
    cycle = next(result for result in run["results"] if result["ruleId"] == "HCS401")
    assert run["tool"]["driver"]["rules"][cycle["ruleIndex"]]["id"] == "HCS401"
    assert cycle["locations"][0]["physicalLocation"]["region"]["startLine"] > 0
    assert len(cycle["relatedLocations"]) >= 2
    assert all(result["partialFingerprints"]["openhcsVerify/v1"] for result in run["results"])


def test_github_annotations_are_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    """One command a finding; what would end a property is written as its code."""
    Path("a,b.py").write_text(BAD)
    line = says(capsys, ".", "--format", "github", code=1)
    assert line.startswith("::error title=HCS101 cancel-not-awaited,file=a%2Cb.py,line=6,col=5,endLine=6::HCS101 ")
    assert line.count("\n") == 1


def test_statistics_count_findings_by_rule(capsys: pytest.CaptureFixture[str]) -> None:
    """The most frequent rule first."""
    Path("app.py").write_text(BAD)
    assert says(capsys, ".", "--statistics", code=1).split() == ["1", "HCS101", "cancel-not-awaited"]


def test_explain_prints_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    """In any case of letters."""
    assert says(capsys, "--explain", "hcs102", code=0).startswith("# HCS102 own-cancellation-swallowed")
    assert says(capsys, "--list-rules", code=0).count("\n") == len(RULES)


def test_the_program_says_the_same_as_the_module(here: Path) -> None:
    """`openhcs verify` and `python -m openhcs.verify` take the same arguments and end with the same code."""
    pytest.importorskip("typer", reason="only the checker is installed")
    (here / "app.py").write_text(BAD)
    both = [
        subprocess.run([sys.executable, "-m", *command, "."], capture_output=True, text=True, check=False)
        for command in (("openhcs", "verify"), ("openhcs.verify",))
    ]
    assert [run.returncode for run in both] == [1, 1]
    assert both[0].stdout == both[1].stdout != ""
    helped = subprocess.run(
        [sys.executable, "-m", "openhcs", "verify", "--help"], capture_output=True, text=True, check=True
    )
    assert "--write-baseline" in helped.stdout


def test_the_checker_loads_the_standard_library_only() -> None:
    """It starts quickly, and anywhere."""
    probe = (
        "import sys; before = set(sys.modules); import openhcs.verify.command; "
        "print(*{name.partition('.')[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names))"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["openhcs"]
