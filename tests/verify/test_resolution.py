"""How names are followed from file to file, and which files are read at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from openhcs.verify import Report, check

CANCELS = "    task.cancel()\n"


def write(root: Path, files: dict[str, str]) -> None:
    """Write files, with the folders they need."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def lines(report: Report) -> set[tuple[str, int]]:
    """File and line of each finding."""
    return {(finding.place.path.name, finding.place.line) for finding in report.findings}


CONDITIONAL = "try:\n    from app.tasks import spawn\nexcept ImportError:\n    spawn = None"

SPAWN = "import asyncio\n\ndef spawn(work):\n    return asyncio.create_task(work)\n"


@pytest.mark.parametrize(
    ("files", "use"),
    [
        ({"app/__init__.py": "", "app/tasks.py": SPAWN}, "from app.tasks import spawn"),
        ({"app/__init__.py": "", "app/tasks.py": SPAWN}, "from .tasks import spawn"),
        ({"app/__init__.py": "", "app/tasks.py": SPAWN}, "from . import tasks\nspawn = tasks.spawn"),
        ({"app/__init__.py": "from app.tasks import spawn", "app/tasks.py": SPAWN}, "from app import spawn"),
        ({"app/__init__.py": "from .tasks import *", "app/tasks.py": SPAWN}, "from app import spawn"),
        ({"app/__init__.py": "", "app/tasks.py": SPAWN}, "import app.tasks as t\nspawn = t.spawn"),
        ({"app/__init__.py": "", "app/tasks.py": SPAWN}, "import app.tasks\nspawn = app.tasks.spawn"),
        ({"app/__init__.py": "", "app/tasks.py": SPAWN}, CONDITIONAL),
        ({"app/tasks.py": SPAWN}, "from app.tasks import spawn"),
        ({"app/tasks.py": SPAWN}, "from tasks import spawn"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("folder", ["", "src"])
def test_a_function_is_found_however_it_is_imported(
    files: dict[str, str], use: str, folder: str, tmp_path: Path
) -> None:
    """Absolute, relative, re-exported, starred, aliased, conditional, in a namespace package, beside a script."""
    root = tmp_path / folder
    write(root, files)
    body = f"{use}\n\nasync def main(work):\n    task = spawn(work)\n{CANCELS}"
    write(root, {"app/use.py": body})
    assert lines(check([tmp_path])) == {("use.py", body.count("\n"))}


def test_a_method_is_found_in_a_base_class_of_another_file(tmp_path: Path) -> None:
    """Inherited methods count, and so do attributes that a base class sets."""
    write(
        tmp_path,
        {
            "base.py": "import asyncio\n\nclass Base:\n    def begin(self, work):\n"
            "        self.task = asyncio.create_task(work)\n    async def work(self):\n        pass\n",
            "derived.py": "import base\n\nclass Derived(base.Base):\n    async def end(self):\n"
            "        self.task.cancel()\n        self.work()\n",
        },
    )
    assert lines(check([tmp_path])) == {("derived.py", 5), ("derived.py", 6)}


def test_a_broken_file_does_not_keep_the_others_from_being_checked(tmp_path: Path) -> None:
    """Syntax errors, bytes that are no text and null bytes are told of; the rest is checked."""
    write(
        tmp_path,
        {
            "good.py": f"import asyncio\nasync def a(w):\n    task = asyncio.create_task(w)\n{CANCELS}",
            "broken.py": "def (:\n",
            "notebook.ipynb": "{}",
        },
    )
    (tmp_path / "bytes.py").write_bytes(b"x = '\xff'\n")
    (tmp_path / "null.py").write_bytes(b"x = 1\0\n")
    report = check([tmp_path])
    assert lines(report) == {("good.py", 4)}
    assert {item.path.name for item in report.unreadable} == {"broken.py", "bytes.py", "null.py"}
    assert report.files == 4


@pytest.mark.parametrize(
    "start",
    [b"\xef\xbb\xbf", b"# -*- coding: latin-1 -*-\nname = '\xe9'\n", b"#!/usr/bin/python\n# coding: cp1252\n\n"],
)
def test_a_byte_order_mark_and_a_coding_cookie_are_understood(start: bytes, tmp_path: Path) -> None:
    """Any file that Python reads is read."""
    text = f"import asyncio\nasync def a(w):\n    task = asyncio.create_task(w)\n{CANCELS}".encode()
    (tmp_path / "app.py").write_bytes(start + text.replace(b"\n", b"\r\n"))
    report = check([tmp_path])
    assert lines(report) == {("app.py", 4 + start.count(b"\n"))}


def test_folders_of_environments_and_hidden_ones_are_left_out(tmp_path: Path) -> None:
    """What is installed beside the project is not the project's fault."""
    text = f"import asyncio\nasync def a(w):\n    task = asyncio.create_task(w)\n{CANCELS}"
    write(tmp_path, {f"{folder}/x.py": text for folder in (".git", "venv", ".venv", "node_modules", "site-packages")})
    write(tmp_path, {"app.py": text})
    assert lines(check([tmp_path])) == {("app.py", 4)}


def test_a_long_chain_of_calls_is_followed_in_time(tmp_path: Path) -> None:
    """Questions that hang on one another are asked once each."""
    chain = "".join(f".step_{number}()" for number in range(40))
    cycle = "".join(f"def f{n}(x):\n    return f{(n + 1) % 30}(f{(n + 7) % 30}(x))\n" for n in range(30))
    write(tmp_path, {"app.py": f"import asyncio\n{cycle}\nasync def a(x):\n    y = f0(x){chain}\n    y.cancel()\n"})
    assert check([tmp_path]).findings == []
