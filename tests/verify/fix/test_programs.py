"""Every fix on programs that run: what they print before and after, and that nothing else is changed."""

from __future__ import annotations

import ast
import difflib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from openhcs.verify.check import check
from openhcs.verify.command import main
from openhcs.verify.rules import Settings

pytest.importorskip("libcst", reason="fixes need LibCST")

PROGRAMS = Path(__file__).parent / "programs"
CHECKOUT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Program:
    """A program's file, with what its comments announce."""

    path: Path
    code: str
    is_safe: bool
    count: int
    before: str | None
    after: str | None
    owner: str | None

    @classmethod
    def of(cls, path: Path) -> Program:
        """The announcements `fixes: CODE safe COUNT`, `before:`, `after:` and `owner:`."""
        text = path.read_text()
        told = dict(re.findall(r"^# (fixes|before|after|owner): (.+)$", text, re.MULTILINE))
        code, safety, count = told["fixes"].split()
        return cls(path, code, safety == "safe", int(count), told.get("before"), told.get("after"), told.get("owner"))

    def fixed_in(self, folder: Path) -> Path:
        """A copy of the program, fixed by the command."""
        copy = self.copied_to(folder)
        assert main([*self.arguments(copy), "--fix"]) in (0, 1)
        return copy

    def copied_to(self, folder: Path) -> Path:
        """A copy of the program with what it imports and its settings."""
        owner = f'owner = ["{self.owner}"]\n' if self.owner else ""
        (folder / "pyproject.toml").write_text(f'[tool.openhcs-verify]\nspawner = "owner:spawn"\n{owner}')
        shutil.copy(PROGRAMS / "owner.py", folder)
        return Path(shutil.copy(self.path, folder))

    def arguments(self, copy: Path) -> list[str]:
        """What the command is given, but for what it is to do."""
        unsafe = [] if self.is_safe else ["--unsafe-fixes"]
        return [str(copy), str(copy.parent / "owner.py"), "--select", self.code, *unsafe]


ALL = [Program.of(path) for path in sorted(PROGRAMS.glob("*.py")) if path.name != "owner.py"]
each_program = pytest.mark.parametrize("program", ALL, ids=lambda program: program.path.stem)


def printed_by(path: Path) -> str:
    """What a program prints, run to its end."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", path.name],
        cwd=path.parent, capture_output=True, text=True, check=False, timeout=60,
        env={"PYTHONPATH": f"{CHECKOUT}:{':'.join(sys.path)}", "PATH": "/usr/bin:/bin", "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def found(program: Program, path: Path, *, with_related: bool = False) -> list[int]:
    """The lines at which the program's fault is found, also those of places that explain it."""
    owner = () if program.owner is None else (program.owner,)
    report = check([path, path.parent / "owner.py"], codes=[program.code], settings=Settings(owner=owner))
    here = [finding for finding in report.findings if finding.place.path == path]
    related = [item.place.line for finding in here for item in finding.related] if with_related else []
    return [finding.place.line for finding in here] + related


@each_program
def test_a_fixed_program_does_what_it_did_or_what_was_meant(program: Program, tmp_path: Path) -> None:
    """Safe fixes leave the output as it is, but for what a log says; unsafe ones make it what the program announces."""
    before = printed_by(program.copied_to(tmp_path))
    after = printed_by(program.fixed_in(tmp_path))
    assert before == (program.before or before)
    assert after == (program.after or before)


@each_program
def test_what_is_fixed_is_found_no_more(program: Program, tmp_path: Path) -> None:
    """As many findings go as the program announces, and a safe run does not make unsafe fixes."""
    copy = program.copied_to(tmp_path)
    before = len(found(program, copy))
    if not program.is_safe:
        text = copy.read_text()
        main([str(copy), "--select", program.code, "--fix"])
        assert copy.read_text() == text
    program.fixed_in(tmp_path)
    assert before - len(found(program, copy)) == program.count


@each_program
def test_a_second_run_changes_nothing(program: Program, tmp_path: Path) -> None:
    """Not a character, and `--diff` agrees."""
    copy = program.fixed_in(tmp_path)
    text = copy.read_bytes()
    main([*program.arguments(copy), "--fix"])
    assert copy.read_bytes() == text
    assert main([*program.arguments(copy), "--diff"]) == 0


@each_program
def test_nothing_is_changed_but_what_was_found_and_imports(program: Program, tmp_path: Path) -> None:
    """Each statement whose tree differs holds a finding, is next to one, or is an import."""
    lines = set(found(program, program.copied_to(tmp_path), with_related=True))
    old, new = ast.parse(program.path.read_text()), ast.parse(program.fixed_in(tmp_path).read_text())
    for before, after in changed(old.body, new.body):
        if not before:
            assert all(isinstance(item, ast.Import | ast.ImportFrom) or "await" in ast.unparse(item) for item in after)
        for statement in before:
            span = range(statement.lineno, (statement.end_lineno or statement.lineno) + 2)
            assert isinstance(statement, ast.Import | ast.ImportFrom) or lines & set(span), ast.unparse(statement)


def changed(old: list[ast.stmt], new: list[ast.stmt]) -> Iterator[tuple[list[ast.stmt], list[ast.stmt]]]:
    """The smallest statements in which two blocks differ."""
    matcher = difflib.SequenceMatcher(None, [ast.dump(item) for item in old], [ast.dump(item) for item in new], False)
    for kind, first, last, start, end in matcher.get_opcodes():
        if kind == "equal":
            continue
        before, after = old[first:last], new[start:end]
        if len(before) == len(after) and all(
            _headers(one) == _headers(other) for one, other in zip(before, after, strict=True)
        ):
            for one, other in zip(before, after, strict=True):
                for field in ("body", "orelse", "finalbody"):
                    yield from changed(getattr(one, field, []), getattr(other, field, []))
        else:
            yield before, after


def _headers(node: ast.stmt) -> str | int:
    """What a compound statement is without its blocks; a simple one is like no other."""
    if not isinstance(getattr(node, "body", None), list):
        return id(node)
    blocks = {field: getattr(node, field) for field in ("body", "orelse", "finalbody") if hasattr(node, field)}
    for field in blocks:
        setattr(node, field, [])
    text = ast.dump(node)
    for field, block in blocks.items():
        setattr(node, field, block)
    return text
