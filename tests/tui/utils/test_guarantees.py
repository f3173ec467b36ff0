"""What the core's docstrings guarantee is checked by tests that are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from openhcs.tui import utils as core

ROOT = Path(__file__).parents[3]
CORE = ROOT / "openhcs" / "tui" / "utils"

_GUARANTEE = re.compile(r"\bG(\d+)\b")
_FILE = re.compile(r"\b(?:(?:tests|benchmarks|examples)/[\w/]+|test_\w+)\.py\b")
_TEST = re.compile(r"`(Test\w+|test_\w+)`")
_PART = re.compile(r"^- (.*?)(?=^- |^$)", re.MULTILINE | re.DOTALL)
_CORE = "openhcs.tui.utils."


def docstring(module: Path) -> str:
    """The docstring of a module, in one line."""
    return " ".join((ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or "").split())


def parts_of_the_core() -> list[list[str]]:
    """The modules of each part that the package's docstring lists, in its order."""
    return [re.findall(r"`(\w+)`", part) for part in _PART.findall(core.__doc__ or "")]


def imports_of(module: str) -> set[str]:
    """The modules of the core that one of them imports, wherever in it."""
    parts = ast.walk(ast.parse((CORE / f"{module}.py").read_text(encoding="utf-8")))
    sources = {part.module or "" for part in parts if isinstance(part, ast.ImportFrom)}
    return {source.removeprefix(_CORE) for source in sources if source.startswith(_CORE)}


def names_in(file: Path) -> set[str]:
    """The tests and classes of tests that `file` defines."""
    parts = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    return {part.name for part in parts if isinstance(part, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)}


def named_files(text: str) -> list[Path]:
    """The files that a docstring names; one without its folder lies with the core's tests."""
    return [ROOT / name if "/" in name else ROOT / "tests/tui/utils" / name for name in _FILE.findall(text)]


MODULES = [pytest.param(module, id=module.stem) for module in sorted(CORE.glob("*.py")) if module.stem != "__init__"]


def test_the_package_names_each_module_once_in_the_order_in_which_they_read() -> None:
    """Its docstring is a map of the core: nothing is missing from it, and no part needs one that comes after it."""
    parts = parts_of_the_core()
    assert sorted(module for part in parts for module in part) == [module.id for module in MODULES]
    read: set[str] = set()
    for part in parts:
        read.update(part)
        needed = {module: imports_of(module) - read for module in part}
        assert {module: later for module, later in needed.items() if later} == {}


def test_each_guarantee_has_an_owner() -> None:
    """Each of the twelve is stated in the docstring of at least one module."""
    stated = {int(number) for module in CORE.glob("*.py") for number in _GUARANTEE.findall(docstring(module))}
    assert stated == set(range(1, 13))


@pytest.mark.parametrize("module", MODULES)
def test_what_a_module_names_is_there(module: Path) -> None:
    """Each module names a file of tests, and the files, classes and tests that it names exist."""
    text = docstring(module)
    files = named_files(text)
    assert [file for file in files if file.is_relative_to(ROOT / "tests")], "no test is named"
    assert [str(file) for file in files if not file.is_file()] == []
    there = {name for file in files for name in names_in(file)}
    assert sorted(set(_TEST.findall(text)) - there) == []
