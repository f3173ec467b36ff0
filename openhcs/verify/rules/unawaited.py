"""HCS101: a task is cancelled, and nobody waits for it to end.

Most of it is the question whether somebody does: here, in a caller, in another method, through a collection.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from openhcs.verify.findings import Finding
from openhcs.verify.flow import aliases, always_leaves, comes_after, loops_around, mentions, path_of, paths_in, position
from openhcs.verify.model import Class, Function
from openhcs.verify.program import Program
from openhcs.verify.rules.base import Settings
from openhcs.verify.rules.cancelled import cancelled_task
from openhcs.verify.values import Cls, Func, Partial

__all__ = ["check_not_awaited"]

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


def check_not_awaited(program: Program, settings: Settings) -> Iterator[Finding]:
    """A task is cancelled, and nobody waits for it to end."""
    for call, function in program.calls_named("cancel"):
        receiver = cancelled_task(call)
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


def _is_looked_after(program: Program, call: ast.Call, function: Function, paths: set[str]) -> bool:
    if not function.is_async and _asks_all_tasks(program, function):
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


def _asks_all_tasks(program: Program, function: Function) -> bool:
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
