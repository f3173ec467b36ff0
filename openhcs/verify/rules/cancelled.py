"""What is cancelled: the task of a call, and the call before a wait. Asked by the rules on cancellation."""

from __future__ import annotations

import ast

from openhcs.verify.flow import aliases, comes_after, loops_around, mentions, path_of, paths_in, position
from openhcs.verify.model import Function
from openhcs.verify.program import Program

__all__ = ["cancelled_before", "cancelled_task"]


def cancelled_task(call: ast.Call) -> ast.expr | None:
    """The task that a call cancels."""
    if isinstance(call.func, ast.Attribute) and call.func.attr == "cancel":
        return call.func.value
    return None


def cancelled_before(program: Program, wait: ast.Await, function: Function) -> tuple[ast.AST, Function] | None:
    """Where what `wait` waits for was cancelled before, with the function of that place."""
    waited = paths_in(wait.value)
    for call in function.of(ast.Call):
        receiver = cancelled_task(call)
        if receiver is None or (position(call) > position(wait) and not _share_loop(call, wait, function)):
            continue
        if not comes_after(wait, call, function):
            continue
        paths = aliases(program, function, receiver)
        if paths & waited or _mentions_through_loops(paths, waited, function):
            return call, function
    return _cancel_by_callee(program, wait, waited, function) or _cancel_by_caller(program, waited, function)


def _share_loop(one: ast.AST, other: ast.AST, function: Function) -> bool:
    inside = {id(loop) for loop in loops_around(one, function)}
    return any(id(loop) in inside for loop in loops_around(other, function))


def _mentions_through_loops(paths: set[str], waited: set[str], function: Function) -> bool:
    return any(path_of(loop.target) in waited and mentions(loop.iter, paths) for loop in function.of(ast.For))


def _cancel_by_callee(
    program: Program, wait: ast.Await, waited: set[str], function: Function
) -> tuple[ast.AST, Function] | None:
    """A method called before the wait that cancels the same attribute."""
    attributes = {path for path in waited if path.startswith("self.") and path.count(".") == 1}
    if not attributes or function.method_of is None:
        return None
    for edge in program.graph.out.get(function, ()):
        callee = edge.callee
        if callee.method_of is not function.method_of or position(edge.node) > position(wait):
            continue
        for call in callee.of(ast.Call):
            receiver = cancelled_task(call)
            if receiver is not None and aliases(program, callee, receiver) & attributes:
                return call, callee
    return None


def _cancel_by_caller(program: Program, waited: set[str], function: Function) -> tuple[ast.AST, Function] | None:
    """A caller that passes a task which it has cancelled."""
    for index, parameter in enumerate(function.parameters):
        if parameter.arg not in waited:
            continue
        for node, caller in program.inference.arguments_of(function, index):
            passed = paths_in(node)
            for call in caller.of(ast.Call):
                receiver = cancelled_task(call)
                if receiver is not None and comes_after(node, call, caller):
                    if aliases(program, caller, receiver) & passed:
                        return call, caller
    return None
