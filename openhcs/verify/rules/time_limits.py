"""HCS104: a time limit is put on something that does not stop when it is cancelled."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from openhcs.verify import library
from openhcs.verify.findings import Finding
from openhcs.verify.flow import always_leaves, comes_after, is_inside, loops_around, position, walk
from openhcs.verify.graph import EdgeKind
from openhcs.verify.model import Function, How
from openhcs.verify.program import Program
from openhcs.verify.rules.base import Settings
from openhcs.verify.rules.cancelled import cancelled_before
from openhcs.verify.rules.loops import wraps_executor
from openhcs.verify.rules.swallowing import asks_whose, swallowing_blocks
from openhcs.verify.values import Coro, Func, Inst

__all__ = ["check_wait_for"]


def check_wait_for(program: Program, settings: Settings) -> Iterator[Finding]:
    """A time limit is put on something that does not stop when it is cancelled."""
    for call, function in program.calls_of("asyncio.wait_for"):
        if program.calls(call, function, "asyncio.wait_for") and call.args:
            yield from _limited(program, call.args[0], call, function)
    for manager, function in program.each(ast.AsyncWith):
        for item in manager.items:
            limit = item.context_expr
            if isinstance(limit, ast.Call) and program.calls(
                limit, function, "asyncio.timeout", "asyncio.timeout_at", "anyio.fail_after", "anyio.move_on_after"
            ):
                for node in walk(manager.body):
                    if isinstance(node, ast.Await):
                        yield from _limited(program, node.value, node, function)
                yield from _caught_inside(program, manager, function)


def _caught_inside(program: Program, manager: ast.AsyncWith, function: Function) -> Iterator[Finding]:
    """The body of `async with timeout(...)` catches the cancellation itself."""
    if asks_whose(function):
        return
    for node, at, _ in swallowing_blocks(program, function):
        inside = [loop for loop in loops_around(node, function) if is_inside(loop, manager, function)]
        if inside and any(isinstance(inner, ast.Await) for inner in walk(node.body)):
            if not isinstance(at, ast.ExceptHandler) or not _leaves_loop(at.body):
                yield program.finding(
                    "HCS104",
                    at,
                    function,
                    "the time limit around this does not hold: its CancelledError is caught here, and the loop goes on",
                    [program.related(manager, function, "the time limit")],
                    {"callee": function.qualname, "form": "swallow"},
                )


def _leaves_loop(body: list[ast.stmt]) -> bool:
    return any(isinstance(statement, ast.Return | ast.Raise | ast.Break) for statement in body)


def _limited(program: Program, node: ast.expr, at: ast.AST, function: Function) -> Iterator[Finding]:
    if isinstance(node, ast.Call) and program.calls(node, function, "asyncio.shield") and node.args:
        inner = node.args[0]
        if isinstance(inner, ast.Call) and program.coroutines(inner, function):
            yield program.finding(
                "HCS104",
                at,
                function,
                f"when the time is up `{ast.unparse(inner)}` goes on, and nobody holds its task: the shield stops the "
                "cancellation. Keep the task, and await it",
                data={"callee": ast.unparse(inner), "form": "shield"},
            )
        return
    if (work := _in_thread(program, node, function)) is not None:
        yield program.finding(
            "HCS104",
            at,
            function,
            f"only the waiting ends in time: a thread cannot be cancelled, and `{work}` goes on in it. Give the work "
            "itself a limit, or a flag to ask",
            data={"callee": work, "form": "thread"},
        )
        return
    for called in _coroutine_functions(program, node, function):
        swallow = _goes_on(program, called)
        if swallow is not None:
            place, where = swallow
            yield program.finding(
                "HCS104",
                at,
                function,
                f"the time limit does not hold: `{where.name}` catches CancelledError and goes on",
                [program.related(place, where, "caught here, and not raised again")],
                {"callee": called.qualname, "form": "swallow"},
            )
            return


def _in_thread(program: Program, node: ast.expr, function: Function) -> str | None:
    """What is run in a thread or process, if that is what `node` waits for."""
    if isinstance(node, ast.Name):
        bindings = function.bindings.get(node.id, ())
        if len(bindings) != 1 or bindings[0].how is not How.VALUE or bindings[0].value is None:
            return None
        node = bindings[0].value
    if not isinstance(node, ast.Call):
        return None
    names = program.outside_names(node) & library.EXECUTORS.keys()
    if names:
        index = library.EXECUTORS[min(names)]
        return ast.unparse(node.args[index]) if index < len(node.args) else ast.unparse(node.func)
    if any(
        isinstance(value, Func) and wraps_executor(program, value.function) for value in program.callees(node, function)
    ):
        return ast.unparse(node.args[0]) if node.args else ast.unparse(node.func)
    return None


def _coroutine_functions(program: Program, node: ast.expr, function: Function) -> Iterator[Function]:
    for value in program.values(node, function):
        for inner in (value, *(value.of if isinstance(value, Inst) else ())):
            if isinstance(inner, Coro) and inner.function is not None:
                yield inner.function


_DEEPEST = 2
"""Through how many awaited functions the one that goes on is looked for."""


def _goes_on(program: Program, function: Function, depth: int = 0) -> tuple[ast.AST, Function] | None:
    """The handler where a function, or one that it awaits, catches its cancellation and goes on, and whose it is."""
    if asks_whose(function):
        return None
    for node, at, _ in swallowing_blocks(program, function):
        waits = any(
            isinstance(inner, ast.AsyncFor | ast.AsyncWith)
            or (isinstance(inner, ast.Await) and cancelled_before(program, inner, function) is None)
            for inner in walk(node.body)
        )
        if waits and _works_on_after(node, at, function):
            return at, function
    for edge in program.graph.out.get(function, ()) if depth < _DEEPEST else ():
        if edge.kind is EdgeKind.AWAIT and edge.callee is not function:
            if (found := _goes_on(program, edge.callee, depth + 1)) is not None:
                return found
    return None


def _works_on_after(node: ast.AST, at: ast.AST, function: Function) -> bool:
    """Whether something is awaited after the cancellation was caught."""
    if isinstance(at, ast.ExceptHandler):
        if any(isinstance(inner, ast.Await) for inner in walk(at.body)):
            return True
        if always_leaves(at.body) and not any(isinstance(inner, ast.Continue) for inner in walk(at.body)):
            return False
    if loops_around(node, function):
        return True
    return any(
        position(inner) > (getattr(node, "end_lineno", 0), 0) and comes_after(inner, node, function)
        for inner in function.of(ast.Await)
    )
