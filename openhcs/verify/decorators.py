"""What decorators make of a function: a property, a context manager, still itself, or something that cannot be told.

Standard library only.
"""

from __future__ import annotations

import ast
from enum import Enum

from openhcs.verify.annotations import Evaluate
from openhcs.verify.model import Function, How
from openhcs.verify.values import Func, Ref, Values

__all__ = ["Decorated", "Decorators"]

_TRANSPARENT = frozenset(
    {"functools.wraps", "builtins.staticmethod", "builtins.classmethod", "abc.abstractmethod", "typing.override"}
    | {"typing.final", "typing.no_type_check", "typing.overload", "prompt_toolkit.KeyBindings.add"}
    | {"pytest.fixture", "pytest_asyncio.fixture", "atexit.register", "prompt_toolkit.Condition"}
)


class Decorated(Enum):
    """What decorators make of a function."""

    PLAIN = "plain"
    PROPERTY = "property"
    CONTEXT = "context manager"
    UNKNOWN = "unknown"


class Decorators:
    """Looks at the decorators of functions, of each once; `evaluate` says what a decorator may be."""

    def __init__(self, evaluate: Evaluate) -> None:
        self._evaluate = evaluate
        self._known: dict[Function, Decorated] = {}

    def of(self, function: Function) -> Decorated:
        """What its decorators make of a function."""
        known = self._known.get(function)
        if known is None:
            self._known[function] = Decorated.UNKNOWN
            known = self._known[function] = self._look_at_decorators(function)
        return known

    def _look_at_decorators(self, function: Function) -> Decorated:
        outer = function.parent or function
        for node in function.decorators:
            called = node.func if isinstance(node, ast.Call) else node
            names = {value.name for value in self._evaluate(called, outer) if isinstance(value, Ref)}
            if names & {"builtins.property", "functools.cached_property"}:
                return Decorated.PROPERTY
            if isinstance(called, ast.Attribute) and called.attr in ("setter", "getter", "deleter"):
                return Decorated.PROPERTY
            if names & {"contextlib.contextmanager", "contextlib.asynccontextmanager"}:
                return Decorated.CONTEXT
            if names and names <= _TRANSPARENT:
                continue
            if isinstance(called, ast.Attribute) and called.attr == "add" and isinstance(node, ast.Call):
                if function.module.imports("prompt_toolkit"):
                    continue  # key bindings that come from elsewhere
            if not self._keeps_kind(called, outer, function, is_factory=isinstance(node, ast.Call)):
                return Decorated.UNKNOWN
        return Decorated.PLAIN

    def _keeps_kind(self, called: ast.expr, outer: Function, function: Function, *, is_factory: bool) -> bool:
        """Whether a decorator of the project's own gives back the function, or another of the same kind."""
        targets = self._evaluate(called, outer)
        if not targets:
            return False
        for target in targets:
            if not isinstance(target, Func):
                return False
            made: Values = (target,)
            for _ in range(2 if is_factory else 1):
                made = tuple(
                    value
                    for step in made
                    if isinstance(step, Func)
                    for node in step.function.of(ast.Return)
                    for value in self._returned_function(node, step.function)
                )
            parameters = {argument.arg for argument in target.function.parameters}
            if not made and not is_factory:
                returns = target.function.of(ast.Return)
                if returns and all(
                    isinstance(node.value, ast.Name) and node.value.id in parameters for node in returns
                ):
                    continue
            if not made or any(
                not isinstance(value, Func) or value.function.is_async != function.is_async for value in made
            ):
                return False
        return True

    def _returned_function(self, node: ast.Return, function: Function) -> Values:
        if not isinstance(node.value, ast.Name):
            return self._evaluate(node.value, function)
        bindings = function.bindings.get(node.value.id, ())
        return tuple(
            Func(item.target) for item in bindings if isinstance(item.target, Function) and item.how is How.DEFINITION
        )
