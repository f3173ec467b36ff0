"""What a fix leaves as it is: bytes, permissions, files that others have changed; and what the command says."""

from __future__ import annotations

import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from openhcs.verify.check import check
from openhcs.verify.command import main
from openhcs.verify.fix import fix
from openhcs.verify.fix.files import Change, NotWritten

pytest.importorskip("libcst", reason="fixes need LibCST")

BAD = "import asyncio\n\n\nasync def now():\n    return asyncio.get_event_loop().time()\n"
GOOD = BAD.replace("get_event_loop", "get_running_loop")
UNSAFE = "import asyncio\n\n\nasync def stop(work):\n    task = asyncio.create_task(work())\n    task.cancel()\n"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Each test stands in an empty project."""
    (tmp_path / "pyproject.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.replace("\n", "\r").encode(),
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: f"# -*- coding: latin-1 -*-\nname = 'M\u00fcller'\n{text}".encode("latin-1"),
        lambda text: text.replace("    ", "\t").encode(),
        lambda text: text.rstrip("\n").encode(),
        lambda text: text.replace("return", "x = '\x0c'; y = 'é\u2028'; return").encode(),
        lambda text: text.replace("\n", "\r\n", 2).encode(),
        lambda text: (text + "\n\n\n   \n# end").encode(),
    ],
    ids=["crlf", "cr", "bom", "cookie", "tabs", "no last line feed", "odd separators", "mixed", "blank end"],
)
def test_every_other_byte_stays(change) -> None:  # type: ignore[no-untyped-def]
    """Line endings, byte order mark, coding cookie, tabs, a missing last line feed."""
    file = Path("app.py")
    file.write_bytes(change(BAD))
    assert main(["app.py", "--fix"]) == 0
    assert file.read_bytes() == change(GOOD)


def test_new_lines_end_and_are_indented_as_the_others() -> None:
    """An inserted statement in a file of tabs and carriage returns has both."""
    file = Path("app.py")
    file.write_bytes(UNSAFE.replace("\n", "\r\n").replace("    ", "\t").encode())
    assert main(["app.py", "--fix", "--unsafe-fixes"]) == 0
    assert file.read_bytes().endswith(b"\ttask.cancel()\r\n\tawait asyncio.wait({task})\r\n")


def test_permissions_stay_and_a_link_goes_on_being_one() -> None:
    """The file is replaced in one step, where it is."""
    file, link = Path("real.py"), Path("app.py")
    file.write_text(BAD)
    file.chmod(0o750)
    link.symlink_to(file)
    assert main(["app.py", "--fix"]) == 0
    assert link.is_symlink()
    assert file.read_text() == GOOD
    assert stat.S_IMODE(file.stat().st_mode) == 0o750
    assert sorted(path.name for path in Path().iterdir()) == ["app.py", "pyproject.toml", "real.py"]


def test_a_read_only_file_is_named_and_left(capsys: pytest.CaptureFixture[str]) -> None:
    """Its findings are still told."""
    file = Path("app.py")
    file.write_text(BAD)
    file.chmod(0o444)
    assert main(["app.py", "--fix"]) == 1
    told = capsys.readouterr()
    assert "app.py: not fixed: it is read-only" in told.err
    assert "HCS303" in told.out
    assert file.read_text() == BAD


def test_a_file_that_was_changed_since_it_was_read_is_left() -> None:
    """Between the check and the fix, and between the fix and the writing."""
    file = Path("app.py")
    file.write_text(BAD)
    report = check([file])
    file.write_text(BAD + "# changed\n")
    fixed = fix(report)
    assert fixed.left_alone == {file: "has changed since it was read"}
    assert not fixed.changes
    with pytest.raises(NotWritten, match="changed"):
        Change(file, BAD.encode(), GOOD.encode()).write()
    assert file.read_text() == BAD + "# changed\n"
    assert len(list(Path().iterdir())) == 2


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_a_diff_writes_nothing_and_can_be_applied(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1 where there is something to fix, 0 where there is not; `git apply` makes the same change."""
    file = Path("app.py")
    file.write_text(BAD.rstrip("\n"))
    assert main(["app.py", "--diff"]) == 1
    diff = capsys.readouterr().out
    assert file.read_text() == BAD.rstrip("\n")
    subprocess.run(["git", "apply", "-"], input=diff, text=True, check=True)
    assert file.read_text() == GOOD.rstrip("\n")
    assert main(["app.py", "--diff"]) == 0
    assert capsys.readouterr().out == ""


def test_what_is_left_is_told_as_always(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1 and the findings that remain; how many were fixed, and how many more could be."""
    Path("app.py").write_text(BAD + UNSAFE)
    assert main([".", "--fix"]) == 1
    told = capsys.readouterr()
    assert [line.split()[1] for line in told.out.splitlines()] == ["HCS101"]
    assert "1 fixed in 1 file; 1 more by --unsafe-fixes" in told.err
    assert main([".", "--fix", "--unsafe-fixes"]) == 0


def test_unsafe_fixes_are_not_made_by_themselves(capsys: pytest.CaptureFixture[str]) -> None:
    """The option alone is a mistake: exit code 2."""
    Path("app.py").write_text(UNSAFE)
    assert main([".", "--unsafe-fixes"]) == 2
    assert "--fix" in capsys.readouterr().err


def test_silenced_and_known_findings_are_not_fixed(capsys: pytest.CaptureFixture[str]) -> None:
    """What `# noqa`, the settings or a baseline leave out stays as it is."""
    silenced = BAD.replace(".time()", ".time()  # noqa: HCS303 - an old loop")
    Path("silent.py").write_text(silenced)
    assert main([".", "--fix"]) == 0
    Path("known.py").write_text(BAD)
    assert main([".", "--baseline", "known.json", "--write-baseline"]) == 0
    assert main([".", "--baseline", "known.json", "--fix"]) == 0
    Path("pyproject.toml").write_text('[tool.openhcs-verify.per-file-ignores]\n"known.py" = ["HCS303"]\n')
    assert main([".", "--fix"]) == 0
    assert Path("silent.py").read_text() == silenced
    assert Path("known.py").read_text() == BAD


@pytest.mark.parametrize("spawner", ["tasks.spawn", "tasks:", "tasks:1+", "tasks:spawn("])
def test_a_setting_that_is_no_module_and_expression_is_refused(
    spawner: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, with an example."""
    Path("pyproject.toml").write_text(f'[tool.openhcs-verify]\nspawner = "{spawner}"\n')
    Path("app.py").write_text(BAD)
    assert main([".", "--fix"]) == 2
    assert "myapp.tasks:get_owner().spawn" in capsys.readouterr().err


def test_a_check_and_an_idle_fix_do_not_load_libcst() -> None:
    """It is imported when a file gets a fix."""
    Path("app.py").write_text(GOOD)
    probe = (
        "import sys; from openhcs.verify.command import main; main(['.']); assert not main(['.', '--fix']); "
        "assert 'libcst' not in sys.modules; open('app.py', 'w').write(sys.argv[1]); assert not main(['.', '--fix']); "
        "assert 'libcst' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", probe, BAD], check=True, capture_output=True)
