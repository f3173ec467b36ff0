"""Every rule on programs written for it: the lines marked `# expect: CODE` are found, and nothing else is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from openhcs.verify import RULES, Settings, check

SAMPLES = Path(__file__).parent / "samples"
PAGES = Path(__file__).parents[2] / "docs" / "verify"
NEEDS_SETTINGS = Settings(owner=("app.tasks",), blocking=("yaml.safe_load",))
CONFIGURED = {"HCS206", "HCS306"}


def expected_in(path: Path) -> set[tuple[str, int, str]]:
    """The findings that the comments of a file, or of the files of a folder, announce."""
    return {
        (file.name, number, code.strip())
        for file in ([path] if path.is_file() else path.rglob("*.py"))
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if (comment := re.search(r"# expect: ([A-Z0-9, ]+)", line))
        for code in comment[1].split(",")
    }


def found_in(path: Path, settings: Settings | None = None) -> set[tuple[str, int, str]]:
    """What the checker finds there."""
    report = check([path], settings=settings)
    assert not report.unreadable
    return {(finding.place.path.name, finding.place.line, finding.code) for finding in report.findings}


@pytest.mark.parametrize("sample", sorted(SAMPLES.iterdir()), ids=lambda path: path.stem)
def test_a_sample_has_exactly_the_announced_findings(sample: Path) -> None:
    """Each marked line is found, and no other."""
    assert found_in(sample) == expected_in(sample)


def test_every_rule_that_needs_no_settings_has_a_sample() -> None:
    """The samples between them announce every code."""
    announced = {code for sample in SAMPLES.iterdir() for _, _, code in expected_in(sample)}
    assert announced == RULES.keys() - CONFIGURED


def examples_of(code: str) -> tuple[str, str]:
    """The bad and the good example of a rule's page."""
    text = (PAGES / f"{code}.md").read_text()
    blocks = {}
    for heading in ("Bad", "Good"):
        section = text.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
        blocks[heading] = section.split("```python\n", 1)[1].split("```", 1)[0]
    return blocks["Bad"], blocks["Good"]


@pytest.mark.parametrize("code", RULES)
def test_the_page_of_a_rule_shows_what_it_finds_and_what_it_does_not(code: str, tmp_path: Path) -> None:
    """The bad example has this finding and no other kind; the good one has none at all."""
    bad, good = tmp_path / "bad.py", tmp_path / "good.py"
    bad.write_text(examples_of(code)[0])
    good.write_text(examples_of(code)[1])
    settings = NEEDS_SETTINGS if code in CONFIGURED else None
    assert {found for _, _, found in found_in(bad, settings)} == {code}
    assert found_in(good, settings) == set()


def test_every_page_is_in_the_list_of_rules() -> None:
    """The list names each rule once, with its name and a link to its page."""
    text = (PAGES / "README.md").read_text()
    for rule in RULES.values():
        assert text.count(f"| [{rule.code}]({rule.code}.md) | {rule.name} |") == 1
    assert {path.stem for path in PAGES.glob("HCS*.md")} == RULES.keys()


def test_a_cycle_is_told_edge_by_edge() -> None:
    """The way from an error display back to itself names each step, its kind, its file and its line."""
    report = check([SAMPLES / "hcs401_package"], codes=["HCS401"])
    told = next(finding for finding in report.findings if finding.place.path.name == "dialogs.py")
    assert [related.message for related in told.related] == [
        "`show_global_error` calls `show_global_error_sync`",
        "`show_global_error_sync` schedules `show_global_error`",
    ]
    assert {related.place.path.name for related in told.related} == {"dialogs.py"}


def test_a_task_outside_of_its_owner_is_found_where_owners_are_named(tmp_path: Path) -> None:
    """The owner may start tasks, others may not, tests may."""
    package = tmp_path / "app"
    (package / "tests").mkdir(parents=True)
    source = "import asyncio\n\nasync def go(work):\n    task = asyncio.create_task(work())\n    await task\n"
    for name in ("__init__.py", "tasks.py", "other.py", "tests/test_it.py"):
        (package / name).write_text("" if name == "__init__.py" else source)
    assert found_in(tmp_path, Settings(owner=("app.tasks",))) == {("other.py", 4, "HCS206")}
    assert found_in(tmp_path) == set()


def test_what_a_project_calls_blocking_is_found_through_plain_functions(tmp_path: Path) -> None:
    """A coroutine may not reach a blocking function by calls; in a thread it may."""
    (tmp_path / "io.py").write_text("def read(path):\n    return path\n")
    (tmp_path / "app.py").write_text(
        "import asyncio\nfrom io_ import x\nfrom images import read, load\n\n"
        "async def a():\n    load(1)\n    read(1)\n    await asyncio.to_thread(load, 1)\n"
    )
    (tmp_path / "images.py").write_text(
        "import asyncio\ndef read(p):\n    return p\ndef load(p):\n    return read(p)\n"
    )
    assert found_in(tmp_path, Settings(blocking=("images.read",))) == {
        ("app.py", 6, "HCS306"),
        ("app.py", 7, "HCS306"),
    }
