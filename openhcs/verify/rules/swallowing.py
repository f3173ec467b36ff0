"""HCS102: waiting for a cancelled child swallows the cancellation of the one who waits."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from openhcs.verify.findings import Finding
from openhcs.verify.flow import catches, is_inside, path_of, paths_in, position, reraises, swallowing_with, walk
from openhcs.verify.model import Function
from openhcs.verify.program import Program
from openhcs.verify.rules.base import Settings
from openhcs.verify.rules.cancelled import cancelled_before

__all__ = ["asks_whose", "check_own_cancellation", "swallowing_blocks"]

_CANCELLED = ("asyncio.CancelledError", "builtins.BaseException")


def check_own_cancellation(program: Program, settings: Settings) -> Iterator[Finding]:
    """A cancelled child is awaited in a way that swallows the cancellation of the one who waits."""
    for function in program.functions:
        if not function.is_async or asks_whose(function):
            continue
        for node, at, how in swallowing_blocks(program, function):
            waits = [inner for inner in walk(node.body) if isinstance(inner, ast.Await)]
            for wait in waits:
                cancel = cancelled_before(program, wait, function)
                if cancel is None or _is_handled_nearer(program, wait, node, function):
                    continue
                place, where = cancel
                yield program.finding(
                    "HCS102",
                    at,
                    function,
                    f"{how} also swallows the cancellation of `{function.name}` itself, when that comes while it waits "
                    f"for the cancelled `{ast.unparse(wait.value)}`",
                    [
                        program.related(place, where, "cancelled here"),
                        program.related(wait, function, "awaited here"),
                    ],
                    {"task": ast.unparse(wait.value), "form": "suppress" if isinstance(node, ast.With) else "except"},
                )
                break


def asks_whose(function: Function) -> bool:
    """Whether a function looks whose cancellation it is that it has caught."""
    return any(
        isinstance(call.func, ast.Attribute) and call.func.attr in ("cancelling", "uncancel")
        for call in function.of(ast.Call)
    )


def swallowing_blocks(
    program: Program, function: Function
) -> Iterator[tuple[ast.Try | ast.TryStar | ast.With | ast.AsyncWith, ast.AST, str]]:
    """The blocks from which no cancellation comes, each with where it ends and what ends it, in words."""
    tries: list[ast.Try | ast.TryStar] = [*function.of(ast.Try), *function.of(ast.TryStar)]
    for node in tries:
        handler = catches(node, _CANCELLED, program, function)
        if handler is None or reraises(handler, program, function) or _is_raised_after(node, function):
            continue
        if _raises_later(node, handler, function):
            continue
        caught = "except" if handler.type is None else f"except {ast.unparse(handler.type)}"
        yield node, handler, f"`{caught}`"
    managers: list[ast.With | ast.AsyncWith] = [*function.of(ast.With), *function.of(ast.AsyncWith)]
    for manager in managers:
        if swallowing_with(manager, set(_CANCELLED), program, function):
            if not _is_raised_after(manager, function):
                yield manager, manager, f"`with {ast.unparse(manager.items[0].context_expr)}`"


def _is_raised_after(node: ast.AST, function: Function) -> bool:
    """Whether `node` is in a handler of a cancellation that raises it again in the end."""
    for outer, child in function.module.around(node):
        if isinstance(outer, ast.ExceptHandler):
            if any(
                isinstance(statement, ast.Raise) and position(statement) > position(child) for statement in outer.body
            ):
                return True
    return False


def _raises_later(node: ast.AST, handler: ast.ExceptHandler, function: Function) -> bool:
    """Whether a handler keeps the cancellation, or a flag, and a `raise` behind it depends on that."""
    kept = {path_of(target) for part in walk(handler.body) if isinstance(part, ast.Assign) for target in part.targets}
    for statement in function.of(ast.Raise):
        if position(statement) < position(node) or is_inside(statement, node, function):
            continue
        if statement.exc is not None and path_of(statement.exc) in kept:
            return True
        if any(
            isinstance(outer, ast.If) and paths_in(outer.test) & kept for outer, _ in function.module.around(statement)
        ):
            return True
    return False


def _is_handled_nearer(program: Program, wait: ast.Await, node: ast.AST, function: Function) -> bool:
    """Whether a `try` between the two catches the cancellation already."""
    for outer, child in function.module.around(wait):
        if outer is node:
            return False
        if isinstance(outer, ast.Try) and child in outer.body and catches(outer, _CANCELLED, program, function):
            return True
        if isinstance(outer, ast.With) and swallowing_with(outer, set(_CANCELLED), program, function):
            return True
    return False
