"""The symbol table: modules, classes and functions with their bindings, as one walk over the syntax tree leaves them.

Nothing here resolves a name; `inference` does. Standard library only.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import TypeVar, cast

__all__ = ["Binding", "Class", "Function", "FunctionNode", "How", "Module", "Scope"]

N = TypeVar("N", bound=ast.AST)

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.Module


class How(Enum):
    """How a name comes by its value."""

    IMPORT = "import"
    """`target` is the dotted name."""
    DEFINITION = "definition"
    """`target` is the Function or Class."""
    VALUE = "value"
    ITEM = "item"
    """One item of what `value` yields."""
    ELEMENT = "element"
    """`value` was added to the collection that has the name."""
    ENTERED = "entered"
    """What the context manager `value` returns on entering."""
    UNPACKED = "unpacked"
    """Item `index` of `value`."""
    ANNOTATED = "annotated"
    """An instance of what the annotation `value` says."""
    PARAMETER = "parameter"
    """Argument `index` of the function `target`; `value` is its default."""


@dataclass(slots=True, eq=False)
class Binding:
    """One way in which a name comes by a value, in the scope where `value` is to be read."""

    how: How
    node: ast.AST
    scope: Function
    value: ast.expr | None = None
    target: str | Function | Class | None = None
    index: int = 0


class Scope:
    """What holds names."""

    __slots__ = ("bindings",)

    def __init__(self) -> None:
        self.bindings: dict[str, list[Binding]] = {}

    def bind(self, name: str, binding: Binding) -> None:
        """Add a way by which `name` comes by a value."""
        self.bindings.setdefault(name, []).append(binding)


class Function(Scope):
    """A function, a lambda, or the body of a module (`node` is an `ast.Module`), without the functions inside it."""

    def __init__(
        self, module: Module, name: str, node: FunctionNode, parent: Function | None, owner: Class | None
    ) -> None:
        super().__init__()
        self.module = module
        self.name = name
        self.node = node
        self.parent = parent
        self.owner = owner
        """The class whose body defines it."""
        prefix = owner.qualname if owner else parent.qualname if parent else ""
        self.qualname: str = f"{prefix}.{name}" if prefix else name
        self.is_async = isinstance(node, ast.AsyncFunctionDef)
        self.yields = False
        self.nodes: dict[type[ast.AST], list[ast.AST]] = {}
        self.outer_names: dict[str, bool] = {}
        """Names declared global (True) or nonlocal (False)."""

    def of(self, kind: type[N]) -> list[N]:
        """The nodes of one kind in its own body, in no particular order."""
        return cast("list[N]", self.nodes.get(kind, []))

    @property
    def is_module(self) -> bool:
        """Whether this is the body of a module."""
        return isinstance(self.node, ast.Module)

    @property
    def is_lambda(self) -> bool:
        """Whether this is a lambda."""
        return isinstance(self.node, ast.Lambda)

    @cached_property
    def parameters(self) -> list[ast.arg]:
        """Positional parameters, then those by keyword only."""
        if isinstance(self.node, ast.Module):
            return []
        arguments = self.node.args
        return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]

    @cached_property
    def decorators(self) -> list[ast.expr]:
        """The decorators, outermost first."""
        return self.node.decorator_list if isinstance(self.node, ast.FunctionDef | ast.AsyncFunctionDef) else []

    @cached_property
    def method_of(self) -> Class | None:
        """The class whose `self` it can see: its own, or that of a method around it."""
        function: Function | None = self
        while function is not None:
            if function.owner is not None:
                return function.owner
            function = function.parent
        return None

    @property
    def body(self) -> list[ast.stmt]:
        """Its statements; a lambda has none."""
        return [] if isinstance(self.node, ast.Lambda) else self.node.body

    def ancestors(self) -> Iterator[Function]:
        """The functions around it, innermost first, up to the module."""
        function = self.parent
        while function is not None:
            yield function
            function = function.parent

    def __repr__(self) -> str:
        return f"<{self.module.name}:{self.qualname or '<module>'}>"


class Class(Scope):
    """A class: names of its body, and attributes its methods give `self`."""

    def __init__(self, module: Module, node: ast.ClassDef, parent: Function, owner: Class | None) -> None:
        super().__init__()
        self.module = module
        self.name = node.name
        self.node = node
        self.parent = parent
        prefix = owner.qualname if owner else parent.qualname
        self.qualname: str = f"{prefix}.{node.name}" if prefix else node.name
        self.attributes: dict[str, list[Binding]] = {}

    @cached_property
    def methods(self) -> dict[str, Function]:
        """The functions its body defines."""
        return {
            name: binding.target
            for name, bindings in self.bindings.items()
            for binding in bindings
            if isinstance(binding.target, Function)
        }

    def __repr__(self) -> str:
        return f"<{self.module.name}:{self.qualname}>"


@dataclass(eq=False)
class Module:
    """A file: its tree, its functions and classes, and the parent of every node that was walked."""

    path: Path
    name: str
    is_package: bool
    tree: ast.Module
    text: str
    top_package: str
    inside: tuple[str, ...] = ()
    """The folders between what was asked for and the file."""
    is_deep: bool = True
    """Whether function bodies were walked; where nothing asynchronous is spelt out they are not."""
    functions: list[Function] = field(default_factory=list)
    classes: list[Class] = field(default_factory=list)
    by_node: dict[ast.AST, Function] = field(default_factory=dict)
    parents: dict[ast.AST, ast.AST] = field(default_factory=dict)
    star_imports: list[str] = field(default_factory=list)
    imported: set[str] = field(default_factory=set)
    """Dotted names of what it imports anywhere."""
    imported_for_types: set[str] = field(default_factory=set)
    """Those of them that are imported under `if TYPE_CHECKING`, and not when the program runs."""

    @property
    def body(self) -> Function:
        """Its top level."""
        return self.functions[0]

    @cached_property
    def is_test(self) -> bool:
        """Whether it is a test, by the usual names of files and folders."""
        name = self.path.name
        return (
            name.startswith(("test_", "conftest"))
            or name.endswith("_test.py")
            or not {"test", "tests"}.isdisjoint(self.inside)
        )

    def parent(self, node: ast.AST) -> ast.AST | None:
        """What stands around `node`."""
        return self.parents.get(node)

    def around(self, node: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
        """What stands around `node`, innermost first, each with its part that holds `node`; ends at the function."""
        parents = self.parents
        child = node
        while (parent := parents.get(child)) is not None:
            yield parent, child
            if isinstance(parent, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                return
            child = parent

    def statement(self, node: ast.AST) -> ast.stmt | None:
        """The statement `node` is in, or is."""
        here: ast.AST | None = node
        while here is not None and not isinstance(here, ast.stmt):
            here = self.parents.get(here)
        return here

    def imports(self, package: str) -> bool:
        """Whether it imports `package` or anything from it."""
        return package in self.imported_packages

    @cached_property
    def imported_packages(self) -> frozenset[str]:
        """Every package that is imported, or from which something is, with those around it."""
        found: set[str] = set()
        for name in self.imported:
            while name and name not in found:
                found.add(name)
                name = name.rpartition(".")[0]
        return frozenset(found)
