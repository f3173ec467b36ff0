"""Who takes a function as an argument, calls it, and drops what it returns. Not a rule: rules ask it."""

from __future__ import annotations

import ast

from openhcs.verify import library
from openhcs.verify.flow import children, path_of, walk, walk_all
from openhcs.verify.graph import bound_arguments
from openhcs.verify.model import Function
from openhcs.verify.program import Program
from openhcs.verify.values import Func, Ref, Value

__all__ = ["DROPPING_KEYWORDS", "dropped_parameters", "drops_result"]

DROPPING_KEYWORDS = ("on_", "handler", "callback")
"""How names of arguments begin whose results are dropped."""

_KEEPING = frozenset({"append", "add", "appendleft", "insert", "remove", "discard", "clear", "setdefault", "copy"})


def drops_result(program: Program, call: ast.Call, node: ast.expr, keyword: str | None, function: Function) -> bool:
    """Whether `call` takes the function `node` to call it and drop what it returns."""
    values = program.values(call.func, function) or tuple(map(Ref, program.outside_names(call)))
    for value in values:
        if isinstance(value, Ref):
            known = library.SYNC_CALLBACKS.get(value.name)
            if (
                known is not None
                and value.name not in library.EXECUTORS
                and not value.name.endswith((".submit", ".map"))
            ):
                index, name = known
                if keyword == name or (keyword is None and index < len(call.args) and call.args[index] is node):
                    return True
            if keyword is not None and keyword in library.SYNC_KEYWORDS.get(value.name, ()):
                return True
        elif (parameter := _parameter_for(value, call, node)) is not None:
            return parameter in dropped_parameters(program)
    return bool(keyword and keyword.startswith(DROPPING_KEYWORDS) and not any(isinstance(v, Func) for v in values))


def _parameter_for(value: Value, call: ast.Call, node: ast.expr) -> tuple[Function, int] | None:
    """The parameter of a function of the project that the argument `node` becomes."""
    for function, index, argument in bound_arguments(value, call):
        if argument is node:
            return function, index
    return None


def dropped_parameters(program: Program) -> dict[tuple[Function, int], ast.Call]:
    """The parameters that are called as plain functions, what they return dropped, and nothing else done with them.

    Directly, or through the attribute of `self` in which they are kept.
    """
    known: dict[tuple[Function, int], ast.Call] | None = program.notes.get("dropped parameters")
    if known is not None:
        return known
    known = program.notes["dropped parameters"] = {}
    for function in program.functions:
        if function.is_module or function.is_lambda:
            continue
        for index, parameter in enumerate(function.parameters):
            if parameter.arg in ("self", "cls"):
                continue
            uses = _uses_of(parameter.arg, function)
            call = _only_dropped(parameter.arg, uses, function)
            if call is None:
                call = _dropped_as_attribute(program, uses, function) or _dropped_by_each(program, uses, function)
            if call is not None:
                known[function, index] = call
    return known


def _uses_of(name: str, function: Function) -> list[ast.AST]:
    """The parents of each place where a parameter is read, functions inside included."""
    if name not in {
        "callback",
        "handler",
        "func",
        "fn",
        "cb",
        "action",
        "command",
        "on_done",
        "target",
        "hook",
        "f",
        "listener",
        "observer",
        "subscriber",
    } and (
        not name.startswith(("on_", "handle"))
        and not name.endswith(("callback", "handler", "_cb", "_fn", "_func", "hook"))
    ):
        return []
    found: list[ast.AST] = []
    for statement in function.body:
        for node in walk_all(statement):
            for child in children(node):
                if isinstance(child, ast.Name) and child.id == name and isinstance(child.ctx, ast.Load):
                    found.append(node)
    return found


