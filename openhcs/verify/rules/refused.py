"""HCS204: a coroutine object that is made, and then taken by nobody."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from openhcs.verify.findings import Finding
from openhcs.verify.flow import always_leaves, caught_at, position, walk
from openhcs.verify.graph import bound_arguments
from openhcs.verify.model import Function, How
from openhcs.verify.program import Program
from openhcs.verify.rules.base import Settings

__all__ = ["check_refused"]

_NEED_LOOP = ("asyncio.create_task", "asyncio.run", "asyncio.run_coroutine_threadsafe")


def check_refused(program: Program, settings: Settings) -> Iterator[Finding]:
    """A coroutine is made before it is certain that anybody takes it, and leaks when nobody does."""
    refusals = _refusing_parameters(program)
    for call, function in program.each(ast.Call) if refusals else ():
        for value in program.callees(call, function):
            for called, index, node in bound_arguments(value, call):
                refusal = refusals.get((called, index))
                if refusal is None or not isinstance(node, ast.Call) or not program.is_coroutine_call(node, function):
                    continue
                if _is_asked_before(call, function, refusal, called):
                    continue
                yield program.finding(
                    "HCS204",
                    node,
                    function,
                    f"`{ast.unparse(node.func)}` is called before `{called.name}` has accepted it: where that refuses, "
                    "the coroutine is never awaited. Pass a function, or let the refusal close it",
                    [program.related(refusal, called, "refuses here")],
                    {"coroutine": ast.unparse(node), "callee": called.qualname},
                )
    for call, function in program.calls_of(*_NEED_LOOP):
        yield from _refused_without_loop(program, call, function)
    for function in program.functions:
        yield from _left_before_use(program, function)


def _is_asked_before(call: ast.Call, function: Function, refusal: ast.stmt, called: Function) -> bool:
    """Whether the caller asks for himself what he would be refused for: `if not self.closed: self.start(work())`."""
    asked = {
        node.attr
        for outer, _ in called.module.around(refusal)
        if isinstance(outer, ast.If)
        for node in ast.walk(outer.test)
        if isinstance(node, ast.Attribute)
    }
    tests = [outer.test for outer, child in function.module.around(call) if isinstance(outer, ast.If)]
    tests += [node.test for node in function.of(ast.If) if position(node) < position(call) and always_leaves(node.body)]
    return any(isinstance(node, ast.Attribute) and node.attr in asked for test in tests for node in ast.walk(test))


def _refusing_parameters(program: Program) -> dict[tuple[Function, int], ast.stmt]:
    """Parameters that get coroutines, with the exit before which the coroutine is neither used nor closed.

    Also those that are merely handed on to such a parameter.
    """
    takers = [
        (function, index)
        for (function, index), passed in program.inference.all_arguments()
        if not function.is_module
        and not function.is_lambda
        and any(program.coroutines(node, caller) for node, caller in passed)
    ]
    found: dict[tuple[Function, int], ast.stmt] = {}
    for function, index in takers:
        exit_ = _exit_before_use(function.body, function.parameters[index].arg)
        if exit_ is not None and not _is_impossible(exit_):
            found[function, index] = exit_
    for _ in range(3 if found else 0):
        for function, index in takers:
            if (function, index) not in found:
                refusal = _refused_by_next(program, function, function.parameters[index].arg, found)
                if refusal is not None:
                    found[function, index] = refusal
    return found


def _refused_by_next(
    program: Program, function: Function, name: str, refusals: dict[tuple[Function, int], ast.stmt]
) -> ast.stmt | None:
    """Where a parameter is refused by the one function that it is handed on to."""
    if len(_uses(function, name)) != 1:
        return None
    for call in function.of(ast.Call):
        if any(isinstance(outer, ast.Try) for outer, _ in function.module.around(call)):
            continue
        for value in program.callees(call, function):
            for called, index, node in bound_arguments(value, call):
                if isinstance(node, ast.Name) and node.id == name and (called, index) in refusals:
                    return refusals[called, index]
    return None


def _is_impossible(node: ast.stmt) -> bool:
    """`raise NotImplementedError`: nobody who is called in earnest does that."""
    if not isinstance(node, ast.Raise) or node.exc is None:
        return False
    raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
    return isinstance(raised, ast.Name) and raised.id in ("NotImplementedError", "AssertionError", "TypeError")


def _exit_before_use(body: Sequence[ast.stmt], name: str) -> ast.stmt | None:
    """A `return` or `raise` that is reached without anything having been done with `name`."""
    for statement in body:
        if isinstance(statement, ast.If):
            if _reads(statement.test, name):
                return None
            for branch in (statement.body, statement.orelse):
                if (found := _exit_before_use(branch, name)) is not None:
                    return found
            if _reads(statement, name):
                return None
        elif isinstance(statement, ast.Try | ast.With | ast.AsyncWith) and not any(
            _reads(item, name) for item in (statement.finalbody if isinstance(statement, ast.Try) else statement.items)
        ):
            if (found := _exit_before_use(statement.body, name)) is not None or _reads(statement, name):
                return found
        elif isinstance(statement, ast.Return | ast.Raise) and not _reads(statement, name):
            return statement
        elif _reads(statement, name) or isinstance(statement, ast.Try | ast.For | ast.While | ast.Match):
            return None
    return None


def _reads(node: ast.AST, name: str) -> bool:
    return any(isinstance(inner, ast.Name) and inner.id == name for inner in ast.walk(node))


def _refused_without_loop(program: Program, call: ast.Call, function: Function) -> Iterator[Finding]:
    """`try: create_task(work()) except RuntimeError`: there may be no loop, and then the coroutine leaks."""
    if not call.args or not isinstance(call.args[0], ast.Call) or function.is_async:
        return
    if not program.is_coroutine_call(call.args[0], function):
        return
    for outer, child in function.module.around(call):
        if isinstance(outer, ast.Try) and child in outer.body:
            for handler in outer.handlers:
                if handler.type is not None and "builtins.RuntimeError" in caught_at(handler.type, program, function):
                    if _asked_before(program, call, outer, function):
                        return
                    yield program.finding(
                        "HCS204",
                        call.args[0],
                        function,
                        f"where `{ast.unparse(call.func)}` raises RuntimeError, this coroutine was made already and is "
                        "never awaited",
                        [program.related(handler, function, "the refusal is expected here")],
                        {"coroutine": ast.unparse(call.args[0]), "callee": ast.unparse(call.func)},
                    )
                    return


def _asked_before(program: Program, call: ast.Call, node: ast.Try, function: Function) -> bool:
    """Whether the same `try` asked for the running loop before the coroutine was made."""
    return any(
        isinstance(inner, ast.Call)
        and position(inner) < position(call)
        and program.may_call(inner, function, "asyncio.get_running_loop", "asyncio.get_event_loop")
        for inner in walk(node.body)
    )


def _left_before_use(program: Program, function: Function) -> Iterator[Finding]:
    """`coro = work()`, then a `return` or `raise` before anything is done with it."""
    for name, bindings in function.bindings.items():
        if len(bindings) != 1 or bindings[0].how is not How.VALUE or function.is_module:
            continue
        node = bindings[0].value
        assign = bindings[0].node
        if not isinstance(assign, ast.Assign) or bindings[0].scope is not function:
            continue
        if not isinstance(node, ast.Call) or not program.is_coroutine_call(node, function):
            continue
        parent = function.module.parents.get(assign)
        for field in ("body", "orelse", "finalbody"):
            block = getattr(parent, field, None)
            if isinstance(block, list) and assign in block:
                exit_ = _exit_before_use(block[block.index(assign) + 1 :], name)
                if exit_ is not None and len(_uses(function, name)) > 0:
                    yield program.finding(
                        "HCS204",
                        node,
                        function,
                        f"`{name}` is made before it is certain to be needed: on this way out it is never awaited",
                        [program.related(exit_, function, "leaves without it")],
                        {"coroutine": ast.unparse(node), "callee": ""},
                    )


def _uses(function: Function, name: str) -> list[ast.Name]:
    nodes: list[ast.AST] = [*function.body] if not isinstance(function.node, ast.Lambda) else [function.node.body]
    return [
        node
        for node in walk(nodes)
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)
    ]
