"""What planners ask: which node a finding is about, in which function, and what may be put in its place.

Standard library only.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TypeVar

from openhcs.verify.findings import Finding, Place
from openhcs.verify.fix.edits import Edit, Fix, Safety
from openhcs.verify.fix.names import Names, Usable
from openhcs.verify.fix.targets import Replacements, Target
from openhcs.verify.graph import EdgeKind
from openhcs.verify.model import Function, Module
from openhcs.verify.program import Program
from openhcs.verify.rules import Settings

__all__ = ["Context", "Planner", "Site", "is_path"]

N = TypeVar("N", bound=ast.AST)

_CALLED = frozenset({EdgeKind.CALL, EdgeKind.AWAIT, EdgeKind.SCHEDULE, EdgeKind.HANDLER, EdgeKind.DONE})


class Site:
    """The nodes of a file by their places, each with what stands around it, names included."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self._parents: dict[ast.AST, ast.AST] = {}
        self._at: dict[tuple[int, int, int, int], list[ast.AST]] = {}
        self._lines = module.text.split("\n")
        for node in ast.walk(module.tree):
            for child in ast.iter_child_nodes(node):
                self._parents[child] = node
            if isinstance(node, ast.expr | ast.stmt | ast.ExceptHandler):
                place = Place.of(module.path, node)
                key = (place.line, place.column, place.end_line, place.end_column)
                self._at.setdefault(key, []).append(node)

    def find(self, place: Place, kind: type[N]) -> N | None:
        """The node of this kind at exactly this place."""
        key = (place.line, place.column, place.end_line, place.end_column)
        return next((node for node in self._at.get(key, ()) if isinstance(node, kind)), None)

    def parent(self, node: ast.AST) -> ast.AST:
        """What stands directly around a node."""
        return self._parents[node]

    def around(self, node: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
        """What stands around a node in the same function, innermost first, each with its part that holds the node."""
        while (parent := self._parents.get(node)) is not None:
            if isinstance(parent, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and _is_inside(node, parent):
                return
            yield parent, node
            node = parent

    def function(self, node: ast.AST) -> Function:
        """The function whose names a node sees."""
        while (parent := self._parents.get(node)) is not None:
            if isinstance(parent, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and _is_inside(node, parent):
                return self.module.by_node[parent]
            node = parent
        return self.module.body

    def block(self, statement: ast.AST) -> list[ast.stmt]:
        """The statements among which a statement stands."""
        parent = self._parents.get(statement)
        for field in ("body", "orelse", "finalbody"):
            block = getattr(parent, field, None)
            if isinstance(block, list) and statement in block:
                return block
        return []

    def is_alone(self, statement: ast.stmt) -> bool:
        """Whether a statement shares its lines with no other; being the one statement behind a colon is fine."""
        return not any(
            other is not statement and (other.lineno == statement.end_lineno or other.end_lineno == statement.lineno)
            for other in self.block(statement)
        )


def _is_inside(node: ast.AST, function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> bool:
    return node is function.body if isinstance(function, ast.Lambda) else node in function.body


def is_path(node: ast.expr) -> bool:
    """Whether an expression is a name, or attributes of one: what can be written twice."""
    return isinstance(node, ast.Name) or (isinstance(node, ast.Attribute) and is_path(node.value))


class Context:
    """A program with what its fixes may use."""

    def __init__(self, program: Program, replacements: Replacements, settings: Settings) -> None:
        self.program = program
        self.names = Names(program)
        self._settings = settings
        self._replacements = replacements.in_program(program)
        self._modules = {module.path: module for module in program.modules}
        self._sites: dict[Module, Site] = {}

    def site(self, finding: Finding) -> Site:
        """The file of a finding."""
        return self.site_of(self._modules[finding.place.path])

    def site_of(self, module: Module) -> Site:
        """The nodes of a file by their places."""
        if module not in self._sites:
            self._sites[module] = Site(module)
        return self._sites[module]

    def site_at(self, place: Place) -> Site:
        """The file of a place."""
        return self.site_of(self._modules[place.path])

    def spawner(self, at: ast.AST, function: Function) -> Usable | None:
        """How `function` can hand a coroutine to the owner of tasks; None: there is none, or it would call itself."""
        if self._settings.is_owner(function.module.name):
            return None
        return self._usable(self._replacements.spawner, at, function, self._behind_spawner)

    def focus(self, at: ast.AST, function: Function) -> Usable | None:
        """How `function` can have the focus set; None: nobody does that, or it would call itself."""
        return self._usable(self._replacements.focus, at, function, self._behind_focus)

    def _usable(
        self, target: Target | None, at: ast.AST, function: Function, behind: frozenset[Function]
    ) -> Usable | None:
        if target is None or function.module.name == target.module:
            return None
        if not behind.isdisjoint([function, *function.ancestors()]):
            return None
        usable = self.names.usable(target.module, target.root, at, function)
        return None if usable is None else Usable(usable.text + target.rest, usable.edits)

    @cached_property
    def _behind_spawner(self) -> frozenset[Function]:
        return self._behind(self._replacements.spawner)

    @cached_property
    def _behind_focus(self) -> frozenset[Function]:
        return self._behind(self._replacements.focus)

    def _behind(self, target: Target | None) -> frozenset[Function]:
        """The functions that what we would call is made of: in these the call would be a recursion."""
        if target is None:
            return frozenset()
        start = [
            function
            for module in self.program.modules
            if module.name == target.module
            for function in module.functions
            if function.name in (target.root, target.last_name)
        ]
        return frozenset(self.program.graph.reachable(start, _CALLED)) - {
            function for function in self.program.functions if function.is_module
        }

    @staticmethod
    def fix(finding: Finding, safety: Safety, module: Module, *edits: Edit) -> Fix:
        """A fix of these edits."""
        return Fix(finding, safety, module, edits)


Planner = Callable[[Context, Finding], Fix | None]
"""What says how a finding is mended; None: not by machine."""
