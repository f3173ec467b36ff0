"""HCS501: the managed focus call in place of a pause and a focus. Standard library only."""

from __future__ import annotations

import ast

from openhcs.verify.findings import Finding
from openhcs.verify.fix.context import Context, Site
from openhcs.verify.fix.edits import Edit, Fix, Kind, Safety
from openhcs.verify.flow import caught_at
from openhcs.verify.model import Function

__all__ = ["plan_focus"]

_SLEEP = ("asyncio.sleep", "anyio.sleep")


def plan_focus(context: Context, finding: Finding) -> Fix | None:
    """`await asyncio.sleep(delay)` and `layout.focus(target)` become one awaited call.

    A `try` around both that does nothing but swallow goes as well: the managed call logs what fails, and a
    cancellation has to go on.
    """
    site = context.site(finding)
    call = site.find(finding.place, ast.Call)
    if call is None or not isinstance(call.func, ast.Attribute) or call.func.attr != "focus":
        return None
    if len(call.args) != 1 or call.keywords or isinstance(call.args[0], ast.Starred):
        return None
    focusing = site.parent(call)
    function = site.function(call)
    if not isinstance(focusing, ast.Expr) or not function.is_async or not site.is_alone(focusing):
        return None
    sleeping = _pause_before(context, site, focusing, function)
    if sleeping is None or not site.is_alone(sleeping):
        return None
    pause = _slept(context, sleeping, function)
    usable = context.focus(call, function)
    if pause is None or usable is None:
        return None
    text = f"await {usable.text}($target, $delay)"
    holes = {"target": call.args[0], "delay": pause}
    around = site.parent(focusing)
    if isinstance(around, ast.Try) and _only_swallows(context, around, [sleeping, focusing], function):
        edits = [Edit(Kind.STATEMENT, around, text, holes)]
    else:
        edits = [Edit(Kind.REMOVE, sleeping), Edit(Kind.STATEMENT, focusing, text, holes)]
    return context.fix(finding, Safety.UNSAFE, site.module, *edits, *usable.edits)


def _pause_before(context: Context, site: Site, focusing: ast.stmt, function: Function) -> ast.stmt | None:
    """The pause directly before a statement, or before the `try` that it begins."""
    statement = focusing
    while True:
        block = site.block(statement)
        if not block:
            return None
        index = block.index(statement)
        if index:
            return block[index - 1] if _slept(context, block[index - 1], function) is not None else None
        outer = site.parent(statement)
        if not isinstance(outer, ast.Try) or statement not in outer.body:
            return None
        statement = outer


def _slept(context: Context, statement: ast.stmt, function: Function) -> ast.expr | None:
    """For how long a statement sleeps, if that is all it does."""
    if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Await):
        return None
    call = statement.value.value
    if not isinstance(call, ast.Call) or len(call.args) != 1 or call.keywords:
        return None
    return call.args[0] if context.program.calls(call, function, *_SLEEP) else None


def _only_swallows(context: Context, node: ast.Try, body: list[ast.stmt], function: Function) -> bool:
    if node.body != body or node.orelse or node.finalbody:
        return False
    return any(
        "asyncio.CancelledError" in caught_at(handler.type, context.program, function) for handler in node.handlers
    ) and all(
        all(
            isinstance(statement, ast.Pass)
            or (isinstance(statement, ast.Return) and statement.value is None and _ends(node, function))
            for statement in handler.body
        )
        for handler in node.handlers
    )


def _ends(node: ast.stmt, function: Function) -> bool:
    """Whether nothing of the function comes after a statement."""
    return function.body[-1] is node
