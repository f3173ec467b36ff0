"""HCS103: clean-up looks a task up again, and may find another, or none."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from openhcs.verify import library
from openhcs.verify.findings import Finding
from openhcs.verify.flow import (
    always_leaves,
    comes_after,
    is_inside,
    loops_around,
    mentions,
    path_of,
    paths_in,
    position,
    walk,
)
from openhcs.verify.model import Function, How
from openhcs.verify.program import Program
from openhcs.verify.rules.base import Settings
from openhcs.verify.rules.cancelled import cancelled_task

__all__ = ["check_late_bound"]


def check_late_bound(program: Program, settings: Settings) -> Iterator[Finding]:
    """Clean-up looks a task up again, and may find another, or none."""
    cancelling = dict.fromkeys(function for _, function in program.calls_named("cancel"))
    for function in program.functions:
        if function.is_async and function in cancelling:
            yield from _rebound_before_wait(program, function)
            yield from _unbound_in_cleanup(program, function)
            yield from _overwritten_in_loop(program, function)
    for function in dict.fromkeys(inner.parent for inner in cancelling if inner.parent is not None):
        yield from _captured_in_loop(program, function)


def _rebound_before_wait(program: Program, function: Function) -> Iterator[Finding]:
    for call in function.of(ast.Call):
        receiver = cancelled_task(call)
        collection = _collection_of(receiver, call, function)
        path = collection or (path_of(receiver) if isinstance(receiver, ast.Name | ast.Attribute) else None)
        if receiver is None or path is None:
            continue
        waits = [
            node
            for node in function.of(ast.Await)
            if position(node) > position(call) and path in paths_in(node.value) and comes_after(node, call, function)
        ]
        if not waits or not _could_be_task(program, receiver, function):
            continue
        wait = min(waits, key=position)
        rebinding = None if collection else _rebinding_between(path, call, wait, function)
        if rebinding is not None:
            yield program.finding(
                "HCS103",
                wait,
                function,
                f"`{path}` was given another value after it was cancelled: what is awaited is not what was cancelled",
                [
                    program.related(call, function, "cancelled here"),
                    program.related(rebinding, function, "changed here"),
                ],
                {"task": path},
            )
        elif "." in path and (between := _wait_between(path, call, wait, function)) is not None:
            other = _rebound_elsewhere(path, function, adds=collection is not None)
            if other is not None:
                place, where = other
                yield program.finding(
                    "HCS103",
                    wait,
                    function,
                    f"`{path}` is looked up again after an await: by then `{where.name}` may have given it another "
                    "value. Keep the task in a local variable",
                    [
                        program.related(call, function, "cancelled here"),
                        program.related(between, function, "others run here"),
                        program.related(place, where, "changed here"),
                    ],
                    {"task": path},
                )


def _collection_of(receiver: ast.expr | None, call: ast.Call, function: Function) -> str | None:
    """The attribute that holds all tasks, where each of them, or one by its key, is cancelled."""
    path = None
    if isinstance(receiver, ast.Subscript):
        path = path_of(receiver)
    elif isinstance(receiver, ast.Name):
        for loop in loops_around(call, function):
            if isinstance(loop, ast.For) and path_of(loop.target) == receiver.id:
                path = path_of(loop.iter)
    return path if path is not None and path.startswith("self.") and path.count(".") == 1 else None


def _could_be_task(program: Program, node: ast.expr, function: Function) -> bool:
    values = program.values(node, function)
    return not values or any(program.inference.is_a(value, library.TASK, library.FUTURE) for value in values)


def _rebinding_between(path: str, call: ast.AST, wait: ast.AST, function: Function) -> ast.AST | None:
    for assign in function.of(ast.Assign):
        for target in assign.targets:
            if path_of(target) == path and isinstance(target, ast.Name | ast.Attribute):
                if position(call) < position(assign) < position(wait) and not is_inside(wait, assign, function):
                    if comes_after(assign, call, function) and comes_after(wait, assign, function):
                        if not _leaves_branch(assign, wait, function):
                            return assign
    return None


def _leaves_branch(node: ast.AST, later: ast.AST, function: Function) -> bool:
    """Whether the branch of `node` never goes on to `later`."""
    for outer, _ in function.module.around(node):
        if is_inside(later, outer, function):
            return False
        if isinstance(outer, ast.If):
            body = outer.body if any(is_inside(node, item, function) for item in outer.body) else outer.orelse
            if always_leaves(body):
                return True
    return False


def _wait_between(path: str, call: ast.AST, wait: ast.AST, function: Function) -> ast.AST | None:
    for node in (*function.of(ast.Await), *function.of(ast.AsyncWith), *function.of(ast.AsyncFor)):
        if position(call) < position(node) < position(wait) and not is_inside(wait, node, function):
            if path not in paths_in(node) and comes_after(node, call, function) and comes_after(wait, node, function):
                if not _leaves_branch(node, wait, function):
                    return node
    return None


def _rebound_elsewhere(path: str, function: Function, *, adds: bool = False) -> tuple[ast.AST, Function] | None:
    cls = function.method_of
    base, _, attribute = path.rpartition(".")
    if cls is None or base != "self":
        return None
    for binding in cls.attributes.get(attribute, ()):
        if binding.scope is not function and binding.scope.name not in ("__init__", "__new__", "__del__"):
            if adds != (binding.how is How.ELEMENT):
                continue
            if (
                isinstance(binding.node, ast.Assign | ast.AnnAssign | ast.NamedExpr | ast.Call)
                and binding.value is not None
            ):
                return binding.node, binding.scope
    return None


def _unbound_in_cleanup(program: Program, function: Function) -> Iterator[Finding]:
    """`try: await a(); task = create_task(b()) finally: task.cancel()`: a cancelled first await leaves no task."""
    for node in function.of(ast.Try):
        if not node.finalbody:
            continue
        for call in (inner for inner in walk(node.finalbody) if isinstance(inner, ast.Call)):
            receiver = cancelled_task(call)
            if not isinstance(receiver, ast.Name) or not program.is_task(receiver, function):
                continue
            bindings = function.bindings.get(receiver.id, [])
            if not bindings or any(not is_inside(item.node, node, function) for item in bindings):
                continue
            bound = [item.node for item in bindings if any(is_inside(item.node, part, function) for part in node.body)]
            first = min(bound, key=position, default=None)
            if first is None or first not in node.body or len(bound) != len(bindings):
                continue
            before = [
                inner for inner in walk(node.body) if isinstance(inner, ast.Await) and position(inner) < position(first)
            ]
            if before:
                yield program.finding(
                    "HCS103",
                    call,
                    function,
                    f"`{receiver.id}` has no value here when the await before it fails or is cancelled: bind it before "
                    "the try",
                    [
                        program.related(before[0], function, "may not return"),
                        program.related(first, function, "bound here"),
                    ],
                    {"task": receiver.id},
                )
                return


def _overwritten_in_loop(program: Program, function: Function) -> Iterator[Finding]:
    """A loop starts a task a turn in one variable, and only the last is cleaned up behind it."""
    loops: list[ast.For | ast.While | ast.AsyncFor] = [
        *function.of(ast.For),
        *function.of(ast.While),
        *function.of(ast.AsyncFor),
    ]
    for loop in loops:
        for statement in loop.body:
            if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
                continue
            name = statement.targets[0].id
            if not isinstance(statement.value, ast.Call) or not program.is_task(statement.value, function):
                continue
            rest = [other for other in loop.body if other is not statement]
            if mentions([*rest, *loop.orelse], {name}) or always_leaves(loop.body) or _has_exit(loop):
                continue
            behind = [
                call
                for call in function.of(ast.Call)
                if (receiver := cancelled_task(call)) is not None
                and path_of(receiver) == name
                and not is_inside(call, loop, function)
                and position(call) > position(loop)
            ]
            if behind:
                yield program.finding(
                    "HCS103",
                    behind[0],
                    function,
                    f"only the last `{name}` of the loop is cleaned up: each turn replaced the one before",
                    [program.related(statement, function, "replaced here")],
                    {"task": name},
                )


def _has_exit(loop: ast.For | ast.While | ast.AsyncFor) -> bool:
    return any(isinstance(node, ast.Break | ast.Return) for node in walk(loop.body))


def _captured_in_loop(program: Program, function: Function) -> Iterator[Finding]:
    """A closure made in a loop reads the loop's task when it runs: by then that is the last one."""
    for inner in function.module.functions:
        if inner.parent is not function or inner.owner is not None:
            continue
        loops = loops_around(inner.node, function)
        if not loops or not _is_kept(inner, loops[0], function):
            continue
        for node in _handled_tasks(inner):
            if not isinstance(node, ast.Name) or node.id in inner.bindings or node.id not in function.bindings:
                continue
            bindings = function.bindings[node.id]
            in_loop = [item for item in bindings if is_inside(item.node, loops[0], function) or item.node is loops[0]]
            if len(in_loop) == len(bindings) and program.is_task(node, function):
                yield program.finding(
                    "HCS103",
                    node,
                    inner,
                    f"`{node.id}` is read when `{inner.name}` runs, not when it is made: every closure of this loop "
                    "cleans up the last task",
                    [program.related(in_loop[0].node, function, "another in each turn")],
                    {"task": node.id},
                )
                break


def _is_kept(inner: Function, loop: ast.AST, function: Function) -> bool:
    """Whether a closure outlives its turn of the loop."""
    if inner.is_lambda:
        parent = function.module.parents.get(inner.node)
        call = function.module.parents.get(parent) if isinstance(parent, ast.keyword) else parent
        return isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)
    for node in walk(loop.body if isinstance(loop, ast.For | ast.AsyncFor | ast.While) else ()):
        if isinstance(node, ast.Call) and any(
            isinstance(argument, ast.Name) and argument.id == inner.name for argument in node.args
        ):
            return isinstance(node.func, ast.Attribute) and node.func.attr in (
                "append", "add", "push_async_callback", "callback", "push", "register", "appendleft",
            )  # fmt: skip
    return False


def _handled_tasks(inner: Function) -> Iterator[ast.expr]:
    for wait in inner.of(ast.Await):
        yield wait.value
    for call in inner.of(ast.Call):
        if (receiver := cancelled_task(call)) is not None:
            yield receiver
        if inner.is_lambda:
            yield from call.args
