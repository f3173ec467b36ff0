"""HCS101 to HCS104: what goes wrong when tasks are cancelled."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from openhcs.verify import library
from openhcs.verify.findings import Finding
from openhcs.verify.flow import (
    aliases,
    always_leaves,
    catches,
    comes_after,
    is_inside,
    loops_around,
    mentions,
    path_of,
    paths_in,
    position,
    reraises,
    swallowing_with,
    walk,
)  # fmt: skip
from openhcs.verify.graph import EdgeKind
from openhcs.verify.model import Class, Function, How
from openhcs.verify.program import Program
from openhcs.verify.rules.base import Settings
from openhcs.verify.rules.loops import wraps_executor
from openhcs.verify.values import Cls, Coro, Func, Inst, Partial

__all__ = ["check_late_bound", "check_not_awaited", "check_own_cancellation", "check_wait_for"]

_CANCELLED = ("asyncio.CancelledError", "builtins.BaseException")

_INDIFFERENT = frozenset(
    [
        "builtins.print",
        "builtins.repr",
        "builtins.str",
        "builtins.id",
        "builtins.isinstance",
        "builtins.len",
        "builtins.hash",
        "builtins.bool",
        "builtins.type",
        "builtins.list",
        "builtins.set",
        "builtins.tuple",
        "builtins.sorted",
        "builtins.getattr",
        "builtins.hasattr",
        "builtins.filter",
        "builtins.reversed",
        "builtins.any",
        "builtins.all",
        "builtins.format",
        "builtins.enumerate",
        "builtins.zip",
    ]
)
_INDIFFERENT_METHODS = frozenset(
    [
        "append",
        "add",
        "discard",
        "remove",
        "pop",
        "debug",
        "info",
        "warning",
        "error",
        "exception",
        "log",
        "critical",
        "cancel",
        "done",
        "cancelled",
        "insert",
        "difference_update",
        "clear",
        "get",
        "setdefault",
        "call_soon",
        "call_soon_threadsafe",
        "call_later",
        "add_done_callback",
    ]
)


# -- HCS101 ------------------------------------------------------------------------------------------------------


def check_not_awaited(program: Program, settings: Settings) -> Iterator[Finding]:
    """A task is cancelled, and nobody waits for it to end."""
    for call, function in program.calls_named("cancel"):
        receiver = _cancelled(call)
        if receiver is None or function.name == "__del__" or not program.is_task(receiver, function):
            continue
        paths = aliases(program, function, receiver)
        is_nameless = isinstance(receiver, ast.Call) and not paths
        if not is_nameless and (not paths or _is_looked_after(program, call, function, paths)):
            continue
        kind = "async" if function.is_async else "sync"
        yield program.finding(
            "HCS101",
            call,
            function,
            f"`{ast.unparse(receiver)}` is cancelled and never awaited: its clean-up may not have run, and its failure "
            "is lost",
            data={"task": ast.unparse(receiver), "function": kind},
        )


def _cancelled(call: ast.Call) -> ast.expr | None:
    """The task that a call cancels."""
    if isinstance(call.func, ast.Attribute) and call.func.attr == "cancel":
        return call.func.value
    return None


def _is_looked_after(program: Program, call: ast.Call, function: Function, paths: set[str]) -> bool:
    if not function.is_async and _come_from_all_tasks(program, function, paths):
        return True  # the runner waits for them
    if _is_consumed(program, function, paths, after=call) or _is_watched(program, function, paths):
        return True
    attributes = {path.rpartition(".")[2] for path in paths if "." in path}
    if attributes and _attribute_is_awaited(program, attributes, function):
        if not _is_taken_out(function, paths, call) or _is_held_singly(program, attributes):
            return True
    for path in paths:
        name = path.partition(".")[0]
        home = _home(function, name)
        if home is None:
            continue
        if "." not in path:
            if home is not function or home.is_module:
                others = [other for other in home.module.functions if other is home or home in other.ancestors()]
                if any(_is_consumed(program, other, {path}) for other in others if other is not function):
                    return True
            if not home.is_lambda and any(parameter.arg == name for parameter in home.parameters):
                return _callers_look_after(program, home, name)
            if home is function and any(
                _is_consumed(program, other, {path})
                for other in home.module.functions
                if function in other.ancestors() and name not in other.bindings
            ):
                return True
    return False


_OUTCOME = frozenset({"exception", "result", "cancelled"})


def _is_watched(program: Program, function: Function, paths: set[str]) -> bool:
    """Whether a done-callback reads how the task ended: whoever has set it waits in his own way."""
    watched: dict[Function, set[str]] | None = program.notes.get("watched tasks")
    if watched is None:
        watched = program.notes["watched tasks"] = {}
        for call, other in program.calls_named("add_done_callback"):
            if call.args and isinstance(call.func, ast.Attribute) and _reads_outcome(program, call.args[0], other):
                watched.setdefault(other, set()).update(aliases(program, other, call.func.value))
    if not watched:
        return False
    if not paths.isdisjoint(watched.get(function, ())):
        return True
    attributes = {path for path in paths if path.startswith("self.")}
    cls = function.method_of
    for other, names in watched.items() if cls is not None else ():
        if not names.isdisjoint(attributes) and other.method_of is not None:
            if cls is not None and _are_related(program, cls, other.method_of):
                return True
    return any(
        isinstance(value, Func) and value.function in watched
        for scope in (function, *function.ancestors())
        for path in paths
        for binding in scope.bindings.get(path, ())
        if isinstance(binding.value, ast.Call)
        for value in program.callees(binding.value, binding.scope)
    )


def _reads_outcome(program: Program, callback: ast.expr, function: Function) -> bool:
    for value in program.values(callback, function):
        for inner in value.of if isinstance(value, Partial) else (value,):
            if isinstance(inner, Func) and any(
                isinstance(call.func, ast.Attribute)
                and call.func.attr in _OUTCOME
                and isinstance(call.func.value, ast.Name)
                and any(call.func.value.id == parameter.arg for parameter in inner.function.parameters)
                for call in inner.function.of(ast.Call)
            ):
                return True
    return False


def _come_from_all_tasks(program: Program, function: Function, paths: set[str]) -> bool:
    return any(program.may_call(call, function, "asyncio.all_tasks") for call in function.of(ast.Call))


def _home(function: Function, name: str) -> Function | None:
    scope: Function | None = function
    while scope is not None:
        if name in scope.bindings:
            return scope
        scope = scope.parent
    return None


def _is_consumed(program: Program, function: Function, paths: set[str], after: ast.AST | None = None) -> bool:
    """Whether a function awaits one of the paths, returns it, or hands it to somebody who may."""

    def counts(node: ast.AST) -> bool:
        return (after is None or comes_after(node, after, function)) and mentions(_parts(node), paths)

    if any(counts(node) for kind in (ast.Await, ast.Return, ast.Yield, ast.YieldFrom) for node in function.of(kind)):
        return True
    if any(counts(node.iter) for node in function.of(ast.AsyncFor)):
        return True
    if any(counts(node.test) and _asks_end(node.test) for node in function.of(ast.While)):
        return True
    if after is not None and _leaves_when_ended(function, paths, after):
        return True
    for call in function.of(ast.Call):
        if call is after or (after is not None and not comes_after(call, after, function)):
            continue
        given = [*call.args, *(keyword.value for keyword in call.keywords)]
        if given and mentions(given, paths) and not _is_indifferent(program, call, function):
            return True
    return isinstance(function.node, ast.Lambda) and after is None and mentions(function.node.body, paths)


def _asks_end(test: ast.expr) -> bool:
    """Whether a condition asks whether something has ended; as that of a loop it is a wait in turns."""
    return any(isinstance(node, ast.Attribute) and node.attr in ("done", "cancelled") for node in ast.walk(test))


def _leaves_when_ended(function: Function, paths: set[str], call: ast.AST) -> bool:
    """Whether the loop around a cancel goes on until the task has ended."""
    return any(
        isinstance(node, ast.If) and _asks_end(node.test) and mentions(node.test, paths) and always_leaves(node.body)
        for loop in loops_around(call, function)
        if not mentions(getattr(loop, "target", ()), paths)
        for node in loop.body
    )


def _parts(node: ast.AST) -> list[ast.AST]:
    return list(ast.iter_child_nodes(node)) if isinstance(node, ast.Return | ast.Yield) else [node]


def _is_indifferent(program: Program, call: ast.Call, function: Function) -> bool:
    """Whether a call neither keeps nor awaits what it is given, as far as one can tell."""
    if isinstance(call.func, ast.Attribute) and call.func.attr in _INDIFFERENT_METHODS:
        return True
    names = program.names_of(call.func, function)
    if names & {"asyncio.wait", "asyncio.gather", "asyncio.shield", "asyncio.wait_for"}:
        return False
    return bool(names) and names <= _INDIFFERENT


def _attribute_is_awaited(program: Program, attributes: set[str], function: Function) -> bool:
    cls = function.method_of
    for other, awaited in _awaited_attributes(program).items():
        if other is function or awaited.isdisjoint(attributes):
            continue
        if cls is None or other.method_of is None or _are_related(program, cls, other.method_of):
            return True
        if any(f"self.{attribute}" not in awaited for attribute in attributes & awaited):
            return True
    return False


_TAKES_OUT = frozenset({"pop", "popitem", "popleft", "clear"})


def _is_taken_out(function: Function, paths: set[str], call: ast.Call) -> bool:
    """Whether the collection in which a task would be awaited loses it here: nobody will find it there."""
    collections = {path for path in paths if "." in path}
    takes = [
        other
        for other in function.of(ast.Call)
        if isinstance(other.func, ast.Attribute)
        and other.func.attr in _TAKES_OUT
        and path_of(other.func.value) in collections
    ]
    return any(not _in_other_branch(other, call, function) for other in takes)


def _in_other_branch(node: ast.AST, other: ast.AST, function: Function) -> bool:
    first, second = sorted((node, other), key=position)
    return first is not second and not comes_after(second, first, function)


def _is_held_singly(program: Program, attributes: set[str]) -> bool:
    """Whether somebody takes a single task of a collection to await it or to give it away."""
    held: set[str] | None = program.notes.get("held singly")
    if held is None:
        held = program.notes["held singly"] = set()
        for function in program.functions:
            nodes: list[ast.expr | None] = [node.value for node in function.of(ast.Await)]
            nodes += [node.value for node in function.of(ast.Return)]
            nodes += [node.value for node in function.of(ast.Assign)]
            nodes += [
                argument
                for call in function.of(ast.Call)
                if not _is_indifferent(program, call, function)
                for argument in call.args
            ]
            for node in nodes:
                is_look_up = isinstance(node, ast.Call) and _is_get(node)
                if (isinstance(node, ast.Subscript) or is_look_up) and (path := path_of(node)) is not None:
                    held.add(path.rpartition(".")[2])
    return not held.isdisjoint(attributes)


def _is_get(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Attribute) and node.func.attr == "get"


def _are_related(program: Program, one: Class, other: Class) -> bool:
    return Cls(one) in program.inference.ancestry(other) or Cls(other) in program.inference.ancestry(one)


def _awaited_attributes(program: Program) -> dict[Function, set[str]]:
    """By function, the attributes it awaits or hands on, also through names; with `self.` as well where of `self`."""
    known = program.notes.get("awaited attributes")
    if known is None:
        known = {}
        for function in program.functions:
            nodes: list[ast.AST] = [*function.of(ast.Await), *function.of(ast.Return), *function.of(ast.AsyncFor)]
            for call in function.of(ast.Call):
                if not _is_indifferent(program, call, function):
                    nodes += [*call.args, *(keyword.value for keyword in call.keywords)]
            if not nodes:
                continue
            paths = paths_in(part for node in nodes for part in _awaited_parts(node))
            loops: list[ast.For | ast.comprehension] = [*function.of(ast.For), *function.of(ast.comprehension)]
            for loop in loops:
                if (path := path_of(loop.target)) is not None and path in paths:
                    paths |= paths_in(loop.iter)
            for assign in function.of(ast.Assign):
                if any(path_of(target) in paths for target in assign.targets):
                    paths |= paths_in(assign.value)
            found = {path.rpartition(".")[2] for path in paths if "." in path}
            found |= {path for path in paths if path.startswith("self.") and path.count(".") == 1}
            if found:
                known[function] = found
        program.notes["awaited attributes"] = known
    return known


def _awaited_parts(node: ast.AST) -> list[ast.AST]:
    if isinstance(node, ast.Return):
        return [node.value] if node.value is not None and not isinstance(node.value, ast.Call) else []
    if isinstance(node, ast.AsyncFor):
        return [node.iter]
    return [node]


def _callers_look_after(program: Program, function: Function, name: str) -> bool:
    index = next(number for number, parameter in enumerate(function.parameters) if parameter.arg == name)
    passed = program.inference.arguments_of(function, index)
    if not passed:
        return not function.is_async
    return any(
        (paths := aliases(program, caller, node)) and _is_consumed(program, caller, paths, after=node)
        for node, caller in passed
    ) or any(path_of(node) is None or "." in (path_of(node) or "") for node, _ in passed)


# -- HCS102 ------------------------------------------------------------------------------------------------------


def check_own_cancellation(program: Program, settings: Settings) -> Iterator[Finding]:
    """A cancelled child is awaited in a way that swallows the cancellation of the one who waits."""
    for function in program.functions:
        if not function.is_async or _asks_whose(function):
            continue
        for node, at, how in _swallowing(program, function):
            waits = [inner for inner in walk(node.body) if isinstance(inner, ast.Await)]
            for wait in waits:
                cancel = _cancel_before(program, wait, function)
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


def _asks_whose(function: Function) -> bool:
    return any(
        isinstance(call.func, ast.Attribute) and call.func.attr in ("cancelling", "uncancel")
        for call in function.of(ast.Call)
    )


def _swallowing(
    program: Program, function: Function
) -> Iterator[tuple[ast.Try | ast.TryStar | ast.With | ast.AsyncWith, ast.AST, str]]:
    tries: list[ast.Try | ast.TryStar] = [*function.of(ast.Try), *function.of(ast.TryStar)]
    for node in tries:
        handler = catches(node, _CANCELLED, program, function)
        if handler is None or reraises(handler, program, function) or always_raises_after(node, program, function):
            continue
        if _raises_later(node, handler, function):
            continue
        caught = "except" if handler.type is None else f"except {ast.unparse(handler.type)}"
        yield node, handler, f"`{caught}`"
    managers: list[ast.With | ast.AsyncWith] = [*function.of(ast.With), *function.of(ast.AsyncWith)]
    for manager in managers:
        if swallowing_with(manager, set(_CANCELLED), program, function):
            if not always_raises_after(manager, program, function):
                yield manager, manager, f"`with {ast.unparse(manager.items[0].context_expr)}`"


def always_raises_after(node: ast.AST, program: Program, function: Function) -> bool:
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


def _cancel_before(program: Program, wait: ast.Await, function: Function) -> tuple[ast.AST, Function] | None:
    """Where what `wait` waits for was cancelled before, with the function of that place."""
    waited = paths_in(wait.value)
    for call in function.of(ast.Call):
        receiver = _cancelled(call)
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
            receiver = _cancelled(call)
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
                receiver = _cancelled(call)
                if receiver is not None and comes_after(node, call, caller):
                    if aliases(program, caller, receiver) & passed:
                        return call, caller
    return None


# -- HCS103 ------------------------------------------------------------------------------------------------------


def check_late_bound(program: Program, settings: Settings) -> Iterator[Finding]:
    """Clean-up looks a task up again, and may find another, or none."""
    cancelling = {function: None for _, function in program.calls_named("cancel")}
    for function in program.functions:
        if function.is_async and function in cancelling:
            yield from _rebound_before_wait(program, function)
            yield from _unbound_in_cleanup(program, function)
            yield from _overwritten_in_loop(program, function)
    for function in {outer for inner in cancelling for outer in [inner.parent] if outer is not None}:
        yield from _captured_in_loop(program, function)


def _rebound_before_wait(program: Program, function: Function) -> Iterator[Finding]:
    for call in function.of(ast.Call):
        receiver = _cancelled(call)
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
            receiver = _cancelled(call)
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
                if (receiver := _cancelled(call)) is not None
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
        if (receiver := _cancelled(call)) is not None:
            yield receiver
        if inner.is_lambda:
            yield from call.args


# -- HCS104 ------------------------------------------------------------------------------------------------------


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
    if _asks_whose(function):
        return
    for node, at, _ in _swallowing(program, function):
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
    if _asks_whose(function):
        return None
    for node, at, _ in _swallowing(program, function):
        waits = [inner for inner in walk(node.body) if isinstance(inner, ast.Await | ast.AsyncFor | ast.AsyncWith)]
        waits = [
            wait for wait in waits if not isinstance(wait, ast.Await) or _cancel_before(program, wait, function) is None
        ]
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
        isinstance(inner, ast.Await)
        and position(inner) > (getattr(node, "end_lineno", 0), 0)
        and comes_after(inner, node, function)
        for inner in function.of(ast.Await)
    )
