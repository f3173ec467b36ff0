"""HCS201: a task that is started and that nobody keeps."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from openhcs.verify import library
from openhcs.verify.findings import Finding
from openhcs.verify.model import Function
from openhcs.verify.program import Program
from openhcs.verify.rules.base import Settings
from openhcs.verify.rules.dropped_results import DROPPING_KEYWORDS, drops_result
from openhcs.verify.values import Func

__all__ = ["STARTERS", "check_dropped"]

STARTERS = ("asyncio.create_task", "asyncio.ensure_future", f"{library.LOOP}.create_task", library.TASK)
"""What starts a task and returns it."""


def check_dropped(program: Program, settings: Settings) -> Iterator[Finding]:
    """A task is started and nobody keeps it: it may be collected while it runs, and its failure is lost."""
    for call, function in program.calls_of(*STARTERS):
        if starter := _starts_task(program, call, function):
            how = _dropped(program, call, function)
            if how is not None and not _ruff_sees(program, call, function, starter):
                yield program.finding(
                    "HCS201",
                    call,
                    function,
                    f"the task of `{starter}` is dropped {how}: it may be collected while it runs, and its failure "
                    "is lost",
                    data={"starter": starter, "form": how},
                )
    for statement, function in program.each(ast.Expr):
        if not isinstance(statement.value, ast.Call):
            continue
        inner = _fresh_task_from(program, statement.value, function)
        if inner is not None:
            yield program.finding(
                "HCS201",
                statement.value,
                function,
                f"`{inner.name}` returns the task it starts, and here it is dropped: it may be collected while it runs",
                [program.related(inner.of(ast.Return)[0], inner, "started here")],
                {"starter": inner.qualname, "form": "returned"},
            )
    for call, function in program.calls_of(*library.SYNC_CALLBACKS):
        yield from _starter_as_callback(program, call, function)


def _starts_task(program: Program, call: ast.Call, function: Function) -> str | None:
    if not call.args and not call.keywords:
        return None
    for name in STARTERS:
        if program.may_call(call, function, name):
            if name == "asyncio.ensure_future" and not program.is_task(call, function):
                return None
            return name.replace(library.LOOP, "loop")
    return None


def _dropped(program: Program, call: ast.Call, function: Function) -> str | None:
    """In which way the result of a call goes nowhere."""
    parents = function.module.parents
    node: ast.AST = call
    parent = parents[node]
    while isinstance(parent, ast.IfExp | ast.BoolOp | ast.NamedExpr) or _is_side_effect_tuple(parent, node):
        if isinstance(parent, ast.NamedExpr):
            return None
        if isinstance(parent, ast.IfExp) and parent.test is node:
            return None
        node, parent = parent, parents[parent]
    if isinstance(parent, ast.Expr):
        return "here"
    if isinstance(parent, ast.ListComp | ast.SetComp) and isinstance(parents.get(parent), ast.Expr):
        return "by the comprehension"
    if isinstance(parent, ast.Attribute) and parent.attr in ("add_done_callback", "set_name"):
        outer = parents.get(parent)
        if isinstance(outer, ast.Call) and isinstance(parents.get(outer), ast.Expr):
            return "behind its callback" if parent.attr == "add_done_callback" else "behind its name"
    if isinstance(parent, ast.Lambda) and parent.body is node:
        return "by the lambda's caller" if _lambda_is_dropped(program, parent, function) else None
    is_item = isinstance(parent, ast.List | ast.Set | ast.ListComp | ast.SetComp)
    bound = parents.get(parent) if is_item else parent
    if isinstance(bound, ast.Assign) and len(bound.targets) == 1 and isinstance(bound.targets[0], ast.Name):
        return _unused_name(bound.targets[0].id, bound, function)
    return None


def _is_side_effect_tuple(parent: ast.AST | None, node: ast.AST) -> bool:
    return isinstance(parent, ast.Tuple) and isinstance(node, ast.Call)


def _unused_name(name: str, assign: ast.Assign, function: Function) -> str | None:
    if function.is_module or name in function.outer_names:
        return None
    if any(
        node is not assign and isinstance(node, ast.Name) and node.id == name
        for node in ast.walk(function.node)
        if node is not assign.targets[0]
    ):
        return None
    return "in a variable that nobody reads"


def _lambda_is_dropped(program: Program, node: ast.Lambda, function: Function) -> bool:
    """Whether a lambda is handed to somebody who calls it and forgets what it returns."""
    outer = function.parent
    if outer is None:
        return False
    parents = function.module.parents
    parent = parents.get(node)
    keyword = None
    if isinstance(parent, ast.keyword):
        keyword, parent = parent.arg, parents.get(parent)
    if isinstance(parent, ast.Assign):
        return any(
            isinstance(target, ast.Attribute) and target.attr.startswith(DROPPING_KEYWORDS) for target in parent.targets
        )
    if isinstance(parent, ast.AugAssign):
        return isinstance(parent.target, ast.Attribute) and parent.target.attr in library.EVENT_ATTRIBUTES
    if isinstance(parent, ast.Tuple):
        return len(parent.elts) == 3 and parent.elts[2] is node and function.module.imports("prompt_toolkit")
    if not isinstance(parent, ast.Call) or node is parent.func:
        return False
    return drops_result(program, parent, node, keyword, outer)


def _ruff_sees(program: Program, call: ast.Call, function: Function, starter: str) -> bool:
    """Whether RUF006 reports the same: a statement or unused name, of `asyncio.` or a variable that is the loop."""
    parent = function.module.parents.get(call)
    if starter == library.TASK:
        return False
    if isinstance(parent, ast.Assign):
        name = parent.targets[0].id if isinstance(parent.targets[0], ast.Name) else ""
        return name != "_" and starter.startswith("asyncio.")
    if not isinstance(parent, ast.Expr):
        return False
    if starter.startswith("asyncio."):
        # Through a re-export of the project's own it cannot be seen.
        root = call.func
        while isinstance(root, ast.Attribute):
            root = root.value
        if not isinstance(root, ast.Name):
            return False
        scope: Function | None = function
        while scope is not None:
            for binding in scope.bindings.get(root.id, ()):
                return isinstance(binding.target, str) and binding.target.partition(".")[0] == "asyncio"
            scope = scope.parent
        return False
    receiver = call.func.value if isinstance(call.func, ast.Attribute) else None
    if not isinstance(receiver, ast.Name):
        return False
    for binding in function.bindings.get(receiver.id, ()) or function.module.body.bindings.get(receiver.id, ()):
        if isinstance(binding.value, ast.Call) and program.names_of(binding.value.func, binding.scope) & {
            "asyncio.get_event_loop", "asyncio.get_running_loop", "asyncio.new_event_loop",
        }:  # fmt: skip
            return True
    return False


def _fresh_task_from(program: Program, call: ast.Call, function: Function) -> Function | None:
    """The function that a call calls, if all it does with the task it starts is to return it."""
    found = None
    for value in program.callees(call, function):
        if not isinstance(value, Func):
            return None
        called = value.function
        if called.is_async or called.yields or called.decorators:
            return None
        returns = called.of(ast.Return)
        if len(returns) != 1 or not isinstance(returns[0].value, ast.Call):
            return None
        if not program.may_call(returns[0].value, called, *STARTERS):
            return None
        found = called
    return found


def _starter_as_callback(program: Program, call: ast.Call, function: Function) -> Iterator[Finding]:
    """`loop.call_soon(asyncio.create_task, work())` and its like."""
    for name in program.outside_names(call):
        if name not in library.SYNC_CALLBACKS:
            continue
        index, keyword = library.SYNC_CALLBACKS[name]
        given = call.args[index : index + 1]
        given += [item.value for item in call.keywords if item.arg == keyword]
        for node in given:
            if name in library.EXECUTORS:
                continue
            inner = node
            if isinstance(node, ast.Call) and program.calls(node, function, "functools.partial") and node.args:
                inner = node.args[0]
            if program.names_of(inner, function) & set(STARTERS):
                yield program.finding(
                    "HCS201",
                    call,
                    function,
                    f"`{ast.unparse(call.func)}` drops the task that `{ast.unparse(inner)}` starts: it may be "
                    "collected while it runs, and its failure is lost",
                    data={"starter": ast.unparse(inner), "form": "callback"},
                )
        return
