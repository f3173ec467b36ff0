"""HCS205: a coroutine function that is called as if it were a plain one."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from openhcs.verify.findings import Finding
from openhcs.verify.model import Function, How
from openhcs.verify.program import Program
from openhcs.verify.rules.base import Settings

__all__ = ["check_never_awaited"]


def check_never_awaited(program: Program, settings: Settings) -> Iterator[Finding]:
    """A coroutine function is called as if it were a plain one."""
    for statement, function in program.each(ast.Expr):
        call = statement.value
        if not isinstance(call, ast.Call):
            continue
        functions = program.coroutine_functions(call.func, function)
        if not functions or not _is_called_by_name(call.func, functions, function):
            continue
        if _raises_expected(statement, function):
            continue
        yield program.finding(
            "HCS205",
            call,
            function,
            f"`{ast.unparse(call.func)}` is a coroutine function: without `await` this does nothing",
            data={"coroutine": ast.unparse(call)},
        )


def _is_called_by_name(node: ast.expr, functions: Sequence[Function], function: Function) -> bool:
    """Whether the functions are called by their own names; a callback kept under another is its giver's fault."""
    if isinstance(node, ast.Attribute):
        return all(called.name == node.attr for called in functions)
    scope: Function | None = function
    while isinstance(node, ast.Name) and scope is not None:
        if node.id in scope.bindings:
            return all(binding.how in (How.DEFINITION, How.IMPORT) for binding in scope.bindings[node.id])
        scope = scope.parent
    return False


def _raises_expected(statement: ast.Expr, function: Function) -> bool:
    """In a test that expects the call itself to fail nothing is awaited."""
    return any(
        isinstance(outer, ast.With) and any("raises" in ast.dump(item.context_expr) for item in outer.items)
        for outer, _ in function.module.around(statement)
    )
