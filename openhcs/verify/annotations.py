"""From an annotation to what it annotates: `list[Task]`, `Coroutine | None`, text in quotes. Standard library only."""

from __future__ import annotations

import ast
from collections.abc import Callable

from openhcs.verify import library
from openhcs.verify.model import Function
from openhcs.verify.values import Cls, Container, Coro, Inst, Ref, Value, Values

__all__ = ["Evaluate", "annotated"]

Evaluate = Callable[[ast.expr | None, Function], Values]
"""What an expression may be, read inside a function."""


def annotated(node: ast.expr | None, scope: Function, evaluate: Evaluate) -> Values:
    """What has the annotation `node`, read inside `scope`."""
    if node is None:
        return ()
    if isinstance(node, ast.Constant):
        if not isinstance(node.value, str):
            return ()
        try:
            node = ast.parse(node.value.strip(), mode="eval").body
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            return ()
    if isinstance(node, ast.BinOp):
        return (*annotated(node.left, scope, evaluate), *annotated(node.right, scope, evaluate))
    if isinstance(node, ast.Subscript):
        return _generic(node, scope, evaluate)
    found: list[Value] = []
    for value in evaluate(node, scope):
        if isinstance(value, Cls):
            found.append(Inst(value.cls))
        elif isinstance(value, Ref):
            name = library.TYPES.get(value.name, value.name)
            if name == "coroutine":
                found.append(Coro(None))
            elif value.name not in library.CONTAINERS and name.rpartition(".")[2][:1].isupper():
                found.append(Inst(name))
    return tuple(found)


def _generic(node: ast.Subscript, scope: Function, evaluate: Evaluate) -> Values:
    arguments = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    found: list[Value] = []
    for value in evaluate(node.value, scope):
        if not isinstance(value, Ref):
            found += annotated(node.value, scope, evaluate)
        elif value.name in ("typing.Optional", "typing.Union", "typing.Annotated", "typing.Final"):
            for argument in arguments[: 1 if value.name == "typing.Annotated" else None]:
                found += annotated(argument, scope, evaluate)
        elif value.name in ("typing.ClassVar", "typing.Required", "typing.NotRequired"):
            found += annotated(arguments[0], scope, evaluate)
        elif value.name in library.CONTAINERS:
            items = tuple(item for argument in arguments for item in annotated(argument, scope, evaluate))
            if items:
                found.append(Container(items))
        elif value.name in library.MAPPINGS and len(arguments) == 2:
            keys, values = (annotated(argument, scope, evaluate) for argument in arguments)
            if keys or values:
                found.append(Container(keys, values))
        elif value.name in ("typing.Callable", "collections.abc.Callable", "typing.Literal"):
            continue
        else:
            found += annotated(node.value, scope, evaluate)
    return tuple(found)
