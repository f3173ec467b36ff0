"""By which name a function can use something of another module, and what has to be imported for that.

An import that is there is used, by its alias. Otherwise one is added at the top of the file, or in the function where
one at the top would make modules import each other in a circle. Standard library only.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from openhcs.verify.fix.edits import Edit, Kind
from openhcs.verify.flow import position
from openhcs.verify.model import Function, How, Module
from openhcs.verify.program import Program

__all__ = ["Names", "Usable"]

_PLAIN = frozenset({"asyncio"})
"""Modules that are imported whole where nothing else is the custom of the file."""


@dataclass(frozen=True)
class Usable:
    """A text that stands for something of another module, and the imports that make it so."""

    text: str
    edits: tuple[Edit, ...] = ()


class Names:
    """Finds names for the functions of a program."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._by_name = {module.name: module for module in program.modules}
        self._top: dict[Module, set[str]] = {}

    def usable(self, module: str, name: str, at: ast.AST, function: Function) -> Usable | None:
        """How `module.name` can be written at `at`, in `function`; None where every way would change another name."""
        chain = [function, *function.ancestors()]
        for scope in chain:
            for alias, is_module in _imported_as(scope, module, name):
                if self._is_usable(alias, scope, chain, at):
                    return Usable(f"{alias}.{name}" if is_module else alias)
        return self._imported(module, name, chain)

    def _is_usable(self, alias: str, scope: Function, chain: list[Function], at: ast.AST) -> bool:
        """Whether the imported name is bound for certain when `at` runs, and is no other name there."""
        if any(alias in inner.bindings for inner in chain[: chain.index(scope)]):
            return False
        if chain[0] is not scope:
            at = chain[chain.index(scope) - 1].node
        for binding in scope.bindings[alias]:
            if scope.module.parents.get(binding.node) is scope.node:
                if position(binding.node) < position(at) or (scope.is_module and chain[0] is not scope):
                    return True
        return False

    def _imported(self, module: str, name: str, chain: list[Function]) -> Usable | None:
        here = chain[0].module
        if module in _PLAIN and (source := _from_import(here, module)) is None:
            bound, text, statement = module, f"{module}.{name}", f"import {module}"
        else:
            bound, text, statement = name, name, f"from {module} import {name}"
            source = _from_import(here, module)
        for scope in chain:
            if any(binding.target not in (module, f"{module}.{name}") for binding in scope.bindings.get(bound, ())):
                return None
        if here.star_imports and bound not in _PLAIN:
            return None
        if not self._makes_circle(here, module):
            if source is not None:
                return Usable(text, (Edit(Kind.ADD_NAME, source, name),))
            anchor = _top_anchor(here, module)
            return None if anchor is None else Usable(text, (Edit(*anchor, statement),))
        function = next((scope for scope in chain if not scope.is_lambda and not scope.is_module), None)
        if function is None:
            return None
        body = function.body
        if _docstring_of(body) is None:
            return Usable(text, (Edit(Kind.BEFORE, body[0], statement),))
        return Usable(text, (Edit(Kind.AFTER, body[0], statement),))

    # -- circles -------------------------------------------------------------------------------------------------

    def _makes_circle(self, importer: Module, name: str) -> bool:
        """Whether importing `name` at the top of `importer` would import `importer` again."""
        given = set(_with_packages(importer.name)) - {importer.name}
        waiting = [part for part in _with_packages(name) if part not in given]
        seen = set(waiting)
        while waiting:
            module = self._by_name.get(waiting.pop())
            if module is None:
                continue
            if module is importer:
                return True
            for imported in self._imports_at_top(module):
                for part in _with_packages(imported):
                    if part not in seen and part not in given:
                        seen.add(part)
                        waiting.append(part)
        return False

    def _imports_at_top(self, module: Module) -> set[str]:
        if module not in self._top:
            self._top[module] = set(_imports_of(module.tree.body, module))
        return self._top[module]


def _imports_of(body: list[ast.stmt], module: Module) -> Iterator[str]:
    for statement in body:
        if isinstance(statement, ast.Import):
            yield from (alias.name for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom):
            source = statement.module or ""
            if statement.level:
                package = module.name.split(".")
                cut = len(package) - statement.level + module.is_package
                source = ".".join([*package[: max(cut, 0)], *([source] if source else [])])
            yield source
            yield from (f"{source}.{alias.name}" for alias in statement.names)
        elif not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef) and not _is_type_checking(statement):
            for field in ("body", "orelse", "finalbody"):
                yield from _imports_of(getattr(statement, field, []), module)
            for handler in getattr(statement, "handlers", []):
                yield from _imports_of(handler.body, module)


def _with_packages(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[: count + 1]) for count in range(len(parts))]


def _is_type_checking(statement: ast.stmt) -> bool:
    """Whether a statement is `if TYPE_CHECKING:`, which no program runs."""
    return isinstance(statement, ast.If) and any(
        (isinstance(node, ast.Name) and node.id == "TYPE_CHECKING")
        or (isinstance(node, ast.Attribute) and node.attr == "TYPE_CHECKING")
        for node in ast.walk(statement.test)
    )


# -- what is imported already --------------------------------------------------------------------------------------


def _imported_as(scope: Function, module: str, name: str) -> Iterator[tuple[str, bool]]:
    """The names by which a scope knows `module.name`, or the module, and nothing else; the former first."""
    for target, is_module in ((f"{module}.{name}", False), (module, True)):
        for alias, bindings in scope.bindings.items():
            if all(binding.how is How.IMPORT and binding.target == target for binding in bindings):
                yield alias, is_module


def _from_import(module: Module, name: str) -> ast.ImportFrom | None:
    """The plain `from name import ...` at the top of a file."""
    for statement in _leading_imports(module):
        if isinstance(statement, ast.ImportFrom) and statement.module == name and not statement.level:
            if all(alias.name != "*" for alias in statement.names):
                return statement
    return None


def _docstring_of(body: list[ast.stmt]) -> ast.stmt | None:
    """The statement that is the docstring."""
    first = body[0] if body else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        return first
    return None


def _leading_imports(module: Module) -> list[ast.Import | ast.ImportFrom]:
    """The imports at the top of a file, up to the first statement that is anything else."""
    found: list[ast.Import | ast.ImportFrom] = []
    for statement in module.tree.body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            found.append(statement)
        elif statement is not _docstring_of(module.tree.body):
            break
    return found


def _top_anchor(module: Module, name: str) -> tuple[Kind, ast.stmt] | None:
    """Beside which statement a new import of `name` stands at the top of a file."""
    imports = _leading_imports(module)
    others = [
        statement for statement in imports if not (isinstance(statement, ast.ImportFrom) and _is_future(statement))
    ]
    if others:
        is_plain = name in _PLAIN
        for statement in others:
            if is_plain and (isinstance(statement, ast.ImportFrom) or statement.names[0].name > name):
                return Kind.BEFORE, statement
        same = [item for item in others if isinstance(item, ast.ImportFrom) and not item.level and item.module]
        near = [item for item in same if (item.module or "").partition(".")[0] == name.partition(".")[0]]
        before = [item for item in near if (item.module or "") < name]
        if before:
            return Kind.AFTER, before[-1]
        if near:
            return Kind.BEFORE, near[0]
        return Kind.AFTER, others[-1]
    if imports:
        return Kind.AFTER, imports[-1]
    body = module.tree.body
    if not body:
        return None
    return (Kind.BEFORE, body[0]) if _docstring_of(body) is None else (Kind.AFTER, body[0])


def _is_future(statement: ast.ImportFrom) -> bool:
    return statement.module == "__future__"
