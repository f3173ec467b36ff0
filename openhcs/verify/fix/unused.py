"""Imports that an edit has left without use. Standard library only."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

from openhcs.verify.fix.edits import Edit, Kind
from openhcs.verify.model import Module

__all__ = ["names_in", "unused_imports"]

_SOURCES = frozenset({"asyncio", "contextlib", "prompt_toolkit"})
"""Packages that nobody imports for what the import itself does."""

_QUOTED = re.compile(r"[\w.]+(?:\s*[\[\]|,]\s*[\w.\[\]]*)*")


def names_in(edits: Iterable[Edit]) -> set[str]:
    """The names that are read in what edits replace."""
    return {
        node.id
        for edit in edits
        if edit.kind in (Kind.EXPRESSION, Kind.STATEMENT, Kind.REMOVE)
        for node in ast.walk(edit.at)
        if isinstance(node, ast.Name)
    }


def unused_imports(module: Module, names: set[str], others: Iterable[Module]) -> list[Edit]:
    """Edits that take those of `names` out of the imports of a file which nothing in it, or in `others`, uses."""
    if module.is_package:
        return []  # what a package imports, it offers
    names = names - _read(module.tree)
    if not names:
        return []
    others = [other for other in others if other is not module and _imports_any(other, module)]
    lines = module.text.split("\n")
    found: list[Edit] = []
    for statement in _imports(module):
        if "noqa" in lines[(statement.end_lineno or statement.lineno) - 1]:
            continue
        for alias in statement.names:
            name = alias.asname or alias.name.partition(".")[0]
            source = (statement.module or "") if isinstance(statement, ast.ImportFrom) else alias.name
            if name not in names or alias.asname == alias.name or source.partition(".")[0] not in _SOURCES:
                continue
            if isinstance(statement, ast.ImportFrom) and statement.level:
                continue
            if not any(_uses(other, module, name) for other in others):
                found.append(Edit(Kind.DROP_NAME, statement, name))
    bound = [edit.text for edit in found]
    return [edit for edit in found if bound.count(edit.text) == 1]


def _read(tree: ast.Module) -> set[str]:
    """Every name of a file, those in annotations and lists that are written as texts as well."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _QUOTED.fullmatch(node.value):
            found.update(re.findall(r"\w+", node.value))
        elif isinstance(node, ast.Global):
            found.update(node.names)
    return found


def _imports(module: Module) -> Iterator[ast.Import | ast.ImportFrom]:
    """The imports that stand directly in the file or in a function."""
    for function in module.functions:
        for statement in function.body:
            if isinstance(statement, ast.Import | ast.ImportFrom):
                yield statement


def _imports_any(other: Module, module: Module) -> bool:
    return module.name in other.imported_packages or module.name in other.star_imports


def _uses(other: Module, module: Module, name: str) -> bool:
    """Whether another module may take the name from this one."""
    return (
        f"{module.name}.{name}" in other.imported
        or module.name in other.star_imports
        or (module.name in other.imported and f".{name}" in other.text)
    )