def _only_dropped(name: str, uses: list[ast.AST], function: Function) -> ast.Call | None:
    """The call by which a name is used, if all it serves for is to be called and its results are dropped."""
    calls = [
        use for use in uses if isinstance(use, ast.Call) and isinstance(use.func, ast.Name) and use.func.id == name
    ]
    tests = [use for use in uses if isinstance(use, ast.If | ast.Compare | ast.BoolOp | ast.UnaryOp | ast.IfExp)]
    if not calls or len(calls) + len(tests) != len(uses):
        return None
    parents = function.module.parents
    return calls[0] if all(isinstance(parents.get(call), ast.Expr) for call in calls) else None


def _dropped_as_attribute(program: Program, uses: list[ast.AST], function: Function) -> ast.Call | None:
    cls = function.owner
    if cls is None or len(uses) != 1 or not isinstance(uses[0], ast.Assign):
        return None
    target = uses[0].targets[0]
    if not isinstance(target, ast.Attribute) or not isinstance(target.value, ast.Name) or target.value.id != "self":
        return None
    calls: list[ast.Call] = []
    for method in (other for other in program.functions if other.method_of is cls):
        for node in walk_all(method.node):
            for child in children(node):
                if (
                    not isinstance(child, ast.Attribute)
                    or child.attr != target.attr
                    or not isinstance(child.ctx, ast.Load)
                ):
                    continue
                if isinstance(node, ast.Call) and node.func is child:
                    if not isinstance(method.module.parents.get(node), ast.Expr):
                        return None
                    calls.append(node)
                elif not isinstance(node, ast.If | ast.Compare | ast.BoolOp | ast.UnaryOp):
                    return None
    return calls[0] if calls else None


def _dropped_by_each(program: Program, uses: list[ast.AST], function: Function) -> ast.Call | None:
    """The call in a loop over the listeners of `self`, if a parameter is but kept there, or returned as well."""
    cls = function.owner
    kept = [use for use in uses if isinstance(use, ast.Call) and isinstance(use.func, ast.Attribute)]
    if cls is None or len(kept) != 1 or any(use is not kept[0] and not isinstance(use, ast.Return) for use in uses):
        return None
    adder = kept[0].func
    collection = path_of(_listeners(adder.value)) if isinstance(adder, ast.Attribute) else None
    if collection is None or not collection.startswith("self.") or collection.count(".") != 1:
        return None
    if not isinstance(adder, ast.Attribute) or adder.attr not in ("append", "add", "appendleft"):
        return None
    calls: list[ast.Call] = []
    for method in (other for other in program.functions if other.method_of is cls):
        parents = method.module.parents
        looped: set[ast.AST] = set()
        for loop in method.of(ast.For):
            if path_of(_listeners(loop.iter)) == collection:
                called = _called_by_loop(loop, method)
                if called is None:
                    return None
                calls += called
                looped.update(walk_all(loop.iter))
        for call in method.of(ast.Call):
            if isinstance(call.func, ast.Attribute) and call.func.attr in _KEEPING:
                looped.update(walk_all(call.func.value))
        for node in walk([*method.body]):
            if isinstance(node, ast.Attribute) and path_of(node) == collection and isinstance(node.ctx, ast.Load):
                if node not in looped and not isinstance(parents.get(node), ast.If | ast.UnaryOp | ast.Compare):
                    return None
    return calls[0] if calls else None


def _listeners(node: ast.expr) -> ast.expr:
    """`self._listeners` of `self._listeners.setdefault(name, [])`, `self._listeners[name]` and copies of them."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("setdefault", "get"):
        return _listeners(node.func.value)
    return _listeners(node.value) if isinstance(node, ast.Subscript) else node


def _called_by_loop(loop: ast.For, function: Function) -> list[ast.Call] | None:
    """The calls of the loop's variable, if each is a statement and nothing else is done with it."""
    if not isinstance(loop.target, ast.Name):
        return None
    parents = function.module.parents
    calls: list[ast.Call] = []
    for node in walk(loop.body):
        for child in children(node):
            if isinstance(child, ast.Name) and child.id == loop.target.id:
                if not isinstance(node, ast.Call) or node.func is not child or not isinstance(parents[node], ast.Expr):
                    return None
                calls.append(node)
    return calls
