"""Everything that is checked at once: modules, inference and call graph, and the questions that rules share.

Standard library only.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, TypeVar

from openhcs.verify import library
from openhcs.verify.decorators import Decorated
from openhcs.verify.findings import Finding, Place, Related
from openhcs.verify.graph import Graph, build_graph
from openhcs.verify.inference import Inference
from openhcs.verify.model import Function, Module
from openhcs.verify.values import Coro, Func, Inst, Partial, Ref, Value, Values

__all__ = ["Program"]

N = TypeVar("N", bound=ast.AST)


class Program:
    """Some modules, with answers about them."""

    def __init__(self, modules: Sequence[Module]) -> None:
        self.modules = modules
        by_name: dict[str, Module] = {}
        for module in modules:
            by_name.setdefault(module.name, module)
        for module in modules:
            # A folder without __init__.py may be a namespace package, or the folder that is on the path.
            parts = module.name.split(".")
            inside = [part for part in module.inside if part]
            full = ".".join([*inside, parts[-1]]) if not module.is_package else ".".join(inside)
            by_name.setdefault(full, module)
        self.inference = Inference(by_name)
        self.graph: Graph = build_graph(modules, self.inference)
        self.notes: dict[str, Any] = {}
        """What a rule has worked out once for all of its findings."""
        self.top_packages = {module.top_package for module in modules}

    @cached_property
    def functions(self) -> list[Function]:
        """All functions of files that were walked in full, module bodies included."""
        return [function for module in self.modules if module.is_deep for function in module.functions]

    def each(self, kind: type[N]) -> Iterator[tuple[N, Function]]:
        """Every node of one kind, with the function it is in."""
        for function in self.functions:
            for node in function.of(kind):
                yield node, function

    def values(self, node: ast.expr | None, function: Function) -> Values:
        """What an expression may be."""
        return self.inference.of(node, function)

    def callees(self, call: ast.Call, function: Function) -> Values:
        """What a call may call, partials opened."""
        return tuple(_opened(self.inference.of(call.func, function)))

    def names_of(self, node: ast.expr, function: Function) -> set[str]:
        """The dotted names that an expression may stand for outside of what is checked."""
        return {value.name for value in self.inference.of(node, function) if isinstance(value, Ref)}

    def outside_names(self, call: ast.Call) -> frozenset[str]:
        """The outside functions that a call may be of, by what its receiver is called where nothing else is known."""
        return self.graph.names.get(call, frozenset())

    def calls_of(self, *names: str) -> list[tuple[ast.Call, Function]]:
        """The calls that may be of one of these outside functions, with the function they stand in."""
        return [item for name in names for item in self.graph.calls.get(name, ())]

    def calls_named(self, *names: str) -> list[tuple[ast.Call, Function]]:
        """The calls of methods of these names, whatever they belong to."""
        return [item for name in names for item in self.graph.methods.get(name, ())]

    def calls(self, call: ast.Call, function: Function, *names: str) -> bool:
        """Whether a call is, for certain, of one of these outside functions."""
        values = self.inference.of(call.func, function)
        return bool(values) and all(isinstance(value, Ref) and value.name in names for value in values)

    def may_call(self, call: ast.Call, function: Function, *names: str) -> bool:
        """Whether a call may be of one of these outside functions."""
        known = self.graph.names.get(call)
        if known is None:
            return any(
                isinstance(value, Ref) and value.name in names for value in self.inference.of(call.func, function)
            )
        return not known.isdisjoint(names)

    def is_task(self, node: ast.expr, function: Function) -> bool:
        """Whether an expression is a task that somebody has to look after, and nothing else that is known."""
        values = [value for value in self.inference.of(node, function) if isinstance(value, Inst)]
        return bool(values) and all(value.type == library.TASK for value in values)

    def coroutine_functions(self, node: ast.expr, function: Function) -> list[Function]:
        """The asynchronous functions that an expression stands for; none where it may be something else as well."""
        found: list[Function] = []
        for value in _opened(self.inference.of(node, function)):
            if not isinstance(value, Func) or not self.is_coroutine_function(value.function):
                return []
            found.append(value.function)
        return found

    def is_coroutine_function(self, function: Function) -> bool:
        """Whether calling a function gives a coroutine: an `async def` whose decorators are understood."""
        return function.is_async and not function.yields and self.inference.decorators.of(function) is Decorated.PLAIN

    def coroutines(self, node: ast.expr, function: Function) -> list[Coro]:
        """The coroutine objects that an expression may be."""
        return [value for value in self.inference.of(node, function) if isinstance(value, Coro)]

    def is_coroutine_call(self, node: ast.Call, function: Function) -> bool:
        """Whether a call gives a coroutine object, and nothing else that is known."""
        values = self.inference.of(node, function)
        return bool(values) and all(isinstance(value, Coro) for value in values)

    def finding(
        self,
        code: str,
        node: ast.AST,
        function: Function,
        message: str,
        related: Iterable[Related] = (),
        data: dict[str, str] | None = None,
    ) -> Finding:
        """A finding at `node`."""
        place = Place.of(function.module.path, node)
        return Finding(code, place, message, tuple(related), function.qualname, data or {})

    @staticmethod
    def related(node: ast.AST, function: Function, message: str) -> Related:
        """A place that explains a finding."""
        return Related(Place.of(function.module.path, node), message)


def _opened(values: Iterable[Value]) -> Iterator[Value]:
    for value in values:
        if isinstance(value, Partial):
            yield from _opened(value.of)
        else:
            yield value
