"""The pages hold: links lead somewhere, commands can be typed, and what pages list is what the code has."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperGroup

from openhcs import cli
from openhcs.command_help import EXAMPLES
from openhcs.core.functions import catalogue
from openhcs.core.pipeline_file import load_pipeline

ROOT = Path(__file__).resolve().parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
SHELL = {"", "sh"}


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_link_leads_somewhere(page: Path) -> None:
    """A link to a file of the project finds it, with the heading it names."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        if anchor:
            assert anchor in set(_anchors(file.read_text(encoding="utf-8"))), target


def test_every_page_is_listed() -> None:
    """Who opens the folder finds each page in its index, except rules and decisions, which have lists of their own."""
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    linked = {(ROOT / "docs" / target.partition("#")[0]).resolve() for target in re.findall(r"\]\(([^)\s]+)\)", index)}
    lists = {ROOT / "docs" / "verify", ROOT / "docs" / "decisions"}
    pages = {page for page in (ROOT / "docs").rglob("*.md") if page.parent not in lists}
    assert pages - linked == {ROOT / "docs" / "README.md"}


def test_the_architecture_names_what_there_is() -> None:
    """Each module and folder of its table exists."""
    text = (ROOT / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8")
    folders = ("openhcs", "tests", "scripts", "benchmarks")
    files = [f"/{file.relative_to(ROOT)}" for folder in folders for file in (ROOT / folder).rglob("*.py")]
    for name in re.findall(r"`([\w/.]+(?:\.py|/))`", text):
        assert any(file.endswith(f"/{name}") or (name.endswith("/") and f"/{name}" in file) for file in files), name


def _anchors(text: str) -> Iterator[str]:
    """The anchors of headings, as GitHub makes them."""
    for heading in re.findall(r"^#+ (.+)$", FENCE.sub("", text), flags=re.MULTILINE):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        yield re.sub(r"[^\w\- ]", "", words).replace(" ", "-")


def _commands() -> Iterator[tuple[str, str]]:
    """Every line of a block that calls openhcs, with the page it stands on."""
    for page in PAGES:
        if page.name == "commands.md":  # has what each usage leaves open
            continue
        for language, block in FENCE.findall(page.read_text(encoding="utf-8")):
            if language in SHELL:
                for line in block.replace("\\\n", " ").splitlines():
                    if line.startswith("openhcs ") and "..." not in line:
                        yield _name(page), line


@pytest.mark.parametrize(
    "line",
    [pytest.param(line, id=f"{page}: {line[:40]}") for page, line in _commands()]
    + [pytest.param(example.line, id=example.line) for examples in EXAMPLES.values() for example in examples],
)
def test_every_command_of_the_pages_can_be_typed(line: str) -> None:
    """Each takes the options and arguments it is shown with."""
    words = shlex.split(re.split(r"\s[>|]|\|\|", line)[0], comments=True)[1:]
    command: Any = typer.main.get_command(cli.app)
    context = command.make_context("openhcs", [], resilient_parsing=True)
    while isinstance(command, TyperGroup) and words:
        assert words[0] in command.commands, line
        command = command.commands[words.pop(0)]
        is_group = isinstance(command, TyperGroup)
        context = command.make_context("", [] if is_group else words, parent=context, resilient_parsing=is_group)


def test_the_functions_that_the_page_of_pipelines_lists_are_the_catalogue() -> None:
    """By module, every function of the catalogue and no other."""
    text = (ROOT / "docs" / "pipelines.md").read_text(encoding="utf-8")
    table = text.partition("| module | functions |")[2].partition("\n\n")[0]
    listed = {
        row.split("|")[1].strip(" `"): set(re.findall(r"`(\w+)`", row.split("|")[2])) for row in table.splitlines()[2:]
    }
    functions = sorted(catalogue().values(), key=lambda function: function.category)
    known = {
        category: {function.name for function in members}
        for category, members in groupby(functions, key=lambda function: function.category)
    }
    assert listed == known


def _pipelines() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for language, block in FENCE.findall(page.read_text(encoding="utf-8")):
            if language == "yaml" and ("steps:" in block or block.lstrip().startswith("- name:")):
                yield _name(page), block


@pytest.mark.parametrize(("page", "block"), list(_pipelines()), ids=lambda text: text[:30].strip())
def test_every_pipeline_of_the_pages_can_be_read(page: str, block: str, tmp_path: Path) -> None:
    """Whole pipelines and single steps alike have no unknown key, and call functions with parameters that exist."""
    text = block if "steps:" in block else f"name: some steps\nsteps:\n{block}"
    file = tmp_path / "pipeline.yaml"
    file.write_text(text, encoding="utf-8")
    known = catalogue()
    for step in load_pipeline(file).steps:
        chains = step.pattern.values() if isinstance(step.pattern, Mapping) else [step.pattern]
        for call in (call for chain in chains for call in chain):
            if page != "docs/guides/your-own-functions.md":
                given = set(call.parameters)
                assert given <= {parameter.name for parameter in known[call.function].parameters}, call
