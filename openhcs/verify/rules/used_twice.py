"""HCS203: a coroutine object that is awaited or scheduled a second time."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from itertools import pairwise

from openhcs.verify import library
from openhcs.verify.findings import Finding
from openhcs.verify.flow import always_leaves, children, is_inside, loops_around, position, walk
from openhcs.verify.model import Binding, Function, How
from openhcs.verify.program import Program
from openhcs.verify.rules.base import Settings
from openhcs.verify.values import Coro, Inst

__all__ = ["check_twice"]

_TAKERS = library.SCHEDULERS | library.AWAITERS


def check_twice(program: Program, settings: Settings) -> Iterator[Finding]:
    """A coroutine object is awaited or scheduled a second time, or a task is scheduled as if it were a coroutine."""
    for function in program.functions:
        for name, bindings in function.bindings.items():
            made = _made_once(program, function, bindings)
            if made is None:
                continue
            second = _used_twice(program, function, name, made)
            if second is not None:
                first, again = second
                is_gathered = (
                    first is again
                    and isinstance(again, ast.Call)
                    and program.calls(again, function, "asyncio.gather")
                    and not loops_around(again, function)
                )
                yield program.finding(
                    "HCS203",
                    again,
                    function,
                    f"`{name}` is one coroutine: it runs once, and `gather` gives its result twice"
                    if is_gathered
                    else f"`{name}` is a coroutine and was used up before: a second await raises RuntimeError",
                    [program.related(made, function, "made here"), program.related(first, function, "used up here")],
                    {"name": name},
                )
        yield from _collection_twice(program, function)
    for call, function in program.calls_of(*_TAKERS):
        yield from _task_as_coroutine(program, call, function)
        yield from _multiplied(program, call, function)


def _made_once(program: Program, function: Function, bindings: Sequence[Binding]) -> ast.AST | None:
    """Where a variable gets its one value, if that is a coroutine object that was just made."""
    if any(binding.how is How.PARAMETER for binding in bindings):
        return _coroutine_parameter(program, function, bindings)
    if len(bindings) != 1 or bindings[0].how is not How.VALUE or function.is_module:
        return None
    node = bindings[0].value
    if not isinstance(node, ast.Call) or not program.is_coroutine_call(node, bindings[0].scope):
        return None
    return bindings[0].node if bindings[0].scope is function else None


def _coroutine_parameter(program: Program, function: Function, bindings: Sequence[Binding]) -> ast.AST | None:
    """A parameter that can only be a coroutine: by its annotation, by its callers, or by its name."""
    parameter = next(binding for binding in bindings if binding.how is How.PARAMETER)
    if any(binding.how not in (How.PARAMETER, How.ANNOTATED) for binding in bindings):
        return None
    annotated = [binding for binding in bindings if binding.how is How.ANNOTATED]
    if annotated:
        values = program.inference.values_of(annotated)
        return parameter.node if values and all(isinstance(value, Coro) for value in values) else None
    passed = program.inference.arguments_of(function, parameter.index)
    if passed:
        calls = [
            node for node, caller in passed if isinstance(node, ast.Call) and program.is_coroutine_call(node, caller)
        ]
        return parameter.node if len(calls) == len(passed) else None
    name = getattr(parameter.node, "arg", "")
    return parameter.node if name in ("coro", "coroutine") else None


def _parents_of_names(function: Function, name: str) -> dict[ast.Name, ast.AST]:
    nodes: list[ast.AST] = [*function.body] if not isinstance(function.node, ast.Lambda) else [function.node.body]
    found: dict[ast.Name, ast.AST] = {}
    for node in walk(nodes):
        for child in children(node):
            if isinstance(child, ast.Name) and child.id == name and isinstance(child.ctx, ast.Load):
                found[child] = node
    return found


def _using_up(program: Program, function: Function, name: str) -> list[ast.AST]:
    """Where the coroutine of a name is awaited or scheduled."""
    found: list[ast.AST] = []
    for parent in _parents_of_names(function, name).values():
        if isinstance(parent, ast.Await):
            found.append(parent)
        elif isinstance(parent, ast.Call) and any(isinstance(a, ast.Name) and a.id == name for a in parent.args):
            count = sum(isinstance(argument, ast.Name) and argument.id == name for argument in parent.args)
            if program.names_of(parent.func, function) & _TAKERS:
                found += [parent] * count
    return sorted(dict.fromkeys(found), key=position) if len(set(found)) == len(found) else sorted(found, key=position)


def _used_twice(program: Program, function: Function, name: str, made: ast.AST) -> tuple[ast.AST, ast.AST] | None:
    uses = _using_up(program, function, name)
    if len({id(use) for use in uses}) < len(uses):
        return uses[0], uses[0]
    made_in = {id(loop) for loop in loops_around(made, function)} if not isinstance(made, ast.arg) else set()
    for use in uses:
        for loop in loops_around(use, function):
            if id(loop) in made_in:
                break
            if not _leaves_loop(use, loop, function):
                return use, use
    for first, second in pairwise(uses):
        if is_inside(first, second, function) or is_inside(second, first, function):
            continue
        if _both_run(first, second, function):
            return first, second
    return None


def _collection_twice(program: Program, function: Function) -> Iterator[Finding]:
    """`gather(*works)` behind `gather(*works)`, where `works` holds coroutines."""
    for name, bindings in function.bindings.items():
        made = [binding for binding in bindings if binding.how is How.VALUE]
        if len(made) != 1 or len(bindings) > 2 or function.is_module or made[0].scope is not function:
            continue
        if not isinstance(made[0].value, ast.List | ast.ListComp | ast.Tuple):
            continue
        items = program.inference.items(program.values(made[0].value, function))
        if not items or not all(isinstance(item, Coro) for item in items):
            continue
        uses: list[ast.AST] = [
            call
            for call, where in program.calls_of(*_TAKERS)
            if where is function
            and any(isinstance(item, ast.Starred) and _is_name(item.value, name) for item in call.args)
        ]
        loops: list[ast.AST] = [*function.of(ast.ListComp), *function.of(ast.SetComp), *function.of(ast.For)]
        uses += [node for node in loops if _schedules_each(program, node, name, function)]
        uses.sort(key=position)
        if len(uses) > 1 and _both_run(uses[0], uses[1], function):
            yield program.finding(
                "HCS203",
                uses[1],
                function,
                f"the coroutines of `{name}` were used up before: a second await of each raises RuntimeError",
                [program.related(uses[0], function, "used up here")],
                {"name": name},
            )


def _is_name(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _schedules_each(program: Program, node: ast.AST, name: str, function: Function) -> bool:
    """Whether a loop or comprehension awaits or schedules each item of a collection."""
    body: list[ast.AST]
    if isinstance(node, ast.For):
        target, iterated, body = node.target, node.iter, [*node.body]
    elif isinstance(node, ast.ListComp | ast.SetComp):
        target, iterated, body = node.generators[0].target, node.generators[0].iter, [node.elt]
    else:
        return False
    if not _is_name(iterated, name) or not isinstance(target, ast.Name):
        return False
    for inner in walk(body):
        if isinstance(inner, ast.Await) and _is_name(inner.value, target.id):
            return True
        if isinstance(inner, ast.Call) and any(_is_name(argument, target.id) for argument in inner.args):
            if program.names_of(inner.func, function) & _TAKERS:
                return True
    return False


def _leaves_loop(use: ast.AST, loop: ast.AST, function: Function) -> bool:
    """Whether a turn of a loop that comes to `use` is the last."""
    for outer, child in function.module.around(use):
        if isinstance(outer, ast.Return):
            return not _try_between(outer, loop, function)
        if outer is loop:
            body = [*getattr(outer, "body", ()), *getattr(outer, "orelse", ())]
            behind = body[body.index(child) :] if child in body else []
            return _ends_loop(behind)
        for field in ("body", "orelse", "finalbody"):
            block = getattr(outer, field, None)
            if isinstance(block, list) and child in block and _ends_loop(block[block.index(child) :]):
                return not (isinstance(outer, ast.Try) and outer.handlers and field == "body" and _goes_round(outer))
    return True


def _ends_loop(block: list[ast.stmt]) -> bool:
    return any(isinstance(statement, ast.Return | ast.Raise | ast.Break) for statement in block)


def _goes_round(node: ast.Try) -> bool:
    return any(not _ends_loop(handler.body) for handler in node.handlers)


def _try_between(node: ast.AST, loop: ast.AST, function: Function) -> bool:
    for outer, child in function.module.around(node):
        if outer is loop:
            return False
        if isinstance(outer, ast.Try) and child in outer.body and _goes_round(outer):
            return True
    return False


def _both_run(first: ast.AST, second: ast.AST, function: Function) -> bool:
    """Whether one run for certain passes `first` on its way to `second`."""
    conditions = {id(outer): child for outer, child in function.module.around(second)}
    for outer, child in function.module.around(first):
        if id(outer) in conditions:
            other = conditions[id(outer)]
            if isinstance(outer, ast.If | ast.IfExp) and other is not child and outer.test not in (other, child):
                return False
            if isinstance(outer, ast.Try) and other is not child:
                return _in_try_order(outer, child, other)
            return not isinstance(outer, ast.BoolOp)
        if isinstance(outer, ast.If | ast.IfExp | ast.For | ast.While | ast.BoolOp | ast.Match | ast.ExceptHandler):
            if not (isinstance(outer, ast.If | ast.While | ast.IfExp) and outer.test is child):
                return False
        if isinstance(outer, ast.Try) and outer.handlers and child in outer.body and always_leaves(outer.body):
            return False
        for field in ("body", "orelse", "finalbody"):
            block = getattr(outer, field, None)
            if isinstance(block, list) and child in block and always_leaves(block[block.index(child) :]):
                return False
    return True


def _in_try_order(node: ast.Try, first: ast.AST, second: ast.AST) -> bool:
    if first in node.body:
        return (
            second in node.handlers
            or second in node.finalbody
            or (second in node.orelse or (second in node.body and not always_leaves([first])))
        )
    return first in node.orelse and second in node.finalbody


def _task_as_coroutine(program: Program, call: ast.Call, function: Function) -> Iterator[Finding]:
    """`create_task(task)` raises TypeError."""
    if not call.args or not program.calls(
        call, function, "asyncio.create_task", f"{library.LOOP}.create_task", "asyncio.run",
        "asyncio.TaskGroup.create_task", "asyncio.run_coroutine_threadsafe",
    ):  # fmt: skip
        return
    if isinstance(call.args[0], ast.Name) and any(
        binding.how is How.PARAMETER for binding in function.bindings.get(call.args[0].id, ())
    ):
        return
    given = program.values(call.args[0], function)
    if given and all(isinstance(value, Inst) and value.type in (library.TASK, library.OWNED_TASK) for value in given):
        yield program.finding(
            "HCS203",
            call,
            function,
            f"`{ast.unparse(call.args[0])}` is a task already: `{ast.unparse(call.func)}` takes coroutines only",
            data={"name": ast.unparse(call.args[0])},
        )


def _multiplied(program: Program, call: ast.Call, function: Function) -> Iterator[Finding]:
    """`gather(*[work()] * 3)` awaits one coroutine three times."""
    for argument in call.args:
        node = argument.value if isinstance(argument, ast.Starred) else argument
        if isinstance(node, ast.Name) and len(function.bindings.get(node.id, ())) == 1:
            node = function.bindings[node.id][0].value or node
        if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Mult):
            continue
        for side in (node.left, node.right):
            if isinstance(side, ast.List | ast.Tuple) and any(
                isinstance(item, ast.Call) and program.is_coroutine_call(item, function) for item in side.elts
            ):
                if program.names_of(call.func, function) & _TAKERS:
                    yield program.finding(
                        "HCS203",
                        node,
                        function,
                        "multiplying the list repeats one coroutine object: it runs once at most",
                        data={"name": ast.unparse(side)},
                    )
