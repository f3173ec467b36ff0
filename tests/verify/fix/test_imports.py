"""By which import a fix uses the owner of tasks, and what becomes of imports that it leaves without use."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from openhcs.verify.command import main

pytest.importorskip("libcst", reason="fixes need LibCST")

OWNER = "import asyncio\n\ntasks = set()\n\n\ndef spawn(work, name=None):\n    tasks.add(asyncio.create_task(work))\n"


@pytest.fixture(autouse=True)
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with an owner of tasks."""
    (tmp_path / "pyproject.toml").write_text(
        '[tool.openhcs-verify]\nowner = ["app.tasks"]\nspawner = "app.tasks:spawn"\nselect = ["HCS206"]\n'
    )
    package = tmp_path / "app"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "tasks.py").write_text(OWNER)
    monkeypatch.chdir(tmp_path)
    return package


def fixed(app: Path, text: str, name: str = "work.py", code: int = 0) -> str:
    """What a file becomes."""
    file = app / name
    file.write_text(textwrap.dedent(text).lstrip("\n"))
    assert main([".", "--fix"]) == code
    subprocess.run([sys.executable, "-W", "error", "-c", f"import app.{file.stem}"], check=True)
    return file.read_text()


USE = """
async def go(work):
    asyncio.create_task(work())
"""


def test_an_import_is_put_behind_docstring_and_future(app: Path) -> None:
    """And the import that is not used any more goes."""
    text = '"""Doc."""\n\nfrom __future__ import annotations\n\nimport asyncio\nimport os\n\nx = os\n' + USE
    assert fixed(app, text).startswith(
        '"""Doc."""\n\nfrom __future__ import annotations\n\nimport os\nfrom app.tasks import spawn\n\nx = os\n'
    )


def test_a_file_without_other_imports_gets_one(app: Path) -> None:
    """Behind its docstring, with a blank line between."""
    text = '"""Doc."""\n\n\nasync def go(loop, work):\n    loop.create_task(work())\n'
    (app / "caller.py").write_text(
        "import asyncio\n\nfrom app.work import go\n\n\nasync def main(work):\n"
        "    await go(asyncio.get_running_loop(), work)\n"
    )
    assert fixed(app, text).startswith('"""Doc."""\n\nfrom app.tasks import spawn\n\n\nasync def go')


@pytest.mark.parametrize(
    ("line", "used"),
    [
        ("from app.tasks import spawn as start", "start(work())"),
        ("from app import tasks", "tasks.spawn(work())"),
        ("import app.tasks as owner", "owner.spawn(work())"),
        ("from .tasks import spawn", "spawn(work())"),
        ("from . import tasks as own", "own.spawn(work())"),
    ],
)
def test_an_import_that_is_there_is_used_by_its_alias(app: Path, line: str, used: str) -> None:
    """Nothing is imported twice."""
    text = f"import asyncio\n\n{line}\n\nloops = asyncio\n{USE}"
    assert fixed(app, text) == text.replace("asyncio.create_task(work())", used)


def test_an_import_for_type_checking_is_none(app: Path) -> None:
    """The name does not exist when the program runs: it is imported as well."""
    text = (
        "import asyncio\nfrom typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from app.tasks import spawn\n" + USE
    )
    assert "import TYPE_CHECKING\nfrom app.tasks import spawn\n\nif TYPE_CHECKING:" in fixed(app, text)


def test_a_name_that_is_taken_is_not_given_another_meaning(app: Path) -> None:
    """Then there is no fix."""
    for text in (
        f"import asyncio\n\n\ndef spawn():\n    pass\n{USE}",
        f"import asyncio\n{USE.replace('work', 'spawn')}",
    ):
        assert fixed(app, text, code=1) == text


def test_an_import_that_would_go_in_a_circle_is_local(app: Path) -> None:
    """The owner imports this module at its top, through another; so the name is imported where it is used."""
    (app / "tasks.py").write_text("import app.between\n" + OWNER)
    (app / "between.py").write_text("def late():\n    import app.other\n\n\nfrom app.work import go\n")
    text = fixed(
        app,
        '''
        import asyncio

        async def go(work):
            """Start it."""
            asyncio.create_task(work())
            start = lambda: asyncio.create_task(work())
            start()

        class Host:
            def start(self, work): asyncio.create_task(work())
        ''',
        code=1,
    )
    assert text.count("from app.tasks import spawn") == 2
    assert '"""Start it."""\n\n    from app.tasks import spawn\n    spawn(work())' in text
    assert "def start(self, work):\n        from app.tasks import spawn\n        spawn(work())" in text


def test_what_imports_itself_late_makes_no_circle(app: Path) -> None:
    """An import inside of a function of the owner is none at its top."""
    (app / "tasks.py").write_text(OWNER + "\n\ndef late():\n    import app.work\n")
    assert fixed(app, "import asyncio\n" + USE).startswith("from app.tasks import spawn\n")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("work.py", f"import asyncio\n\n__all__ = ['asyncio', 'go']\n{USE}"),
        ("work.py", f"import asyncio as asyncio\n{USE}"),
        ("work.py", f"import asyncio  # noqa: F401\n{USE}"),
        ("work.py", f"import asyncio\n{USE}\n\ndef f(x: 'asyncio.Task[int]'):\n    pass\n"),
        ("work.py", f"import asyncio\n{USE}# asyncio\n\n\nloop = asyncio.Lock\n"),
        ("__init__.py", f"import asyncio\n{USE}"),
    ],
    ids=["__all__", "re-export", "noqa", "annotation", "used", "package"],
)
def test_an_import_that_serves_others_stays(app: Path, name: str, text: str) -> None:
    """Listed, re-exported, named in an annotation, silenced, used elsewhere, or of a package."""
    (app / name).write_text(text)
    assert main([".", "--fix"]) == 0
    assert "import asyncio" in (app / name).read_text()


def test_an_import_that_another_module_takes_stays(app: Path) -> None:
    """`from app.work import asyncio` goes on working."""
    (app / "user.py").write_text("from app.work import asyncio\n")
    assert "import asyncio" in fixed(app, "import asyncio\n" + USE)
    subprocess.run([sys.executable, "-c", "import app.user"], check=True)


def test_what_the_owner_is_made_of_is_not_handed_to_it(app: Path) -> None:
    """A function that `spawn` calls would call itself."""
    (app / "tasks.py").write_text(
        "from app import work\n\n\n# asyncio\ndef spawn(job, name=None):\n    work.begin(job)\n"
    )
    text = "import asyncio\n\n\ndef begin(job):\n    asyncio.ensure_future(job)\n    asyncio.create_task(job)\n"
    (app / "work.py").write_text(text)
    assert main([".", "--fix"]) == 1
    assert (app / "work.py").read_text() == text
